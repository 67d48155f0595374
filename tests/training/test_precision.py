"""Strided depthwise convolutions are computed in 32 bits while training, and are as before afterwards."""

import pytest
import torch
from torch import nn

from lentigo import models, training
from lentigo.training.precision import strided_depthwise_in_float32

MIXED = training.Recipe(precision="bfloat16")


def outputs(network: nn.Module) -> dict[str, torch.dtype]:
    """Type of what each convolution of a network gives under autocast."""
    found: dict[str, torch.dtype] = {}
    hooks = [
        module.register_forward_hook(lambda m, i, o, name=name: found.__setitem__(name, o.dtype))
        for name, module in network.named_modules()
        if isinstance(module, nn.Conv2d)
    ]
    with torch.autocast("cpu", torch.bfloat16), torch.no_grad():
        network(torch.zeros(2, 3, 32, 32))
    for hook in hooks:
        hook.remove()
    return found


def test_only_depthwise_convolutions_with_a_stride_are_in_32_bits() -> None:
    network = models.build("torchvision/mobilenet_v2", 7, blocks=4)
    slow = {
        name
        for name, module in network.named_modules()
        if isinstance(module, nn.Conv2d) and module.groups > 1 and module.stride[0] > 1
    }
    keys, before = list(network.state_dict()), outputs(network)
    assert set(before.values()) == {torch.bfloat16}
    with strided_depthwise_in_float32(network, MIXED, torch.device("cpu")):
        inside = outputs(network)
        assert list(network.state_dict()) == keys
    assert {name for name, kind in inside.items() if kind == torch.float32} == slow
    assert len(slow) == 2
    assert outputs(network) == before
    assert all(type(module) is nn.Conv2d for module in network.modules() if isinstance(module, nn.Conv2d))


def test_the_gradient_is_that_of_32_bits() -> None:
    torch.manual_seed(0)
    conv = nn.Conv2d(8, 8, 3, stride=2, padding=1, groups=8)
    images = torch.rand(2, 8, 16, 16)
    conv(images).sum().backward()
    expected = conv.weight.grad
    assert expected is not None
    conv.weight.grad = None
    with strided_depthwise_in_float32(conv, MIXED, torch.device("cpu")), torch.autocast("cpu", torch.bfloat16):
        conv(images).sum().backward()
    assert conv.weight.grad is not None and torch.equal(conv.weight.grad, expected)


def test_other_devices_keep_their_kernels_and_an_error_restores() -> None:
    conv = nn.Conv2d(8, 8, 3, stride=2, groups=8)
    with strided_depthwise_in_float32(conv, MIXED, torch.device("cuda")):
        assert type(conv) is nn.Conv2d
    with pytest.raises(ValueError), strided_depthwise_in_float32(conv, MIXED, torch.device("cpu")):
        raise ValueError
    assert type(conv) is nn.Conv2d


@pytest.mark.parametrize(
    "recipe", [training.Recipe(), training.Recipe(precision="bfloat16", callbacks=["quantization_aware"])]
)
def test_neither_in_32_bits_nor_where_layers_are_rounded(recipe: training.Recipe) -> None:
    conv = nn.Conv2d(8, 8, 3, stride=2, groups=8)
    with strided_depthwise_in_float32(conv, recipe, torch.device("cpu")):
        assert type(conv) is nn.Conv2d
