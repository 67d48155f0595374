"""The models that ship: found by name, not shadowed, and giving the verdicts that they gave."""

from pathlib import Path

import numpy as np
import pytest

from lentigo import Classifier
from lentigo.errors import BundleError
from lentigo.export import POLICIES
from lentigo.runtime import Bundle, shipped_models
from lentigo.runtime.shipped import find_bundle


class TestNames:
    def test_nothing_in_the_folder_shadows_a_model(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        Path("lentigo-s").mkdir()
        assert find_bundle("lentigo-s") == find_bundle() == shipped_models()["lentigo-s"]
        Path("lentigo-s").rmdir()
        Path("lentigo-s").write_text("a file")
        assert find_bundle("lentigo-s") == shipped_models()["lentigo-s"]

    def test_a_path_is_a_path(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        Path("lentigo-s").write_text("a file")
        for path in ("./lentigo-s", Path("lentigo-s"), str(tmp_path / "lentigo-s")):
            assert find_bundle(path).resolve() == tmp_path / "lentigo-s"
        Path("lentigo-s").unlink()
        with pytest.raises(BundleError, match="no such file"):
            Classifier.load(Path("lentigo-s"))
        Path("lentigo-s").mkdir()
        with pytest.raises(BundleError, match="a folder, not a bundle"):
            Classifier.load("./lentigo-s")

    @pytest.mark.parametrize("name", ["lentigo_s", "Lentigo-S", "lentigos", "lentigo"])
    def test_unknown_names_print_the_nearest(self, name):
        with pytest.raises(BundleError, match="Did you mean 'lentigo-s'"):
            Classifier.load(name)


def test_they_open():
    assert "lentigo-s" in shipped_models()
    for name, path in shipped_models().items():
        metadata = Bundle(path).metadata
        assert metadata.name == name
        assert metadata.parity["same_top_class"] >= POLICIES[metadata.precision].same_top_class
        assert "CC BY-NC 4.0" in metadata.licence
        assert path.with_suffix(".LICENCE.txt").exists()


def drawn(radius, edge, colour, wave, skin_colour):
    """A lesion by a few formulas, the same on every machine and in every version of the drawing code."""
    y, x = np.mgrid[:240, :320]
    angle = np.arctan2(y - 120, x - 160)
    rim = radius * (1 + wave * np.sin(3 * angle) + wave * np.cos(5 * angle + 1))
    inside = (1 / (1 + np.exp((np.hypot(y - 120, (x - 160) * 0.85) - rim) / edge)))[..., None]
    light = (1 - 0.0000025 * ((x - 160) ** 2 + (y - 120) ** 2))[..., None]
    texture = (6 * np.sin(x / 5.0) * np.sin(y / 6.0))[..., None]
    pixels = np.array(skin_colour) * (1 - inside) + (np.array(colour) + texture) * inside
    return (pixels * light).clip(0, 255).round().astype(np.uint8)


GOLDEN = (
    (
        (71, 5, (155, 91, 91), 0.05, (206, 161, 170)),
        ("negative at threshold", "nv"),
        (0.01003, 0.00215, 0.05368, 0.00794, 0.02626, 0.89536, 0.00459),
        0.9726,
    ),
    (
        (61, 15, (145, 62, 52), 0.19, (220, 165, 179)),
        ("suspicious", "nv"),
        (0.05453, 0.01292, 0.06434, 0.03022, 0.10689, 0.72981, 0.00129),
        0.9008,
    ),
    (
        (45, 4, (90, 55, 50), 0, (120, 90, 70)),
        ("not gradable", None),
        (0.00568, 0.0234, 0.04954, 0.02627, 0.0915, 0.6676, 0.13601),
        3.3205,
    ),
)
"""Image, decision and diagnosis, probabilities at balanced prior, OOD score: as lentigo-s gave them. Processors
differ in how they round sums of 8-bit products, hence the tolerance."""


@pytest.mark.parametrize(("image", "answer", "probabilities", "ood_score"), GOLDEN)
def test_lentigo_s_gives_the_verdicts_that_it_gave(image, answer, probabilities, ood_score):
    verdict = Classifier.load("lentigo-s").classify(drawn(*image))
    assert (verdict.decision, verdict.top) == answer
    assert list(verdict.raw["probabilities"].values()) == pytest.approx(
        probabilities, abs=0.02
    )  # in int8 processors differ in rounding
    assert verdict.ood_score == pytest.approx(ood_score, abs=5e-3)
