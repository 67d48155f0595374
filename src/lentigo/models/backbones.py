"""Published networks without their classifiers: images to feature maps.

Each keeps the key names of the library that it comes from, so that weights in those names fit it.
"""

from collections.abc import Callable, Sequence
from difflib import get_close_matches
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lentigo.errors import RunError
from lentigo.models.cutting import cut_short

__all__ = ["Backbone", "last_width", "one_stage", "timm_backbone", "torchvision_backbone"]

Maps = Callable[[Any, Tensor], Tensor]
Stages = Callable[[Any], list[Callable[[Tensor], Tensor]]]


class Backbone(nn.Module):
    """Images [N, 3, S, S] to feature maps [N, width, h, w].

    Attributes:
        body: the network under the key names of its library.
        width: channels of the maps.
        source: 'torchvision/NAME' or 'timm/NAME'.
        left_out: prefixes of the library's keys that this network does without on purpose.
        dropped: parts of the body, by the library's names, that it was cut short by; their keys are left out too.
        on_hub: whether the library's own ImageNet weights fit; they don't fit a variant.
    """

    def __init__(
        self,
        body: nn.Module,
        width: int,
        stages: Stages,
        *,
        source: str,
        left_out: Sequence[str],
        dropped: Sequence[str] = (),
        on_hub: bool = True,
    ) -> None:
        super().__init__()
        self.body: Any = body  # its attributes are those of its library
        self.width = width
        self._stages = stages
        self.source = source
        self.left_out = (*left_out, *(f"{part}." for part in dropped))
        self.dropped = tuple(dropped)
        self.on_hub = on_hub

    def forward(self, x: Tensor) -> Tensor:
        """Feature maps [N, width, h, w] of normalised images [N, 3, S, S]."""
        return self.run(x)

    def run(self, x: Tensor, start: int = 0, stop: int | None = None) -> Tensor:
        """What some of the stages, one after another, make of what the stages before them made."""
        for stage in self._stages(self.body)[start:stop]:
            x = stage(x)
        return x

    @property
    def frozen_stages(self) -> int:
        """How many stages, from the input on, hold nothing that trains. Their output can be kept and reused."""
        stages = self._stages(self.body)
        trains = [any(p.requires_grad for p in _parameters(stage)) for stage in stages]
        return trains.index(True) if True in trains else len(stages)

    def frozen_state(self) -> list[Tensor]:
        """Weights and statistics of the frozen stages, which decide their output."""
        modules = map(_module, self._stages(self.body)[: self.frozen_stages])
        return [tensor for module in modules if module for tensor in module.state_dict().values()]

    @property
    def blocks(self) -> list[nn.Module]:
        """The parts that have weights, from input to output, to be frozen or not."""
        return [block for block in _unrolled(self.body) if next(block.parameters(), None) is not None]

    def last_blocks(self, parts: Sequence[str]) -> int:
        """How many blocks, counted from the end, hold all of some parts of the body; 0 for no part."""
        inside = {module for part in parts for module in self.body.get_submodule(part).modules()}
        first = [i for i, block in enumerate(self.blocks) if block in inside]
        return len(self.blocks) - first[0] if first else 0


def one_stage(maps: Maps) -> Stages:
    """Stages of a network that cannot be cut: it is one stage as a whole."""

    def whole(body: Any) -> list[Callable[[Tensor], Tensor]]:
        stage: Any = partial(maps, body)
        stage.module = body
        return [stage]

    return whole


def _module(stage: Any) -> nn.Module | None:
    """Of a stage that is a module, or that names its module; a plain function has none."""
    return stage if isinstance(stage, nn.Module) else getattr(stage, "module", None)


def _parameters(stage: Any) -> list[nn.Parameter]:
    module = _module(stage)
    return [] if module is None else list(module.parameters())


def _unrolled(module: nn.Module) -> list[nn.Module]:
    """Children, those of plain sequences in their place."""
    children: list[nn.Module] = []
    for child in module.children():
        children += _unrolled(child) if type(child) is nn.Sequential else [child]
    return children


