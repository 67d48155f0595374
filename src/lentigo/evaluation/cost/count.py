"""Count what one image costs a network, layer by layer, without measuring anything.

Multiply-accumulates (MACs) are counted from the operations that run, as torch's own counter of FLOPs sees them: whether
a layer is a module or a function makes no difference. For a convolution and a dense layer they are equations 10 and 11
of Al Mamun et al., 2025: H * W * C_in * C_out * K * K with the size of the output map (divided by the groups), and
inputs * outputs. The paper calls them FLOPs; a FLOP here is one multiplication or one addition, so that a MAC is two.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from types import MappingProxyType

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from lentigo import models
from lentigo.errors import RunError

__all__ = ["ENERGY_ASSUMPTION", "Cost", "Layer", "cost"]

PICOJOULES_PER_MAC: Mapping[int, float] = MappingProxyType({32: 3.7 + 0.9, 16: 1.1 + 0.4, 8: 0.2 + 0.03})
"""Of one multiplication and one addition, by bits of the weights; floats but for 8 bits."""
PICOJOULES_PER_WORD = 640.0
"""Of reading 32 bits from DRAM."""
ENERGY_ASSUMPTION = (
    "Arithmetic at 4.6 pJ per MAC in 32-bit floats, 1.5 pJ in 16-bit floats and 0.23 pJ in 8-bit integers, and each "
    "weight read once from DRAM at 640 pJ for 32 bits: a 45 nm chip (Horowitz, ISSCC 2014; Han et al., NIPS 2015). "
    "Activations, caches and idle current are not counted: it ranks networks and is not a measurement."
)


LARGEST = 16_384
"""Pixels a side: four times what dermatoscopes give."""


@dataclass(frozen=True)
class Layer:
    """One layer's share.

    Attributes:
        name: dotted path inside the network.
        kind: class of the layer.
        output: shape of its output without the batch; empty for a layer that is used through another's function.
        parameters: counted as Keras does, with moving statistics.
        macs: multiply-accumulates for one image.
        activations: numbers that it writes for one image; none where it changes its input in place or only views it.
    """

    name: str
    kind: str
    output: tuple[int, ...]
    parameters: int
    macs: int
    activations: int


@dataclass(frozen=True)
class Cost:
    """What one image costs.

    Attributes:
        model: name of the network, or of its class.
        size: input, pixels a side.
        num_classes: number of logits.
        layers: in the order of use.
        trainable: parameters that an optimizer may change.
        non_trainable: frozen parameters and moving statistics.
        peak_activations: numbers in the input and output of the layer where these are most: what inference must hold.
        warnings: layers whose weights show no operation that can be counted; then the MACs are too few.
    """

    model: str
    size: int
    num_classes: int
    layers: tuple[Layer, ...]
    trainable: int
    non_trainable: int
    peak_activations: int
    warnings: tuple[str, ...]

    @property
    def parameters(self) -> int:
        """All numbers of the network, as Keras counts them."""
        return self.trainable + self.non_trainable

    @property
    def macs(self) -> int:
        """Multiply-accumulates."""
        return sum(layer.macs for layer in self.layers)

    @property
    def flops(self) -> int:
        """Multiplications and additions: two a MAC."""
        return 2 * self.macs

    @property
    def activations(self) -> int:
        """Numbers written by all layers for one image: what training must hold."""
        return sum(layer.activations for layer in self.layers)

    def weight_bytes(self, bits: int = 32) -> int:
        """Bytes of all parameters and statistics at so many bits each."""
        return self.parameters * bits // 8

    def energy(self, bits: int = 32) -> float:
        """Joules for one image, estimated under `ENERGY_ASSUMPTION`; bits of 32, 16 or 8."""
        words = self.weight_bytes(bits) / 4
        return 1e-12 * (self.macs * PICOJOULES_PER_MAC[bits] + words * PICOJOULES_PER_WORD)

    def to_json(self) -> str:
        """All of it, totals included, as JSON."""
        totals = {
            "parameters": self.parameters,
            "macs": self.macs,
            "flops": self.flops,
            "activations": self.activations,
            "weight_bytes": {str(bits): self.weight_bytes(bits) for bits in PICOJOULES_PER_MAC},
            "energy_joules": {str(bits): self.energy(bits) for bits in PICOJOULES_PER_MAC},
            "energy_assumption": ENERGY_ASSUMPTION,
        }
        return json.dumps(asdict(self) | totals, indent=2)


def cost(network: str | nn.Module, size: int | None = None, num_classes: int | None = None, **options: object) -> Cost:
    """Count what one image costs a network.

    Args:
        network: a name of the registry, which is then counted without being given weights; or a network.
        size: input, pixels a side; the native size of a named network where not given.
        num_classes: of a named network; as published where not given.
        options: of a named network's builder.

    Raises:
        RunError: unknown name or option, a network without a size, or a size that isn't one or doesn't fit.
    """
    if size is not None and not (type(size) is int and 1 <= size <= LARGEST):
        raise RunError(
            f"Images of {size!r} pixels a side can't be counted.", f"Use a whole number from 1 to {LARGEST:,}."
        )
    if num_classes is not None and not (type(num_classes) is int and num_classes >= 1):
        raise RunError(f"A network can't have {num_classes!r} classes.", "Use a whole number of 1 or more.")
    if isinstance(network, str):
        entry = models.entry(network)
        with torch.device("meta"):
            built = models.build(network, num_classes, **options)
        return _count(built, network, size or entry.size)
    if size is None:
        raise RunError("The cost of a network depends on its input size.", "Name the size in pixels.")
    return _count(network, type(network).__name__, size)


def _count(network: nn.Module, model: str, size: int) -> Cost:
    image = torch.zeros(1, 3, size, size, device=next(network.parameters()).device)
    training = network.training
    recorder = _Recorder(network)
    network.eval()
    try:
        with torch.no_grad(), _in_plain_operations(), recorder.counter:
            logits = network(image)
    except (RuntimeError, ValueError, AssertionError) as error:
        raise RunError(f"{model} can't take {size}x{size} pixels ({error}).", "Use its native size.") from None
    finally:
        recorder.close()
        network.train(training)
    counts = models.count_parameters(network)
    return Cost(
        model=model,
        size=size,
        num_classes=logits.shape[1],
        layers=recorder.layers(),
        trainable=counts.trainable,
        non_trainable=counts.non_trainable,
        peak_activations=recorder.peak,
        warnings=recorder.warnings(),
    )


@contextmanager
def _in_plain_operations() -> Iterator[None]:
    """Attention as its products, which the counter knows on every device, and not as one fused operation."""
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)


class _Recorder:
    """Watches every module: what it writes, and the operations that run in it but in none of the modules inside it."""

    def __init__(self, network: nn.Module) -> None:
        self.peak = 0
        self.counter = FlopCounterMode(display=False)
        self._names = {module: name for name, module in network.named_modules()}
        self._found: dict[str, Layer] = {}
        self._own: dict[str, int] = {}
        self._open: list[list[int]] = []
        """Of each module that runs now: FLOPs before it, and those of the modules inside it."""
        self._handles = [module.register_forward_pre_hook(self._enter) for module in self._names]
        self._handles += [module.register_forward_hook(self._leave) for module in self._names]

    def _enter(self, module: nn.Module, inputs: tuple[object, ...]) -> None:
        self._open.append([self.counter.get_total_flops(), 0])

    def _leave(self, module: nn.Module, inputs: tuple[object, ...], output: object) -> None:
        start, inside = self._open.pop()
        flops = self.counter.get_total_flops() - start
        if self._open:
            self._open[-1][1] += flops
        name = self._names[module]
        self._own[name] = self._own.get(name, 0) + flops - inside
        if self._is_layer(module) or flops > inside:
            self._record(module, name, (flops - inside) // 2, inputs, output)

    def _record(self, module: nn.Module, name: str, macs: int, inputs: tuple[object, ...], output: object) -> None:
        given, made = (_tensors(values) for values in (inputs, output))
        written = sum(0 if any(o is i for i in given) or o._is_view() else o.numel() for o in made)
        written *= self._is_layer(module)  # a module with layers inside it gives on what the last of them wrote
        before = self._found.get(name)
        self._found[name] = Layer(
            name=name,
            kind=type(module).__name__,
            output=tuple(made[0].shape[1:]) if made else (),
            parameters=models.count_parameters(module, recurse=False).total,
            macs=macs + (before.macs if before else 0),
            activations=written + (before.activations if before else 0),
        )
        self.peak = max(self.peak, (given[0].numel() if given else 0) + written)

    @staticmethod
    def _is_layer(module: nn.Module) -> bool:
        """Whether it has parameters of its own or no modules inside it."""
        return next(module.children(), None) is None or next(module.parameters(recurse=False), None) is not None

    def close(self) -> None:
        """Stop watching."""
        for handle in self._handles:
            handle.remove()

    def layers(self) -> tuple[Layer, ...]:
        """What was seen, in order; then layers with parameters that were never called as such."""
        unseen = [
            Layer(name, type(module).__name__, (), parameters, 0, 0)
            for module, name in self._names.items()
            if name not in self._found and (parameters := models.count_parameters(module, recurse=False).total)
        ]
        return (*self._found.values(), *unseen)

    def warnings(self) -> tuple[str, ...]:
        """Layers with matrices of weights for which no operation was counted, neither in them nor around them."""
        found = []
        for module, name in self._names.items():
            weights = sum(p.numel() for p in module.parameters(recurse=False) if p.ndim > 1 and p.shape[0] > 1)
            around = (name, name.rpartition(".")[0]) if name not in self._own else (name,)
            if weights and not isinstance(module, nn.Embedding) and not any(self._own.get(n) for n in around):
                found.append(
                    f"{name or 'the network'} ({type(module).__name__}): none of the operations of its {weights:,} "
                    "weights can "
                    "be counted, so the MACs are underestimated."
                )
        return tuple(found)


def _tensors(values: object) -> list[Tensor]:
    return [value for value in tree_leaves(values) if isinstance(value, Tensor)]
