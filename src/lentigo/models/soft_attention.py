"""The soft-attention networks that efficient_cnn's table III compares with.

Datta, Shaikh, Srihari, Gao, 'Soft-Attention Improves Skin Cancer Classification Performance', iMIMIC 2021. For three of
the five the published count tells where the attention sits, to the unit (tests hold that). For VGG16 and ResNet34 it
doesn't: they carry tens of millions more than backbone and attention have, in layers that neither paper prints; here
they are built as ResNet50 is.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lentigo.models.backbones import Backbone, one_stage, timm_backbone, torchvision_backbone
from lentigo.models.heads import AttentionHead
from lentigo.models.registry import register
from lentigo.models.transfer import Transfer
from lentigo.normalisation import IMAGENET, Normalisation

__all__ = ["densenet201_sa", "inception_resnet_v2_sa", "resnet34_sa", "resnet50_sa", "vgg16_sa"]

_SYMMETRIC = Normalisation((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))


def _attend(features: Backbone, num_classes: int) -> Transfer:
    return Transfer(features, AttentionHead(features.width, num_classes))


@register(size=224, normalisation=IMAGENET)
def vgg16_sa(num_classes: int = 7) -> Transfer:
    """VGG16 with soft attention on its last convolution; not the layers of the published 62,650,711."""
    features = torchvision_backbone("vgg16")
    del features.body.features[-1]  # the head pools
    return _attend(features, num_classes)


@register(size=224, normalisation=IMAGENET)
def resnet34_sa(num_classes: int = 7) -> Transfer:
    """ResNet34 with soft attention on its last maps; not the layers of the published 31,414,167."""
    return _attend(torchvision_backbone("resnet34"), num_classes)


@register(size=224, normalisation=IMAGENET)
def resnet50_sa(num_classes: int = 7, stride_on_first: bool = False, conv_biases: bool = False) -> Transfer:
    """ResNet50 with soft attention on its last maps; 23,911,319 parameters with Keras' biases."""
    features = torchvision_backbone("resnet50", stride_on_first=stride_on_first, conv_biases=conv_biases)
    return _attend(features, num_classes)


@register(size=224, any_size=False, normalisation=IMAGENET)
def densenet201_sa(num_classes: int = 7) -> Transfer:
    """DenseNet201 with soft attention inside its last block; 17,477,463 parameters, as published.

    The attention sits on the 128 channels of the bottleneck of the block's 29th layer: the published network was cut 28
    Keras layers before its end, which is in the middle of the block.
    """
    whole = torchvision_backbone("densenet201")
    block = whole.body.features.denseblock4
    cut = ["features.norm5.", "features.denseblock4.denselayer29.conv2."]
    del whole.body.features.norm5
    del block["denselayer29"].conv2
    for layer in (30, 31, 32):
        del block[f"denselayer{layer}"]
        cut.append(f"features.denseblock4.denselayer{layer}.")
    stages = one_stage(_densenet_bottleneck)
    features = Backbone(whole.body, 128, stages, source=whole.source, left_out=(*whole.left_out, *cut))
    return Transfer(features, AttentionHead(128, num_classes, positions=16))


def _densenet_bottleneck(body: Any, x: Tensor) -> Tensor:
    """Maps behind the second ReLU of the last layer that is left."""
    *trunk, block = body.features.children()
    for part in trunk:
        x = part(x)
    *layers, last = block.children()
    found = [x]
    for layer in layers:
        found.append(layer(found))
    return F.relu(last.norm2(last.conv1(F.relu(last.norm1(torch.cat(found, 1))))))


@register(size=299, any_size=False, normalisation=_SYMMETRIC)
def inception_resnet_v2_sa(num_classes: int = 7) -> Transfer:
    """Inception-ResNet-v2 with soft attention inside its last block but one; published with 47,535,287 parameters.

    The attention sits on one branch of 192 channels, in front of its ReLU: the published network was cut 28 Keras
    layers before its end, which is in the middle of the block. This one has 27,200 parameters more: Keras' batch norms
    have no scale here, torch's have one for each channel.
    """
    whole = timm_backbone("inception_resnet_v2")
    body = whole.body
    branch = body.repeat_2[8].branch0
    cut = ["repeat_2.8.branch1.", "repeat_2.8.conv2d.", "block8.", "conv2d_7b."]
    del body.repeat_2[8].branch1, body.repeat_2[8].conv2d, body.block8, body.conv2d_7b
    branch.bn.act = nn.Identity()
    stages = one_stage(_inception_branch)
    features = Backbone(body, 192, stages, source=whole.source, left_out=(*whole.left_out, *cut))
    return Transfer(features, AttentionHead(192, num_classes, positions=16))


def _inception_branch(body: Any, x: Tensor) -> Tensor:
    """Maps behind the one branch that is left of the last block."""
    *trunk, blocks = (child for name, child in body.named_children() if name in body.layer_names)
    for part in trunk:
        x = part(x)
    *whole, last = blocks
    for block in whole:
        x = block(x)
    return last.branch0(x)
