"""Which layers mind being quantized, and which of them are kept."""

import pytest

from lentigo import compression
from lentigo.compression.quantization.graph import find_layers, load_graph
from lentigo.compression.quantization.sensitivity import LayerSensitivity, Sensitivity


def test_every_layer_alone_in_int8(parent, synthetic_records):
    found = compression.sensitivity(parent, synthetic_records, images=20)
    assert [layer.name for layer in found.layers] == [layer.name for layer in find_layers(load_graph(parent))]
    assert found.images == 20
    assert all(0 <= layer.divergence < 1 and layer.ood_score >= 0 for layer in found.layers)
    assert max(layer.divergence for layer in found.layers) > 0
    most = max(found.layers, key=lambda layer: layer.divergence)
    share = (most.weights + 1) / sum(layer.weights for layer in found.layers)
    assert found.keep(share)[0] == most.name
    assert found.keep(0.0) == ()
    assert found.to_markdown().splitlines()[2].startswith(f"| {most.name} |")
    with pytest.raises(Exception, match="Unknown calibration"):
        compression.sensitivity(parent, synthetic_records, images=5, calibration="x")


def test_a_single_layer_between_two_that_are_kept_is_kept_too():
    """A change to integers for one layer, and back to floats, takes longer than the layer itself."""
    weights, divergences = (10, 15, 10, 30, 50, 10, 500), (9, 1, 8, 2, 3, 7, 4)
    scan = zip("abcdefg", weights, divergences, strict=True)
    layers = tuple(LayerSensitivity(name, "Conv", (w, 1), d, 0.0, None) for name, w, d in scan)
    found = Sensitivity(layers, images=1)
    total = sum(weights)
    assert found.keep(50 / total) == ("a", "c", "f", "b")  # not "d" and "e": two layers in integers are worth it
    assert found.keep(40 / total) == ("a", "c", "f")  # no room for it
    assert found.keep(20 / total) == ("a", "c")
