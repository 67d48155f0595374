"""A network whose maps are known by hand, and an image that has one thing in each corner."""

import numpy as np
import pytest
import torch
from torch import nn

from lentigo.explanation.network import Network
from lentigo.labels import Label, LabelSet
from lentigo.models import FlipTTA

SIDE = 16
COLOURS = LabelSet("colours", (Label("red", "redness", None), Label("green", "greenness", None)))


class Colours(nn.Module):
    """Logits: the mean of what is red, and that of what is green, times 8; maps of half the side."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 2, 1, bias=False), nn.ReLU(), nn.AvgPool2d(2))
        self.classifier = nn.Linear(2, 2)
        with torch.no_grad():
            # What is red is red without green, and vice versa: grey is neither.
            self.features[0].weight.copy_(torch.tensor([[1.0, -1, 0], [-1, 1, 0]])[..., None, None])
            self.classifier.weight.copy_(8 * torch.eye(2))
            self.classifier.bias.zero_()

    def forward(self, x):
        return self.classifier(self.features(x).mean((2, 3)))

    def maps(self, x):
        return torch.einsum("nchw,kc->nkhw", self.features(x), self.classifier.weight)


@pytest.fixture(scope="session")
def network():
    return Network(Colours(), COLOURS, size=SIDE, name="colours")


@pytest.fixture(scope="session")
def mirrored():
    return Network(FlipTTA(Colours()), COLOURS, size=SIDE, name="mirrored colours")


@pytest.fixture
def picture():
    """Grey, with a red square at the top left, and a green one at the bottom right, half as bright: [16, 16, 3]."""
    image = np.full((SIDE, SIDE, 3), 100, np.uint8)
    image[:4, :4] = (200, 0, 0)
    image[-4:, -4:] = (0, 100, 0)
    return image
