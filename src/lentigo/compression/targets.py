"""What a pruned network must not exceed, and what it has: operations, bytes, time."""

import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields, replace
from itertools import pairwise

import torch
from torch import Tensor, nn

from lentigo import models
from lentigo.errors import RunError
from lentigo.evaluation.cost import cost

__all__ = ["Meter", "Reached", "Target"]

FLOAT = 4
"""Bytes of a float32."""
_UNITS = {
    "macs": (1e-6, "{:.2f} million MACs"),
    "bytes": (1e-3, "{:.1f} kB of weights"),
    "latency_ms": (1, "{:.2f} ms an image"),
    "latency_ratio": (1, "{:.2f} of the latency before"),
}


@dataclass(frozen=True)
class Target:
    """Upper limits of a pruned network; at least one, and all of them hold.

    Attributes:
        macs: multiply-accumulates of one image in the network as it answers: with flip test-time augmentation, those of
            all four mirror images. Preprocessing and the OOD score are not counted.
        bytes: of the network's weights in the exported file, as 32-bit floats; a batch norm behind a convolution is
            folded into it there, so that it costs a bias. Half precision and 8 bits take fewer.
        latency_ms: milliseconds of processor time that one image takes on one thread of this machine, in PyTorch, the
            fastest of 20.
        latency_ratio: the same as a share of the unpruned network's, timed in turns with it.

    Raises:
        RunError: no limit, or one that isn't a positive number.
    """

    macs: float | None = None
    bytes: float | None = None
    latency_ms: float | None = None
    latency_ratio: float | None = None

    def __post_init__(self) -> None:
        given = {name: value for name, value in asdict(self).items() if value is not None}
        if not given:
            raise RunError(
                "There is no target to prune for.", f"Give one of {', '.join(f.name for f in fields(self))}."
            )
        for name, value in given.items():
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if not number or not math.isfinite(value) or value <= 0:
                raise RunError(f"The target's {name} is {value!r}.", "Use a positive number.")

    @property
    def timed(self) -> bool:
        """Whether it must be measured by the clock."""
        return self.latency_ms is not None or self.latency_ratio is not None

    def to_dict(self) -> dict[str, float]:
        """The limits that were given."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    def met_by(self, reached: "Reached") -> bool:
        """Whether a network exceeds none of the limits."""
        return all(getattr(reached, name) <= limit for name, limit in self.to_dict().items())

    def __str__(self) -> str:
        return _said(self.to_dict())


@dataclass(frozen=True)
class Reached:
    """What a network has of what a target limits, see `Target`; times are None where nothing was timed."""

    macs: int
    bytes: int
    latency_ms: float | None = None
    latency_ratio: float | None = None

    def to_dict(self) -> dict[str, float]:
        """What was counted or measured."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    def __str__(self) -> str:
        return _said(self.to_dict())


def _said(values: dict[str, float]) -> str:
    return " and ".join(_UNITS[name][1].format(_UNITS[name][0] * value) for name, value in values.items())


class Meter:
    """Measures a network while it loses channels.

    Args:
        network: before pruning, in inference mode; it must not be changed while the meter is used.
        size: of its input, pixels a side.
        averaged: whether the recipe has flip test-time augmentation.
        timed: whether the clock is read too.
    """

    def __init__(self, network: nn.Module, size: int, averaged: bool, timed: bool) -> None:
        self.averaged = averaged
        self._image = torch.rand(1, 3, size, size, generator=torch.Generator().manual_seed(0))
        whole = self._answering(network)
        self._places = _places(whole, network, self._image)
        # What is neither a convolution nor a linear layer keeps its share: next to nothing in networks made of these.
        self._rest = cost(whole, size).macs - self._in_layers(network)
        self._had = Reached(self.macs(network), exported_bytes(network))
        self._before = whole if timed else None
        self._before_ms = _milliseconds(self._timed(whole))[0] if timed else 0.0

    @property
    def before(self) -> Reached:
        """What the network had."""
        return self._had if self._before is None else replace(self._had, latency_ms=self._before_ms, latency_ratio=1.0)

    def __call__(self, network: nn.Module) -> Reached:
        """What the network has now."""
        counted = self.macs(network), exported_bytes(network)
        if self._before is None:
            return Reached(*counted)
        before, now = _milliseconds(self._timed(self._before), self._timed(self._answering(network)))
        return Reached(*counted, self._before_ms * now / before, now / before)

    def macs(self, network: nn.Module) -> int:
        """Multiply-accumulates of one image, mirror images included; pruning doesn't change the sides of maps."""
        return self._rest + self._in_layers(network)

    def _in_layers(self, network: nn.Module) -> int:
        return sum(self._places[name] * layer.weight.numel() for name, layer in _layers(network).items())

    def _answering(self, network: nn.Module) -> nn.Module:
        """The network as it answers, in inference mode."""
        return (models.FlipTTA(network) if self.averaged and hasattr(network, "maps") else network).eval()

    def _timed(self, network: nn.Module) -> Callable[[], object]:
        return lambda: network(self._image)


def exported_bytes(network: nn.Module) -> int:
    """Of all weights and statistics as 32-bit floats, batch norms folded into the convolutions before them."""
    leaves = [module for module in network.modules() if next(module.children(), None) is None]
    folded = 0
    for layer, norm in pairwise(leaves):
        if (
            isinstance(layer, nn.Conv2d)
            and isinstance(norm, nn.BatchNorm2d)
            and norm.num_features == layer.out_channels
        ):
            folded += (3 if layer.bias is None else 4) * norm.num_features  # of its four numbers a bias stays
    return FLOAT * (models.count_parameters(network).total - folded)


def _layers(network: nn.Module) -> dict[str, nn.Conv2d | nn.Linear]:
    return {name: m for name, m in network.named_modules() if isinstance(m, nn.Conv2d | nn.Linear)}


@torch.no_grad()
def _places(whole: nn.Module, network: nn.Module, image: Tensor) -> dict[str, int]:
    """At how many places each layer is applied for one image, by name: there each of its weights is one MAC."""
    found = dict.fromkeys(_layers(network), 0)

    def count(name: str) -> Callable[..., None]:
        def hook(layer: nn.Module, _inputs: object, output: Tensor) -> None:
            found[name] += output.numel() // output.shape[1 if isinstance(layer, nn.Conv2d) else -1]

        return hook

    handles = [layer.register_forward_hook(count(name)) for name, layer in _layers(network).items()]
    try:
        whole(image)
    finally:
        for handle in handles:
            handle.remove()
    return found


@torch.inference_mode()
def _milliseconds(*calls: Callable[[], object], rounds: int = 20) -> list[float]:
    """Processor time of each call on one thread, the fastest, in turns: what else the machine does matters least."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    times: list[list[float]] = [[] for _ in calls]
    try:
        for i in range(rounds + 3):
            for own, call in zip(times, calls, strict=True):
                start = time.thread_time()
                call()
                if i >= 3:  # after warming up
                    own.append(1000 * (time.thread_time() - start))
    finally:
        torch.set_num_threads(threads)
    return [min(own) for own in times]
