"""Count what one image costs a network, layer by layer, without measuring anything.

Multiply-accumulates (MACs) follow Al Mamun et al., 2025: equation 10 for a convolution, H * W * C_in * C_out * K * K
with the size of the output map (divided by the groups), and equation 11 for a dense layer, inputs * outputs. The paper
calls them FLOPs; a FLOP here is one multiplication or one addition, so that a MAC is two. Torch's own counter of FLOPs
runs beside: it also sees products inside attention, which the equations don't.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import prod
from types import MappingProxyType

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from lentigo import models
from lentigo.errors import RunError

__all__ = ["ENERGY_ASSUMPTION", "Cost", "Layer", "cost"]

PICOJOULES_PER_MAC: Mapping[int, float] = MappingProxyType({32: 3.7 + 0.9, 16: 1.1 + 0.4, 8: 0.2 + 0.03})
"""Of one multiplication and one addition, by bits of the weights; floats but for 8 bits."""
PICOJOULES_PER_WORD = 640.0
"""Of reading 32 bits from DRAM."""
ENERGY_ASSUMPTION = (
    "Arithmetic at 4.6 pJ a MAC in 32-bit floats, 1.5 pJ in 16-bit floats and 0.23 pJ in 8-bit integers, and each "
    "weight read once from DRAM at 640 pJ for 32 bits: a 45 nm chip (Horowitz, ISSCC 2014; Han et al., NIPS 2015). "
    "Activations, caches and idle current are not counted: it ranks networks and is no measurement."
)


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
        torch_flops: FLOPs by torch's own counter.
        peak_activations: numbers in the input and output of the layer where these are most: what inference must hold.
    """

    model: str
    size: int
    num_classes: int
    layers: tuple[Layer, ...]
    trainable: int
    non_trainable: int
    torch_flops: int
    peak_activations: int

    @property
    def parameters(self) -> int:
        """All numbers of the network, as Keras counts them."""
        return self.trainable + self.non_trainable

    @property
    def macs(self) -> int:
        """Multiply-accumulates by equations 10 and 11."""
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
        RunError: unknown name or option, a network without a size, or a size that doesn't fit.
    """
    if isinstance(network, str):
        entry = models.entry(network)
        with torch.device("meta"):
            built = models.build(network, num_classes, **options)
        return _count(built, network, size or entry.size)
    if size is None:
        raise RunError("The cost of a network depends on the size of its images.", "Give the size in pixels a side.")
    return _count(network, type(network).__name__, size)


def _count(network: nn.Module, model: str, size: int) -> Cost:
    image = torch.zeros(1, 3, size, size, device=next(network.parameters()).device)
    training = network.training
    recorder = _Recorder(network)
    network.eval()
    try:
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            logits = network(image)
    except RuntimeError as error:
        raise RunError(f"{model} can't take {size}x{size} pixels ({error}).", "Give its native size.") from None
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
        torch_flops=counter.get_total_flops(),
        peak_activations=recorder.peak,
    )


class _Recorder:
    """Watches every layer of a network that has parameters of its own or no layers inside it."""

    def __init__(self, network: nn.Module) -> None:
        self.peak = 0
        self._found: dict[str, Layer] = {}
        self._names: dict[nn.Module, str] = {}
        for name, module in network.named_modules():
            if next(module.children(), None) is None or next(module.parameters(recurse=False), None) is not None:
                self._names[module] = name
        self._handles = [module.register_forward_hook(self._record) for module in self._names]

    def _record(self, module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        name = self._names[module]
        written = 0 if output is inputs[0] or output._is_view() else output.numel()
        before = self._found.get(name)
        self._found[name] = Layer(
            name=name,
            kind=type(module).__name__,
            output=tuple(output.shape[1:]),
            parameters=models.count_parameters(module, recurse=False).total,
            macs=_macs(module, output) + (before.macs if before else 0),
            activations=written + (before.activations if before else 0),
        )
        self.peak = max(self.peak, inputs[0].numel() + written)

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


def _macs(module: nn.Module, output: Tensor) -> int:
    """Equations 10 and 11, for a batch of one."""
    if isinstance(module, nn.Conv1d | nn.Conv2d | nn.Conv3d):
        return output.numel() * module.in_channels // module.groups * prod(module.kernel_size)
    if isinstance(module, nn.Linear):
        return output.numel() * module.in_features
    return 0
