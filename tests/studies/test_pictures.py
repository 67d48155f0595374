"""Grad-CAM against the case in which it is known: a pooled linear head, whose class-activation map it equals."""

import torch

from lentigo import models
from lentigo.studies.pictures import grad_cam


def test_grad_cam_of_a_pooled_linear_head_is_its_class_activation_map():
    torch.manual_seed(0)
    network = models.build("torchvision/resnet18").eval()
    images = torch.randn(3, 3, 64, 64)
    heat, answers = grad_cam(network, images)
    with torch.no_grad():
        maps = torch.relu(network.maps(images)[range(3), answers])
        assert answers == network(images).argmax(1).tolist()
    tallest = maps.amax((1, 2), keepdim=True)
    expected = torch.nn.functional.interpolate((maps / tallest)[:, None], (64, 64), mode="bilinear")
    assert torch.allclose(torch.from_numpy(heat), expected[:, 0], atol=1e-4)
    assert 0 <= heat.min() < heat.max() <= 1