def torchvision_backbone(
    name: str,
    *,
    stride_on_first: bool = False,
    conv_biases: bool = False,
    tensorflow_padding: bool = False,
    batch_norm_eps: float | None = None,
    blocks: int | None = None,
    **options: object,
) -> Backbone:
    """A network of torchvision with random weights: any VGG, ResNet, DenseNet or MobileNet.

    Args:
        name: as torchvision spells it.
        stride_on_first: bottlenecks halve the map in their first convolution, as in He et al. (v1) and Keras, and not
            in the second as torchvision does (v1.5). Weights of one kind fail quietly in the other.
        conv_biases: every convolution that feeds a batch norm gets a bias, as in Keras' ResNet. The batch norm
            takes it out again, so it adds parameters and nothing else.
        tensorflow_padding: convolutions with stride 2 are padded at the bottom and right only, as in TensorFlow.
        batch_norm_eps: epsilon of all batch norms; Keras' DenseNet has 1.001e-5.
        blocks: how many of its blocks stay, counted without the stem; all that follows them is dropped, the wide last
            convolution too. Without it the network is whole. MobileNets, EfficientNets and ResNets can be cut so.
        options: for torchvision, such as `width_mult=0.35` for mobilenet_v2.

    Raises:
        RunError: torchvision has no such network, it is of another family, or it doesn't take the options, such as
            more blocks than it has.
    """
    from torchvision import models

    if name not in models.list_models(models):
        near = get_close_matches(name, models.list_models(models), n=1)
        raise RunError(f"torchvision has no network {name!r}.", f"Did you mean {near[0]!r}?" if near else "")
    try:
        body = models.get_model(name, weights=None, **options)
    except TypeError as error:
        raise RunError(f"torchvision/{name}: {error}.", "Omit that option.") from None
    stages, classifier = _family(body, name)
    delattr(body, classifier)
    source = f"torchvision/{name}"
    dropped = [] if blocks is None else cut_short(body, blocks, source)
    width = last_width(body)
    if stride_on_first:
        _stride_on_first(body, name)
    if conv_biases:
        _add_biases(body)
    if tensorflow_padding:
        _pad_like_tensorflow(body)
    if batch_norm_eps is not None:
        for norm in _batch_norms(body):
            norm.eps = batch_norm_eps
    variant = stride_on_first or conv_biases or tensorflow_padding or bool(options)
    return Backbone(
        body, width, stages, source=source, left_out=[f"{classifier}."], dropped=dropped, on_hub=not variant
    )


def _family(body: Any, name: str) -> tuple[Stages, str]:
    """The stages of a network of torchvision, and the name of its classifier."""
    from torchvision.models import DenseNet, ResNet

    if isinstance(body, ResNet):
        return _resnet_stages, "fc"
    if isinstance(body, DenseNet):
        return _densenet_stages, "classifier"
    if hasattr(body, "features") and hasattr(body, "classifier"):
        return _features_stages, "classifier"
    raise RunError(f"torchvision/{name} is of a family that lentigo cannot split into blocks.", f"Try timm/{name}.")


def _resnet_stages(body: Any) -> list[Callable[[Tensor], Tensor]]:
    layers = (block for layer in (body.layer1, body.layer2, body.layer3, body.layer4) for block in layer)
    return [body.conv1, body.bn1, body.relu, body.maxpool, *layers]


def _densenet_stages(body: Any) -> list[Callable[[Tensor], Tensor]]:
    return [*body.features, F.relu]


def _features_stages(body: Any) -> list[Callable[[Tensor], Tensor]]:
    return list(body.features)


def last_width(body: nn.Module) -> int:
    """Channels of the last maps: of the last layer that has channels."""
    last = [m for m in body.modules() if isinstance(m, nn.Conv2d | nn.BatchNorm2d)][-1]
    return last.out_channels if isinstance(last, nn.Conv2d) else last.num_features


def _stride_on_first(body: Any, name: str) -> None:
    from torchvision.models.resnet import Bottleneck

    strided = [m for m in body.modules() if isinstance(m, Bottleneck) and m.conv2.stride == (2, 2)]
    if not strided:
        raise RunError(f"torchvision/{name} has no bottlenecks.", "Omit stride_on_first.")
    for block in strided:
        block.conv1.stride, block.conv2.stride = (2, 2), (1, 1)


