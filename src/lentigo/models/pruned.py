"""Networks with fewer channels than they were designed with, described by plain numbers.

A layer's shape is [outputs, inputs, groups] for a convolution, [outputs, inputs] for a linear layer and [channels] for
a batch norm. A network is described by the shapes of those layers that are narrower than designed; its weights are
loaded afterwards.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn

from lentigo.errors import RunError
from lentigo.models.backbones import Backbone, last_width

__all__ = ["Shapes", "narrow", "narrowed"]

Shapes = Mapping[str, Sequence[int]]
"""Shapes by dotted names of layers."""


def narrowed(network: nn.Module, designed: nn.Module) -> dict[str, list[int]]:
    """Shapes of those layers of a network that are narrower than designed.

    Raises:
        RunError: it differs from its design in other ways, so that shapes don't describe it.
    """
    before = dict(designed.named_modules())
    shapes = {name: _shape(module) for name, module in network.named_modules() if _shape(module)}
    changed = {name: shape for name, shape in shapes.items() if shape != _shape(before[name])}
    narrow(designed, changed)
    made, wanted = ({k: v.shape for k, v in n.state_dict().items()} for n in (designed, network))
    if made != wanted:
        other = [key for key, shape in wanted.items() if made.get(key) != shape]
        raise RunError(
            f"{type(network).__name__}: {other[0]} lost channels, and only convolutions, linear layers and batch norms "
            "can be described without them.",
            "Prune another network.",
        )
    return changed


def narrow(network: nn.Module, shapes: Shapes) -> None:
    """Give layers of a network fewer channels, in place; which of its weights stay is arbitrary.

    Args:
        network: as designed.
        shapes: of the layers that become narrower.

    Raises:
        RunError: the network has no such layer, or one that can't have such a shape.
    """
    if not isinstance(shapes, Mapping):
        raise RunError(f"Channels can't be {shapes!r}.", "Name shapes by layer, as a pruned run's recipe.json does.")
    for name, shape in shapes.items():
        try:
            layer = network.get_submodule(name)
        except AttributeError:
            layer = nn.Identity()
        most = _shape(layer)
        numbers = list(shape) if isinstance(shape, Sequence) and not isinstance(shape, str) else []
        if len(numbers) != len(most) or not all(
            type(n) is int and 1 <= n <= m for n, m in zip(numbers, most, strict=True)
        ):
            designed = f", designed with {most}" if most else ", which has no channels to prune, or isn't there"
            raise RunError(f"Channels {shape!r} don't fit the layer {name!r}{designed}.", "Use a pruned run's own.")
        _resize(layer, name, numbers)
    backbone = getattr(network, "features", None)
    if shapes and isinstance(backbone, Backbone):
        backbone.width = last_width(backbone.body)


def _shape(layer: nn.Module) -> list[int]:
    """Empty for layers that are not pruned by themselves."""
    if isinstance(layer, nn.Conv2d):
        return [layer.out_channels, layer.in_channels, layer.groups]
    if isinstance(layer, nn.Linear):
        return [layer.out_features, layer.in_features]
    return [layer.num_features] if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d) else []


def _resize(layer: Any, name: str, shape: list[int]) -> None:
    if isinstance(layer, nn.Conv2d):
        outputs, inputs, groups = shape
        if inputs % groups or outputs % groups or inputs // groups > layer.weight.shape[1]:
            raise RunError(f"Channels {shape} don't fit the layer {name!r}.", "Use a pruned run's own.")
        layer.out_channels, layer.in_channels, layer.groups = shape
        _cut(layer, outputs, inputs // groups)
    elif isinstance(layer, nn.Linear):
        layer.out_features, layer.in_features = shape
        _cut(layer, *shape)
    else:
        (layer.num_features,) = shape
        _cut(layer, *shape)


def _cut(layer: nn.Module, outputs: int, inputs: int | None = None) -> None:
    """Keep the first outputs of everything that a layer holds, and of its matrices the first inputs."""
    for key, parameter in list(layer.named_parameters(recurse=False)):
        kept = parameter.detach()[:outputs]
        kept = kept[:, :inputs] if kept.ndim > 1 else kept
        setattr(layer, key, nn.Parameter(kept.clone(), requires_grad=parameter.requires_grad))
    for key, buffer in list(layer.named_buffers(recurse=False)):
        if buffer.ndim:
            setattr(layer, key, buffer[:outputs].clone())
