"""A torch network as a predictor that also shows what is inside, for methods that follow its gradients."""

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lentigo.explanation.methods.perturbed import square_of
from lentigo.export.module import ExportModule
from lentigo.labels import LabelSet
from lentigo.models import FlipTTA
from lentigo.runtime.predictor import Outputs

if TYPE_CHECKING:
    from lentigo.training import Run

__all__ = ["Network"]


class Network:
    """A network that can be explained by every method.

    Args:
        network: normalised images [N, 3, S, S] to logits [N, K], or [N, 1] for how malignant; it is put into inference
            mode.
        labels: what it distinguishes, in the order of its outputs.
        size: pixels a side of its input.
        mean, std: what pixels in 0..1 are normalised by, three values each.
        offset: taken from the logits to get to the balanced prior [K]; None for zeros.
        name: for people.
        sha256: hash of its weights, hexadecimal.

    Attributes:
        module: the network with its normalisation, see `export.module.ExportModule`.
        single: whether the network has one output for two diagnoses.
    """

    def __init__(
        self,
        network: nn.Module,
        labels: LabelSet,
        *,
        size: int,
        mean: Sequence[float] = (0.0, 0.0, 0.0),
        std: Sequence[float] = (1.0, 1.0, 1.0),
        offset: NDArray[np.float32] | None = None,
        name: str = "network",
        sha256: str = "",
    ) -> None:
        self.labels = labels
        self.size = size
        self.name = name
        self.sha256 = sha256
        self._parts: tuple[Any, ...] = (
            tuple(mean),
            tuple(std),
            np.zeros(len(labels), np.float32) if offset is None else offset,
        )
        self.module = ExportModule(network, *self._parts).to(memory_format=torch.channels_last)
        self.single = len(labels) == 2 and self._outputs() == 1

    @classmethod
    def of_run(cls, run: "Run") -> "Network":
        """A finished run's network, before calibration.

        Raises:
            RunError: the training has not finished, or the weights are damaged.
        """
        return cls(
            run.network(),
            run.classes,
            size=run.recipe.size,
            mean=run.mean,
            std=run.std,
            offset=run.logit_offset,
            name=run.model,
            sha256=run.network_sha256,
        )

    @property
    def network(self) -> Any:
        """The network alone: of one that is averaged over mirror images what is averaged."""
        found = self.module.network
        return found.network if isinstance(found, FlipTTA) else found

    @property
    def mirrors(self) -> tuple[tuple[int, ...], ...]:
        """Dimensions [N, C, h, w] to flip for each view that the network is averaged over."""
        return ((), (3,), (2,), (2, 3)) if isinstance(self.module.network, FlipTTA) else ((),)

    @cached_property
    def plain(self) -> ExportModule:
        """`network` with its normalisation."""
        return ExportModule(self.network, *self._parts)

    @cached_property
    def relevance_graph(self) -> nn.Module:
        """`network` as a graph for layer-wise relevance propagation; see there for its errors."""
        from lentigo.explanation.relevance_graph import relevance_graph

        return relevance_graph(self.network)

    def replaced(self, network: nn.Module) -> "Network":
        """The same with another network of the same architecture, such as one with random weights."""
        mean, std, offset = self._parts
        wrapped = FlipTTA(network) if isinstance(self.module.network, FlipTTA) else network
        return Network(wrapped, self.labels, size=self.size, mean=mean, std=std, offset=offset, name=self.name)

    def input(self, image: NDArray[np.uint8]) -> Tensor:
        """The square that the network sees, float32 [1, 3, S, S], values 0 to 255."""
        return torch.from_numpy(square_of(image, self.size)).permute(2, 0, 1)[None].contiguous()

    def score(self, x: Tensor, target: int, *, plain: bool = False) -> Tensor:
        """What methods of gradients explain [N]: the logit of one diagnosis, at balanced prior.

        Of a network with one output, which has no logit of its own for benign, it is the difference of the two.

        Args:
            x: squares [N, 3, S, S], values 0 to 255.
            target: position of the diagnosis.
            plain: of the network alone, without the average over mirror images.
        """
        return self.margin((self.plain if plain else self.module).logits(x).logits, target)

    def margin(self, logits: Tensor, target: int) -> Tensor:
        """One diagnosis' score [N] from logits [N, K], or [N, 1] as the network gives them."""
        if logits.shape[1] == 1:
            logits = torch.cat([torch.zeros_like(logits), logits], 1)
        return logits[:, target] - logits[:, 1 - target] if self.single else logits[:, target]

    @torch.no_grad()
    def _outputs(self) -> int:
        return self.network(torch.zeros(1, 3, self.size, self.size)).shape[1]

    @torch.no_grad()
    def predict(self, images: NDArray[np.uint8]) -> Outputs:
        """Probabilities and maps of images uint8 [N, H, W, 3]; not calibrated, and without OOD scores."""
        x = torch.cat([self.input(image) for image in images])
        found = self.module.logits(x)
        return Outputs(found.logits.softmax(1).numpy(), None if found.cam is None else found.cam.numpy())