def _add_biases(body: nn.Module) -> None:
    for module in body.modules():
        if isinstance(module, nn.Conv2d) and module.bias is None:
            module.bias = nn.Parameter(module.weight.new_zeros(module.out_channels))


class _TensorFlowConv2d(nn.Conv2d):
    """A 3x3 convolution with stride 2, padded at the bottom and right."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(F.pad(x, (0, 1, 0, 1)))


def _pad_like_tensorflow(body: nn.Module) -> None:
    for module in list(body.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.Conv2d) and child.stride == (2, 2) and child.padding == (1, 1):
                padded = _TensorFlowConv2d(
                    child.in_channels, child.out_channels, 3, 2, groups=child.groups, bias=child.bias is not None
                )
                padded.load_state_dict(child.state_dict())
                setattr(module, name, padded)


def _batch_norms(body: nn.Module) -> list[nn.BatchNorm2d]:
    return [module for module in body.modules() if isinstance(module, nn.BatchNorm2d)]


def timm_backbone(name: str, *, blocks: int | None = None, **options: Any) -> Backbone:
    """Any network of timm with random weights; layers that work on the pooled features are left out.

    The features of transformers are laid out as maps again; class tokens are left out.

    Args:
        name: as timm spells it.
        blocks: as in `torchvision_backbone`, of EfficientNets and MobileNets.
        options: for timm.

    Raises:
        RunError: timm has no such network, or it doesn't take the options, such as more blocks than it has.
    """
    import timm

    if not timm.is_model(name):
        near = get_close_matches(name, timm.list_models(), n=1)
        raise RunError(f"timm has no network {name!r}.", f"Did you mean {near[0]!r}?" if near else "")
    try:
        body: Any = timm.create_model(name, pretrained=False, num_classes=0, **options)
        with torch.device("meta"):
            unused, channels_last = _inspect(timm.create_model(name, pretrained=False, num_classes=0, **options))
    except TypeError as error:
        raise RunError(f"timm/{name}: {error}.", "Omit that option.") from None
    for part in unused:
        setattr(body, part, nn.Identity())
    classifier = body.pretrained_cfg.get("classifier") or ()
    left_out = [classifier] if isinstance(classifier, str) else list(classifier)
    prefixes = [f"{part}." for part in (*left_out, *unused)]
    source = f"timm/{name}"
    dropped = [] if blocks is None else cut_short(body, blocks, source)
    width = body.num_features if blocks is None else last_width(body)
    stages = one_stage(_TimmMaps(channels_last, getattr(body, "num_prefix_tokens", 0)))
    return Backbone(body, width, stages, source=source, left_out=prefixes, dropped=dropped, on_hub=not options)


class _TimmMaps:
    """Features of any network of timm, as maps [N, width, h, w]."""

    def __init__(self, channels_last: bool, prefix_tokens: int) -> None:
        self.channels_last = channels_last
        self.prefix_tokens = prefix_tokens

    def __call__(self, body: Any, x: Tensor) -> Tensor:
        features = body.forward_features(x)
        if features.ndim == 3:
            features = features[:, self.prefix_tokens :].transpose(1, 2)
            side = round(features.shape[2] ** 0.5)
            return features.unflatten(2, (side, features.shape[2] // side))
        return features.permute(0, 3, 1, 2) if self.channels_last else features


def _inspect(body: Any) -> tuple[list[str], bool]:
    """Of a network on the meta device: its children with weights but no part in its maps, and the maps' layout.

    Returns:
        Names of those children, and whether the maps are [N, h, w, width].
    """
    used: set[nn.Module] = set()
    for module in body.modules():
        module.register_forward_hook(lambda module, _inputs, _output: used.add(module))
    features = body.eval().forward_features(torch.zeros(1, *body.pretrained_cfg["input_size"], device="meta"))
    unused = [
        name
        for name, child in body.named_children()
        if next(child.parameters(), None) is not None and used.isdisjoint(child.modules())
    ]
    return unused, features.ndim == 4 and features.shape[1] != body.num_features
