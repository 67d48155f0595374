"""Transfer learning: a published backbone under a new head.

A backbone can be frozen as a whole or but for its last blocks; batch norms of frozen parts then keep the statistics
that they came with, in training too.
"""

from collections.abc import Callable, Sequence
from functools import partial

from torch import Tensor, nn

from lentigo.errors import RunError
from lentigo.models.backbones import Backbone, timm_backbone, torchvision_backbone
from lentigo.models.heads import HEADS, HiddenHead, LinearHead, NormHead, PooledHead
from lentigo.models.registry import Entry, register, register_library
from lentigo.normalisation import IMAGENET, Normalisation

__all__ = ["MappedTransfer", "Transfer", "mobilenetv2_tl", "resnet50_tl", "vgg16_tl"]


class Transfer(nn.Module):
    """A backbone and a head.

    Attributes:
        features: the backbone, images [N, 3, S, S] to maps [N, C, h, w].
        head: maps to logits [N, classes].
    """

    def __init__(self, features: Backbone, head: nn.Module) -> None:
        super().__init__()
        self.features = features
        self.head = head

    def forward(self, x: Tensor) -> Tensor:
        """Logits [N, classes] of normalised images [N, 3, S, S]."""
        return self.head(self.features(x))

    def frozen_part(self, x: Tensor) -> Tensor:
        """What the frozen stages make of normalised images: the means of the last maps where nothing else is used."""
        maps = self.features.run(x, stop=self.features.frozen_stages)
        return maps.mean((2, 3)) if self._pooled else maps

    def trainable_part(self, kept: Tensor) -> Tensor:
        """Logits [N, classes] of the outputs of `frozen_part`; both together are `forward`."""
        if self._pooled:
            return self.head.classify(kept)  # type: ignore[operator]
        return self.head(self.features.run(kept, start=self.features.frozen_stages))

    @property
    def _pooled(self) -> bool:
        return isinstance(self.head, PooledHead) and not any(p.requires_grad for p in self.features.parameters())

    def freeze(self, unfrozen: int = 0) -> None:
        """Freeze the backbone but for its last `unfrozen` blocks; see `Backbone.blocks`."""
        blocks = self.features.blocks
        if not 0 <= unfrozen <= len(blocks):
            raise RunError(
                f"This backbone has {len(blocks)} blocks; {unfrozen} cannot be unfrozen.",
                "Ask for fewer: unfrozen_blocks.",
            )
        self.features.requires_grad_(False)
        for block in blocks[len(blocks) - unfrozen :]:
            block.requires_grad_(True)
        self.train(self.training)

    def train(self, mode: bool = True) -> "Transfer":
        """Set training or inference mode; batch norms with frozen weights stay in inference mode."""
        super().train(mode)
        for module in self.features.modules():
            if isinstance(module, nn.BatchNorm2d) and not module.weight.requires_grad:
                module.eval()
        return self


class MappedTransfer(Transfer):
    """A backbone and a linear head, whose class-activation maps are exact."""

    head: LinearHead

    @property
    def classifier(self) -> nn.Module:
        """The linear layer on the pooled features."""
        return self.head.classify[-1]

    def maps(self, x: Tensor) -> Tensor:
        """Class-activation maps [N, classes, h, w]; their mean over space plus the bias is the logit."""
        return self.head.class_maps(self.features(x))


def _build(backbone: Callable[..., Backbone], num_classes: int, head: str = "linear", **options: object) -> Transfer:
    """Put a head by name on a backbone."""
    if head not in HEADS:
        raise RunError(f"Unknown head {head!r}.", f"Heads: {', '.join(HEADS)}.")
    features = backbone(**options)
    kind = MappedTransfer if head == "linear" else Transfer
    return kind(features, HEADS[head](features.width, num_classes))


@register_library
def torchvision(name: str) -> Entry:
    """Entry of 'torchvision/NAME'."""
    builder = partial(_build, partial(torchvision_backbone, name))
    summary = f"torchvision's {name} without its classifier, under a head of your choice."
    return Entry(f"torchvision/{name}", builder, 224, True, 7, _of_torchvision(name), summary)


def _of_torchvision(name: str) -> Normalisation | None:
    """What the weights that lentigo takes from torchvision were trained with; None for an unknown network."""
    from torchvision.models import get_model_weights

    try:
        preset = get_model_weights(name)["IMAGENET1K_V1"].transforms()
    except (ValueError, KeyError):
        return None
    return Normalisation(_triple(preset.mean), _triple(preset.std))


@register_library
def timm(name: str) -> Entry:
    """Entry of 'timm/NAME', with the size and normalisation that its weights were trained with."""
    from timm.models import get_pretrained_cfg, is_model

    config = get_pretrained_cfg(name) if is_model(name) else None
    size = config.input_size[-1] if config else 224
    normalisation = Normalisation(_triple(config.mean), _triple(config.std)) if config else None
    any_size = not (config and config.fixed_input_size)
    builder = partial(_build, partial(timm_backbone, name))
    summary = f"timm's {name} without its classifier, under a head of your choice."
    return Entry(f"timm/{name}", builder, size, any_size, 7, normalisation, summary)


def _triple(values: Sequence[float]) -> tuple[float, float, float]:
    red, green, blue = values
    return red, green, blue


@register(size=224, normalisation=IMAGENET)
def vgg16_tl(num_classes: int = 2) -> Transfer:
    """VGG16 from ImageNet under dense 256, dropout 0.5: binary_melanoma's figure 6."""
    features = torchvision_backbone("vgg16")
    return Transfer(features, HiddenHead(features.width, num_classes))


@register(size=224, normalisation=IMAGENET)
def mobilenetv2_tl(num_classes: int = 2) -> Transfer:
    """MobileNetV2 from ImageNet under dense 256, dropout 0.5: binary_melanoma's figure 7."""
    features = torchvision_backbone("mobilenet_v2")
    return Transfer(features, HiddenHead(features.width, num_classes))


@register(size=224, normalisation=IMAGENET)
def resnet50_tl(num_classes: int = 7, stride_on_first: bool = False, conv_biases: bool = False) -> Transfer:
    """ResNet50 from ImageNet under batch norm and dense 32: efficient_cnn's baseline.

    With `conv_biases` it has the published 23,661,703 parameters. Without, as everywhere in torch, it has 26,560
    fewer: Keras' ResNet gives each convolution a bias although the batch norm behind it takes it out again.
    """
    features = torchvision_backbone("resnet50", stride_on_first=stride_on_first, conv_biases=conv_biases)
    return Transfer(features, NormHead(features.width, num_classes))
