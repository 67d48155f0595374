"""Weights fit or say why not; nothing starts fresh in silence."""

import os
from pathlib import Path
from urllib.error import URLError

import pytest
import torch
from safetensors.torch import save_file

from lentigo import models
from lentigo.errors import RunError
from lentigo.models import load_weights
from lentigo.models.weights import Undrawn

SMALL = {"name": "torchvision/mobilenet_v2", "width_mult": 0.1}
REAL = os.environ.get("LENTIGO_WEIGHTS")
needs_real = pytest.mark.skipif(not REAL, reason="LENTIGO_WEIGHTS doesn't name a folder of converted weights")


def weights_of(network) -> dict[str, torch.Tensor]:
    return {k: v.clone() for k, v in network.features.body.state_dict().items()}


@pytest.fixture
def saved(tmp_path):
    def save(tensors: dict[str, torch.Tensor]) -> Path:
        save_file(tensors, tmp_path / "weights.safetensors")
        return tmp_path / "weights.safetensors"

    return save


def test_a_file_in_the_names_of_the_library_is_loaded_whole(saved):
    torch.manual_seed(0)
    theirs = models.build(**SMALL)
    tensors = weights_of(theirs)
    head = {"classifier.1.weight": torch.zeros(1000, 1280), "classifier.1.bias": torch.zeros(1000)}
    mine = models.build(**SMALL)
    loaded = load_weights(mine, saved(tensors | head))
    assert (loaded.source, loaded.fresh, loaded.left_out) == ("weights.safetensors", (), 2)
    assert loaded.tensors == len(tensors)
    assert len(loaded.sha256) == 64
    assert all(torch.equal(v, tensors[k]) for k, v in mine.features.body.state_dict().items())


def test_half_precision_is_widened(saved):
    network = models.build(**SMALL)
    halves = {k: v.half() if v.ndim == 4 else v for k, v in weights_of(network).items()}
    load_weights(network, saved(halves))
    first = network.features.body.features[0][0].weight
    assert first.dtype == torch.float32
    assert torch.equal(first, halves["features.0.0.weight"].float())


def test_counters_of_batches_may_be_missing(saved):
    network = models.build(**SMALL)
    tensors = {k: v for k, v in weights_of(network).items() if not k.endswith("num_batches_tracked")}
    assert load_weights(network, saved(tensors)).fresh == ()


def test_a_resnet_without_its_last_stage_says_what_starts_fresh(saved):
    torch.manual_seed(0)
    network = models.build("torchvision/resnet18")
    tensors = {k: v + 1 for k, v in weights_of(network).items() if not k.startswith("layer4.")}
    before = network.features.body.layer4[0].conv1.weight.clone()
    assert load_weights(network, saved(tensors)).fresh == ("layer4",)
    assert torch.equal(network.features.body.layer4[0].conv1.weight, before)
    assert torch.equal(network.features.body.conv1.weight, tensors["conv1.weight"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.pop("layer3.0.conv1.weight"), r"lacks layer3\.0\.conv1\.weight\."),
        (lambda t: [t.pop(k) for k in list(t) if k.startswith("layer3.")], "lacks layer3.* more"),
        (lambda t: t.pop("layer4.0.conv1.weight"), "lacks layer4"),
        (lambda t: t.update({"layer5.weight": torch.zeros(1)}), r"also contains layer5\.weight"),
        (lambda t: t.update({"bn1.bias": torch.zeros(3)}), r"bn1\.bias has shape \(3,\) and not \(64,\)"),
    ],
)
def test_weights_that_do_not_fit_change_nothing(saved, change, message):
    network = models.build("torchvision/resnet18")
    tensors = {k: v + 1 for k, v in weights_of(network).items()}
    change(tensors)
    before = weights_of(network)
    with pytest.raises(RunError, match=message):
        load_weights(network, saved(tensors))
    assert all(torch.equal(v, before[k]) for k, v in weights_of(network).items())


def test_networks_cut_in_the_middle_take_the_whole_network_s_weights(saved):
    import torchvision

    whole = torchvision.models.densenet201().state_dict()
    loaded = load_weights(models.build("densenet201_sa"), saved(whole))
    assert loaded.fresh == ()
    assert loaded.left_out > 2
    assert loaded.tensors + loaded.left_out == len(whole)


