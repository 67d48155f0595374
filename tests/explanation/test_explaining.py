"""One call for any method, model and diagnosis: what it gives, what it refuses, and that it needs no torch."""

import io
import subprocess
import sys
from dataclasses import FrozenInstanceError

import numpy as np
import pytest
from PIL import Image

from lentigo import Classifier
from lentigo.errors import BundleError, DataError, ImageError, MissingExtraError, RunError
from lentigo.explanation import METHODS, Explanation, draw_explanation, explain, of_verdict
from lentigo.explanation.network import Network
from lentigo.runtime import Bundle, is_heatmap
from tests.explanation.conftest import COLOURS, Colours

ANY_MODEL = ("cam", "occlusion", "rise")


@pytest.fixture(scope="module")
def photo(synthetic_records):
    return synthetic_records.table["path"][0]


class TestOnABundle:
    @pytest.mark.parametrize("method", ANY_MODEL)
    def test_any_diagnosis(self, bundle_path, photo, method):
        found = explain(photo, method, "melanoma", model=bundle_path)
        assert found.target == "mel"
        assert found.size == (150, 200)
        assert found.square == (25, 0, 150)
        assert found.map.dtype == np.float32
        assert np.isfinite(found.map).all()
        assert found.model_sha256 == Bundle(bundle_path).sha256
        assert found.parameters == METHODS[method].parameters

    def test_its_class_activation_map_is_exact(self, bundle_path, photo):
        verdict = Classifier.load(bundle_path).classify(photo)
        for target in (None, "mel"):
            found = explain(photo, "cam", target, model=bundle_path)
            assert found.target == (target or verdict.top)
            np.testing.assert_array_equal(found.heat(), verdict.heatmap(target))
            np.testing.assert_array_equal(of_verdict(verdict, target).map, found.map)

    def test_no_method_that_looks_inside(self, bundle_path, photo):
        with pytest.raises(RunError, match="looks inside the network"):
            explain(photo, "grad_cam", model=bundle_path)

    def test_without_torch(self, bundle_path, photo):
        code = (
            "import sys; from lentigo.explanation import explain, METHODS; "
            f"[explain({str(photo)!r}, m, model={str(bundle_path)!r}) for m in {ANY_MODEL}]; "
            "assert 'grad_cam' in METHODS; sys.exit('torch' in sys.modules or 'pandas' in sys.modules)"
        )
        assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


class TestOnARun:
    @pytest.mark.parametrize("method", [*ANY_MODEL, "grad_cam", "grad_cam_pp", "layer_cam", "score_cam"])
    def test_every_method(self, trained_run, photo, method):
        found = explain(photo, method, "nv", model=trained_run)
        assert found.target == "nv"
        assert found.model == "compact"
        assert np.isfinite(found.map).all()

    def test_its_maps_are_the_bundles(self, trained_run, bundle_path, photo):
        ours, theirs = (explain(photo, "cam", "nv", model=m).map for m in (trained_run.path, bundle_path))
        np.testing.assert_allclose(ours, theirs, atol=1e-3)


class TestTheResult:
    def test_is_frozen(self, network, picture):
        found = explain(picture, "cam", model=network)
        with pytest.raises(FrozenInstanceError):
            found.target = "green"
        with pytest.raises(ValueError, match="read-only"):
            found.map[0, 0] = 1

    def test_never_holds_nan(self):
        with pytest.raises(BundleError, match="not finite"):
            Explanation(np.full((2, 2), np.nan), "red", "cam", {}, (4, 4), (0, 0, 4), "x", "m", "")

    def test_says_when_it_is_empty(self, network, picture):
        picture[:] = 100
        picture[0, 0] = (0, 90, 0)
        found = explain(picture, "cam", "red", model=network)
        assert found.empty
        assert "empty" in repr(found)
        assert not found.heat().any()
        assert found.to_dict()["empty"] is True

    def test_most_probable_without_a_target(self, network, picture):
        assert explain(picture, model=network).target == "red"

    def test_share_on_the_lesion(self, network, picture):
        found = explain(picture, "cam", "red", model=network)
        mask = np.zeros((16, 16), bool)
        mask[:6, :6] = True
        assert found.on_lesion(mask).share == pytest.approx(1, abs=0.05)
        assert found.on_lesion(~mask).share == pytest.approx(0, abs=0.05)
        assert found.on_lesion(mask).area == 36 / 256
        for wrong in (np.ones((8, 8)), np.zeros((16, 16)), np.zeros((16, 16, 3))):
            with pytest.raises(DataError, match="mask"):
                found.on_lesion(wrong)


class TestWhatItTakes:
    def test_bytes_files_pictures_and_arrays(self, network, picture):
        file = io.BytesIO()
        Image.fromarray(picture).save(file, "PNG")
        wanted = explain(picture, model=network).map
        for given in (file.getvalue(), Image.fromarray(picture), io.BytesIO(file.getvalue())):
            np.testing.assert_array_equal(explain(given, model=network).map, wanted)

    @pytest.mark.parametrize(
        ("changed", "match"),
        [
            ({"method": "grad-camm"}, "No method"),
            ({"target": "blue"}, "no label"),
            ({"method": "rise", "mask": 3}, "no parameter"),
            ({"method": "rise", "masks": "many"}, "can't work"),
            ({"method": "rise", "masks": 0}, "can't work"),
            ({"method": "rise", "keep": 1.0}, "can't work"),
            ({"method": "occlusion", "window": 2.0}, "can't cover"),
            ({"method": "occlusion", "window": float("nan")}, "can't work"),
            ({"method": "cam", "masks": 3}, "no parameter"),
        ],
    )
    def test_what_is_wrong_is_named(self, network, picture, changed, match):
        with pytest.raises(DataError, match=match):
            explain(picture, model=network, **changed)

    def test_no_heat_map_is_explained(self, network, picture, tmp_path):
        drawn = draw_explanation(explain(picture, model=network), picture)
        assert is_heatmap(drawn)
        with pytest.raises(ImageError, match="drawn by lentigo"):
            explain(drawn, model=network)

    @pytest.mark.parametrize("image", [np.full((16, 16, 3), 90, np.uint8), np.zeros((8, 30, 3), np.uint8)])
    def test_no_image_that_is_not_gradable_unless_asked(self, network, image):
        with pytest.raises(ImageError, match="not gradable"):
            explain(image, model=network)
        for method in METHODS:
            found = explain(image, method, "red", model=network, ungradable=True)
            assert np.isfinite(found.map).all()

    @pytest.mark.parametrize("missing", ["captum", "skimage"])
    @pytest.mark.parametrize("method", ["saliency", "lime"])
    def test_the_extra_is_named_where_it_is_missing(self, network, picture, monkeypatch, method, missing):
        monkeypatch.setitem(sys.modules, missing, None)
        with pytest.raises(MissingExtraError, match=r"\[explain\]"):
            explain(picture, method, model=network)

    def test_no_other_object(self, picture):
        with pytest.raises(BundleError, match="not a model"):
            explain(picture, model=Colours())

    def test_a_model_without_maps(self, picture):
        plain = Network(WithoutMaps(), COLOURS, size=16)
        with pytest.raises(BundleError, match="no class-activation maps"):
            explain(picture, "cam", model=plain)


class WithoutMaps(Colours):
    maps = property()  # hasattr is false
