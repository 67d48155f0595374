"""Networks are found by name, and wrong names and options are answered with the right ones."""

import sys

import pytest
from torch import nn

from lentigo import models
from lentigo.errors import RunError
from lentigo.models import registry
from lentigo.models.registry import register
from lentigo.normalisation import IMAGENET


def test_every_network_can_be_described():
    for name in models.names():
        entry = models.entry(name)
        assert models.describe(name) == entry.summary
        assert entry.name == name
        assert entry.size in (28, 64, 100, 224, 299)


def test_native_sizes_are_as_published():
    sizes = {"compressed_cnn": 28, "efficient_cnn": 224, "explainable_cnn": 100, "melanoma_cnn": 224}
    assert {name: models.entry(name).size for name in sizes} == sizes
    assert models.entry("melanoma_cnn").num_classes == models.entry("vgg16_tl").num_classes == 2


def test_a_near_miss_is_named():
    with pytest.raises(RunError, match="Did you mean 'compact'"):
        models.build("compatc")
    with pytest.raises(RunError, match="timm/NAME"):
        models.build("xyz")


def test_an_unknown_option_is_answered_with_the_known_ones():
    with pytest.raises(RunError, match=r"depth.*Its options: dropout"):
        models.build("compact", depth=3)
    with pytest.raises(RunError, match="It has no options"):
        models.build("vgg16_tl", depth=3)


def test_a_new_module_in_the_package_is_found(tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text(
        "from torch import nn\nfrom lentigo.models.registry import register\n\n"
        '@register\ndef my_net(num_classes=7):\n    "One layer."\n    return nn.Linear(3, num_classes)\n'
    )
    monkeypatch.setattr(models, "__path__", [str(tmp_path)])
    monkeypatch.setattr(registry, "_ENTRIES", dict(registry._ENTRIES))
    models._discover()
    monkeypatch.delitem(sys.modules, "lentigo.models.mine")
    assert models.build("my_net").out_features == 7


def test_two_networks_cannot_share_a_name():
    def compact(num_classes: int = 7) -> nn.Module:
        """Another."""
        return nn.Identity()

    with pytest.raises(ValueError, match="compact"):
        register(compact)


def test_library_entries_say_what_their_weights_expect():
    entry = models.entry("timm/mobilenetv3_small_100")
    assert (entry.size, entry.any_size, entry.normalisation) == (224, True, IMAGENET)
    transformer = models.entry("timm/vit_tiny_patch16_224")
    assert not transformer.any_size
    assert transformer.normalisation is not None
    assert transformer.normalisation.mean == (0.5, 0.5, 0.5)
    assert "mobilenet_v2" in models.describe("torchvision/mobilenet_v2")


def test_options_come_from_words():
    words = ["head=hidden", "stride_on_first=true", "filters=[16, 32]"]
    assert models.parse_options(words) == {"head": "hidden", "stride_on_first": True, "filters": [16, 32]}
    with pytest.raises(RunError, match="not a network option"):
        models.parse_options(["head"])
    with pytest.raises(RunError, match="'head' is stated twice"):
        models.parse_options(["head=hidden", "head=none"])
