"""Networks without memory: built on torch's 'meta' device, which knows shapes and no numbers."""

import torch
from torch import nn

from lentigo import models


def build(name: str, **options) -> nn.Module:
    with torch.device("meta"):
        return models.build(name, **options)


def batch_norm_channels(network: nn.Module) -> int:
    return sum(m.num_features for m in network.modules() if isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d))
