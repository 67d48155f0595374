"""The models that ship: found by name, not shadowed, and giving the verdicts that they gave."""

import json
import sys
from pathlib import Path

import pytest

from lentigo import Classifier
from lentigo.errors import BundleError
from lentigo.export import POLICIES
from lentigo.runtime import Bundle, describe_models, shipped, shipped_models
from lentigo.runtime.packed import pack
from lentigo.runtime.shipped import find_bundle, licence_file

sys.path.insert(0, str(Path(__file__).parent.parent.parent / "tools"))
import golden
import ship


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
        with pytest.raises(BundleError) as caught:
            Classifier.load(name)
        assert "Did you mean 'lentigo-s'" in caught.value.hint
        assert all(shipped in caught.value.hint for shipped in shipped_models())


@pytest.mark.parametrize("name", shipped_models())
class TestEachModelThatShips:
    def test_opens_and_is_complete(self, name):
        metadata = Bundle(shipped_models()[name]).metadata
        assert metadata.name == name
        assert metadata.parity["same_top_class"] >= POLICIES[metadata.precision].same_top_class
        assert "CC BY-NC 4.0" in metadata.licence
        assert licence_file(name).exists()

    @pytest.mark.parametrize("number", range(len(golden.IMAGES)))
    def test_gives_the_verdicts_that_it_gave(self, name, number):
        """In int8 processors differ in how they round sums of products, hence the tolerance."""
        saved = json.loads((golden.FOLDER / f"{name}.json").read_text(encoding="utf-8"))
        classifier = Classifier.load(name)
        assert saved["sha256"] == classifier.sha256, "run: python tools/golden.py"
        verdict, before = classifier.classify(golden.drawn(*golden.IMAGES[number])), saved["verdicts"][number]
        assert list(verdict.raw["probabilities"]) == list(before["probabilities"])
        assert verdict.raw["probabilities"] == pytest.approx(before["probabilities"], abs=0.02)
        assert verdict.ood_score == pytest.approx(before["ood_score"], abs=5e-3)
        if all(abs(risk.at_threshold_view - risk.threshold) > 0.01 for risk in verdict.risks.values()):
            assert (verdict.decision, verdict.top) == (before["decision"], before["top"])


def test_nothing_that_goes_with_them_is_missing():
    assert list(ship.lacking()) == [], "run: python tools/ship.py"
    names = [path.name.rpartition(".onnx")[0] for path in licence_file("x").parent.glob("*.onnx*")]
    assert len(names) == len(set(names)), "one model ships as two files"


def test_a_file_put_beside_them_ships(tmp_path, monkeypatch):
    monkeypatch.setattr(shipped, "_FOLDER", tmp_path)
    with pytest.raises(BundleError) as caught:
        Classifier.load("lentigo-n")
    assert "None ships" in caught.value.hint
    monkeypatch.undo()
    content = shipped_models()["lentigo-s"].read_bytes()
    (tmp_path / "lentigo-n.onnx.zst").write_bytes(pack(content))
    (tmp_path / "lentigo-m.onnx").write_bytes(content)
    monkeypatch.setattr(shipped, "_FOLDER", tmp_path)
    assert Classifier.load("lentigo-n").sha256 == Classifier.load("lentigo-m").sha256
    heads = [line for line in describe_models().splitlines() if not line.startswith(" ")]
    assert heads == ["lentigo-m", "lentigo-n"]
    assert [line.partition(":")[0] for line in ship.lacking()].count("lentigo-n") == 3  # licence, verdicts, card
    text = ship.licence(Bundle(tmp_path / "lentigo-n.onnx.zst"))
    assert "CC BY-NC 4.0" in text and "isic2019" in text and "Apache License 2.0" in text and "Combalia" in text
