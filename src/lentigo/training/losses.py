"""Losses that a recipe can name. Each takes soft targets, so that smoothing, MixUp and CutMix need no other.

The validation loss is always plain cross-entropy: a proper score, by which trainings of any loss can be compared.
"""

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from lentigo.training.hooks import BatchContext, Loss, register_loss

__all__ = ["ONE_OUTPUT", "binary_cross_entropy", "cross_entropy", "focal"]

ONE_OUTPUT = "binary_cross_entropy"
"""The loss under which a network has one output."""


@register_loss
def cross_entropy() -> Loss:
    """- sum_k t_k log p_k, over the classes."""
    return _cross_entropy


@register_loss
def binary_cross_entropy() -> Loss:
    """Cross-entropy of one output: the learner puts a zero beside it, and softmax beside a zero is the sigmoid."""
    return _cross_entropy


def _cross_entropy(logits: Tensor, targets: Tensor, context: BatchContext) -> Tensor:
    return F.cross_entropy(logits, targets, reduction="none")


@register_loss
def focal(gamma: Annotated[float, Field(ge=0, le=10)] = 2.0) -> Loss:
    """- sum_k t_k (1 - p_k)^gamma log p_k: images that are clear already count less.

    Source: Lin, Goyal, Girshick, He, Dollár, 'Focal loss for dense object detection', ICCV 2017. It is not a proper
    score: probabilities come out too timid, and the temperature has more to do.

    Args:
        gamma: 0 is cross-entropy.
    """

    def loss(logits: Tensor, targets: Tensor, context: BatchContext) -> Tensor:
        log_p = logits.log_softmax(1)
        return -(targets * (-torch.expm1(log_p)).clamp(min=1e-6).pow(gamma) * log_p).sum(1)

    return loss
