"""Backbones that end early: the first blocks of a published network, without the later ones and what follows them."""

from typing import Any

from torch import nn

from lentigo.errors import RunError

__all__ = ["cut_short"]


def cut_short(body: nn.Module, blocks: int, source: str) -> list[str]:
    """Drop, in place, what a network has behind its first blocks, such as the wide convolution in front of its head.

    A block is what the network repeats: an inverted residual of MobileNet or EfficientNet, a residual block of ResNet.
    The stem, which comes before them, is not counted.

    Args:
        body: a network of torchvision or timm, without its classifier.
        blocks: how many stay, from 1 to all.
        source: what an error calls the network.

    Returns:
        Names of the parts that were dropped, under the library's key names, from input to output.

    Raises:
        RunError: the network is of a family that can't be cut, or it doesn't have so many blocks.
    """
    names = _blocks(body)
    if not names:
        raise RunError(
            f"{source} can't be cut short.",
            "Omit blocks, or use a MobileNet, EfficientNet or ResNet of torchvision, or an EfficientNet or MobileNet "
            "of timm.",
        )
    if type(blocks) is not int or not 1 <= blocks <= len(names):
        raise RunError(
            f"{source} has {len(names)} blocks, and {blocks!r} of them can't be kept.",
            f"Set blocks to a whole number from 1 to {len(names)}.",
        )
    return _drop_behind(body, names[blocks - 1])


def _blocks(body: Any) -> list[str]:
    """Names of a network's blocks, from input to output; none of a family that isn't known."""
    from timm.models.efficientnet import EfficientNet
    from timm.models.mobilenetv3 import MobileNetV3
    from torchvision.models import efficientnet, mobilenetv2, mobilenetv3, resnet

    if isinstance(body, EfficientNet | MobileNetV3):  # their kinds of block are many, their place is one
        return [
            f"blocks.{i}.{j}" for i, stage in enumerate(body.blocks.children()) for j, _ in enumerate(stage.children())
        ]
    kinds = (
        mobilenetv2.InvertedResidual,
        mobilenetv3.InvertedResidual,
        efficientnet.MBConv,
        efficientnet.FusedMBConv,
        resnet.BasicBlock,
        resnet.Bottleneck,
    )
    return [name for name, module in body.named_modules() if isinstance(module, kinds)]


def _drop_behind(module: nn.Module, last: str) -> list[str]:
    """Drop the parts with weights that come after the one called `last`; these families register them in order."""
    first, _, rest = last.partition(".")
    names = [name for name, _ in module.named_children()]
    dropped = [f"{first}.{name}" for name in _drop_behind(module.get_submodule(first), rest)] if rest else []
    for name in names[names.index(first) + 1 :]:
        if next(module.get_submodule(name).parameters(), None) is not None:
            setattr(module, name, nn.Sequential())
            dropped.append(name)
    return dropped
