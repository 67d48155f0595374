"""The layer whose maps are explained: the last one with spatial maps on which the answer depends."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from lentigo.errors import RunError

__all__ = ["as_maps", "find_layer", "recorded"]


def find_layer(network: nn.Module, x: Tensor) -> str:
    """Name of the last layer with spatial maps on which the logits depend.

    Maps of one position are not spatial. Tokens of transformers are laid out as maps; where only the class token is
    read, the last layer whose image tokens still matter is taken. A layer that is called several times is left out.

    Args:
        network: in inference mode.
        x: normalised images [N, 3, S, S].

    Raises:
        RunError: the network has none.
    """
    found: dict[str, list[Tensor]] = {}
    handles = [
        module.register_forward_hook(_keeper(found, name, network)) for name, module in network.named_modules() if name
    ]
    try:
        with torch.enable_grad():
            logits = network(x.detach().requires_grad_())
    finally:
        for handle in handles:
            handle.remove()
    tokens = {outputs[0].shape[1] for outputs in found.values() if outputs[0].ndim == 3}
    once = {
        name: outputs[0]
        for name, outputs in found.items()
        # The weights of an attention, [N, heads, tokens, tokens], are no maps either.
        if len(outputs) == 1 and len(outputs[0]) == len(x) and outputs[0].shape[-1] not in tokens
    }
    if not once:
        raise RunError(
            f"{type(network).__name__} has no layer with spatial maps: its maps have one position, or it has none.",
            "Use saliency, integrated_gradients, occlusion or rise, which need no maps.",
        )
    # Unequal weights, so that nothing cancels.
    mixed = (logits * torch.arange(1, logits.shape[1] + 1)).sum()
    gradients = torch.autograd.grad(mixed, list(once.values()), allow_unused=True)
    matters = [name for name, g in zip(once, gradients, strict=True) if g is not None and _many(as_maps(g, network))]
    if "features" in matters:  # what lentigo's own networks call their maps, before heads that may pool them in part
        return "features"
    return (matters or list(once))[-1]


@contextmanager
def recorded(network: nn.Module, layer: str) -> Iterator[list[Tensor]]:
    """While this is open, outputs of a layer are appended to the list.

    Raises:
        RunError: the network has no such layer.
    """
    try:
        module = network.get_submodule(layer)
    except AttributeError:
        near = [
            name for name, _ in network.named_modules() if layer and name.endswith(layer.rsplit(".", maxsplit=1)[-1])
        ]
        raise RunError(
            f"The network has no layer {layer!r}.",
            f"Did you mean {near[0]!r}?" if near else "Leave it out to have it found.",
        ) from None
    outputs: list[Tensor] = []
    handle = module.register_forward_hook(lambda _module, _inputs, output: outputs.append(output))
    try:
        yield outputs
    finally:
        handle.remove()


def as_maps(output: Any, network: Any) -> Tensor | None:
    """A layer's output as maps [N, C, h, w] with more than one position; None for what has none.

    Args:
        output: of the layer: maps, maps with channels last, or tokens.
        network: says by timm's attributes `num_features` and `num_prefix_tokens` which it is.
    """
    if not isinstance(output, Tensor) or not output.is_floating_point():
        return None
    width = _attribute(network, "num_features", None)
    if output.ndim == 3:
        if width is not None and output.shape[2] != width:  # queries, keys and values of an attention
            return None
        prefix = _attribute(network, "num_prefix_tokens", 0)
        side = round(max(output.shape[1] - prefix, 0) ** 0.5)
        if side < 2 or side * side != output.shape[1] - prefix:
            return None
        return output[:, prefix:].transpose(1, 2).unflatten(2, (side, side))
    if output.ndim != 4:
        return None
    if width is not None and output.shape[3] == width != output.shape[1]:
        output = output.permute(0, 3, 1, 2)
    # Squares have square maps; the heads of an attention are [N, heads, tokens, width].
    return output if output.shape[2] == output.shape[3] > 1 else None


def _many(gradient: Tensor | None) -> bool:
    """Whether the answer depends on the maps at more than one position."""
    return gradient is not None and int(gradient.abs().sum((0, 1)).count_nonzero()) > 1


def _attribute(network: Any, name: str, default: Any) -> Any:
    """An attribute of a network of timm, which may be the body of a backbone."""
    for holder in (network, getattr(getattr(network, "features", None), "body", None)):
        value = getattr(holder, name, None)
        if isinstance(value, int):
            return value
    return default


def _keeper(found: dict[str, list[Tensor]], name: str, network: nn.Module) -> Any:
    def keep(_module: nn.Module, _inputs: Any, output: Any) -> None:
        if as_maps(output, network) is not None and output.requires_grad:
            found.setdefault(name, []).append(output)

    return keep
