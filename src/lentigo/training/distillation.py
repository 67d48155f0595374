"""Distillation from a store of soft labels: a student learns what teachers answer for the same views."""

from typing import Annotated

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from lentigo.training.hooks import BatchContext, Loss, register_loss
from lentigo.training.soft_labels import load_soft_labels

__all__ = ["DISTILLATION", "distillation"]

DISTILLATION = "distillation"
"""Name of the loss that needs a store."""


@register_loss
def distillation(
    store: str,
    temperature: Annotated[float, Field(gt=0, le=100)] = 2.0,
    soft: Annotated[float, Field(ge=0, le=1)] = 0.8,
    sha256: str = "",
) -> Loss:
    """a T^2 KL(softmax(t / T) || softmax(z / T)) + (1 - a) cross-entropy of the label.

    t and z are the teachers' and the student's logits with all classes equally common: the prior at which models here
    decide, and at which an image of a common diagnosis still says much of the rare ones. The cross-entropy is balanced
    as the recipe says. T^2 keeps the first term's gradient of the same size at any temperature.

    Sources: Hinton, Vinyals, Dean, 'Distilling the knowledge in a neural network', 2015; Beyer, Zhai, Royer, Markeeva,
    Anil, Kolesnikov, 'Knowledge distillation: a good teacher is patient and consistent', CVPR 2022, for the same views
    and many epochs.

    Args:
        store: file of `compression.build_soft_labels`.
        temperature: T.
        soft: a, the share of the soft labels.
        sha256: the store's hash, which a training fills in; another store is then refused.
    """
    return Distillation(store, temperature, soft)


class Distillation:
    """The loss, which reads its store when it meets the first batch."""

    def __init__(self, store: str, temperature: float, soft: float) -> None:
        self.path, self.temperature, self.soft = store, temperature, soft
        self._ids: NDArray[np.object_] | None = None
        self._answers = torch.empty(0)

    def __call__(self, logits: Tensor, targets: Tensor, context: BatchContext) -> Tensor:
        """The loss of each image, [B]."""
        answers = self._answers_of(context)
        teachers = answers[context.positions.to(answers.device), context.epoch % answers.shape[1]].float()
        student = (logits - context.offset) / self.temperature
        teacher = (teachers / self.temperature).log_softmax(1)
        divergence = F.kl_div(student.log_softmax(1), teacher, reduction="none", log_target=True).sum(1)
        hard = F.cross_entropy(logits, targets, reduction="none")
        return self.soft * self.temperature**2 * divergence + (1 - self.soft) * hard

    def _answers_of(self, context: BatchContext) -> Tensor:
        """Answers float16 [N, V, K] in the order of the training part's images, where the network is."""
        if self._ids is not context.ids:
            store = load_soft_labels(self.path)
            answers = store.log_probabilities[store.rows(context.ids)]
            self._answers, self._ids = torch.from_numpy(answers).to(context.labels.device), context.ids
        return self._answers