def test_a_network_without_backbone_takes_its_own_names(saved):
    theirs = models.build("efficient_cnn_reconstructed")
    mine = models.build("efficient_cnn_reconstructed")
    assert load_weights(mine, saved(dict(theirs.state_dict()))).left_out == 0
    assert all(torch.equal(v, theirs.state_dict()[k]) for k, v in mine.state_dict().items())
    with pytest.raises(RunError, match="no pretrained weights of ConvNet"):
        load_weights(mine)


def test_files_that_are_none(tmp_path):
    network = models.build(**SMALL)
    with pytest.raises(RunError, match="no such file"):
        load_weights(network, tmp_path / "absent.safetensors")
    (tmp_path / "text.safetensors").write_text("not weights")
    with pytest.raises(RunError, match="torchvision key names"):
        load_weights(network, tmp_path / "text.safetensors")


def test_without_a_connection_the_message_names_the_option(monkeypatch):
    import timm
    from torchvision.models._api import WeightsEnum

    def offline(*_args, **_kwargs):
        raise URLError("no route to host")

    network = models.build("torchvision/mobilenet_v2")
    small = models.build("timm/mobilenetv3_small_050")
    monkeypatch.setattr(WeightsEnum, "get_state_dict", offline)
    monkeypatch.setattr(timm, "create_model", offline)
    with pytest.raises(RunError, match=r"no route to host.*torchvision key names: --weights FILE"):
        load_weights(network)
    with pytest.raises(RunError, match=r"no route to host.*timm key names: --weights FILE"):
        load_weights(small)


def test_library_weights_are_not_forced_on_a_variant():
    with pytest.raises(RunError, match="don't fit this variant"):
        load_weights(models.build(**SMALL))
    with pytest.raises(RunError, match="don't fit this variant"):
        load_weights(models.build("resnet50_tl", stride_on_first=True))


@needs_real
@pytest.mark.parametrize(
    ("file", "name", "options", "fresh"),
    [
        ("mobilenetv2_100", "mobilenetv2_tl", {}, ()),
        ("mobilenetv2_035", "torchvision/mobilenet_v2", {"width_mult": 0.35, "tensorflow_padding": True}, ()),
        ("densenet169", "torchvision/densenet169", {"batch_norm_eps": 1.001e-5}, ()),
        ("resnet50_conv1-4", "resnet50_tl", {"stride_on_first": True}, ("layer4",)),
    ],
)
def test_converted_weights_fit(file, name, options, fresh):
    network = models.build(name, **options).eval()
    assert load_weights(network, Path(str(REAL)) / f"{file}.safetensors").fresh == fresh
    with torch.no_grad():
        assert network(torch.randn(1, 3, 224, 224)).isfinite().all()


@needs_real
def test_the_stride_of_converted_resnet50_matters():
    def pooled(first: bool) -> torch.Tensor:
        network = models.build("torchvision/resnet50", stride_on_first=first, blocks=13).eval()
        load_weights(network, Path(str(REAL)) / "resnet50_conv1-4.safetensors")
        return network.features(images).mean((2, 3))

    images = torch.rand(1, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        right, wrong = pooled(True), pooled(False)
    assert (wrong - right).norm() / right.norm() > 0.05


@pytest.mark.parametrize("name", ["compact", "mobilenetv2_tl", "efficient_cnn", "timm/vit_tiny_patch16_224"])
def test_a_network_built_without_drawing_is_the_same_once_its_weights_are_loaded(name):
    """Whatever a builder makes that is no weight, such as tables of positions, is made."""
    drawn = models.build(name).eval()
    with Undrawn():
        other = models.build(name)
    other.load_state_dict(drawn.state_dict())
    image = torch.rand(1, 3, models.entry(name).size, models.entry(name).size)
    with torch.no_grad():
        assert torch.equal(drawn(image), other.eval()(image))


def test_nothing_is_drawn_where_all_is_loaded():
    torch.manual_seed(0)
    before = torch.get_rng_state()
    with Undrawn():
        models.build("melanoma_cnn")
    assert torch.equal(before, torch.get_rng_state())
    models.build("melanoma_cnn")
    assert not torch.equal(before, torch.get_rng_state())
