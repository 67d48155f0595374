"""From files to verdicts, without torch."""

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lentigo import Classifier, taxonomy
from lentigo.data.sources.synthetic.wrong import wrong_image
from lentigo.errors import BundleError
from lentigo.runtime import Bundle, Failure, classify_files, render, shipped_models


@pytest.fixture(scope="module")
def classifier(bundle_path):
    return Classifier.load(bundle_path)


@pytest.fixture(scope="module")
def photo(synthetic_records):
    return synthetic_records.table["path"][0]


@pytest.fixture
def folder(tmp_path, synthetic_records):
    """Five images, one of them damaged, in two folders; and a text file that is none."""
    (tmp_path / "in" / "deep").mkdir(parents=True)
    for i, path in enumerate(synthetic_records.table["path"][:4]):
        place = tmp_path / "in" / ("deep" if i > 2 else ".")
        (place / f"{i}.jpg").write_bytes(Path(path).read_bytes())
    (tmp_path / "in" / "broken.jpg").write_bytes(b"not an image")
    (tmp_path / "in" / "notes.txt").write_text("not meant")
    return tmp_path / "in"


class TestVerdict:
    def test_probabilities_and_risks(self, classifier, photo):
        verdict = classifier.classify(photo)
        assert set(verdict.probabilities) == set(taxonomy.CLASSES)
        assert sum(verdict.probabilities.values()) == pytest.approx(1, abs=1e-5)
        ranked = [p for _, p in verdict.diagnoses]
        assert ranked == sorted(ranked, reverse=True)
        assert verdict.diagnoses[0][0] == taxonomy.DIAGNOSES[verdict.top].name
        assert verdict.melanoma == verdict.probabilities["mel"]
        assert verdict.malignancy == pytest.approx(sum(verdict.probabilities[c] for c in ("akiec", "bcc", "mel")))

    def test_every_kind_of_input_gives_the_same(self, classifier, photo):
        image = Image.open(photo)
        content = Path(photo).read_bytes()
        verdicts = [classifier.classify(s) for s in (photo, content, image, np.asarray(image))]
        assert all(v.probabilities == verdicts[0].probabilities for v in verdicts)

    def test_heat_map_covers_the_image_in_0_to_1(self, classifier, photo):
        verdict = classifier.classify(photo)
        for name in (None, "mel", "melanoma"):
            heat = verdict.heatmap(name)
            assert heat.shape == (150, 200)
            assert heat.dtype == np.float32
            assert heat.min() >= 0
            assert heat.max() <= 1
        assert (verdict.heatmap()[:, :25] == 0).all()  # the model sees the central square alone
        assert verdict.overlay().size == (200, 150)

    def test_stated_prevalence_follows_bayes(self, classifier, photo):
        share = dict.fromkeys(taxonomy.CLASSES, 0.05) | {"nv": 0.7}
        plain, stated = classifier.classify(photo), classifier.classify(photo, prevalence=share)
        ratio = stated.probabilities["nv"] / stated.probabilities["mel"]
        assert ratio == pytest.approx(14 * plain.probabilities["nv"] / plain.probabilities["mel"])
        assert stated.decision == plain.decision  # the threshold was chosen at equal prevalence

    @pytest.mark.parametrize(
        ("size", "colour", "words"), [((20, 20), None, "fewer than"), ((1, 1), None, "fewer"), ((99, 80), 7, "blank")]
    )
    def test_what_cannot_be_judged_is_said(self, classifier, size, colour, words):
        image = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
        verdict = classifier.classify(np.full_like(image, colour) if colour else image)
        assert not verdict.gradable
        assert words in verdict.reasons[0]
        assert "Not gradable" in verdict.next_step

    @pytest.mark.parametrize("kind", ["scene", "radiograph", "text"])
    def test_what_shows_no_lesion_is_said(self, classifier, kind):
        verdict = classifier.classify(wrong_image(kind, seed=1))
        assert not verdict.gradable
        assert "unlike the dermoscopic images" in verdict.reasons[0]
        assert verdict.to_dict()["ood_score"] == pytest.approx(verdict.ood_score, abs=1e-3)
        assert verdict.ood_score > classifier.bundle.metadata.ood_score.threshold

    def test_lesions_like_those_of_training_are_judged(self, classifier, trained_run):
        verdicts = [classifier.classify(p) for p in trained_run.split.validation.table["path"]]
        assert np.mean([v.gradable for v in verdicts]) > 0.9

    def test_no_result_reassures(self, classifier, synthetic_records):
        for path in synthetic_records.table["path"][:10]:
            verdict = classifier.classify(path)
            assert "needs a clinician regardless of this result" in verdict.next_step
            assert "no need" not in verdict.next_step


class TestLoading:
    def test_unknown_names_print_the_nearest(self):
        with pytest.raises(BundleError, match="lentigo-s" if shipped_models() else "none ships"):
            Classifier.load("lentigo_s")

    def test_torch_is_never_imported(self, bundle_path, photo):
        code = (
            "import sys, lentigo\n"
            "assert not {'torch', 'pandas', 'onnxruntime'} & set(sys.modules)\n"
            f"lentigo.Classifier.load({str(bundle_path)!r}).classify({photo!r}).overlay()\n"
            "assert not {'torch', 'pandas', 'sklearn'} & set(sys.modules)\n"
        )
        subprocess.run([sys.executable, "-c", code], check=True)


class TestManyFiles:
    def test_an_unreadable_file_is_a_row_and_the_rest_goes_on(self, bundle_path, folder, tmp_path):
        results = list(classify_files([folder], model=bundle_path, explain=tmp_path / "out"))
        assert [isinstance(r, Failure) for r in results] == [False, False, False, True, False]
        assert "broken.jpg" in results[3].error
        assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["0.png", "1.png", "2.png", "3.png"]

    def test_what_is_no_image_is_counted_on_standard_error(self, bundle_path, folder, capsys):
        (folder / "notes.txt").write_text("a mole on the back")
        (folder / "scan").write_bytes(bytes(128) + b"DICM")
        results = list(classify_files([folder], model=bundle_path))
        assert "DICOM" in next(r.error for r in results if r.source.endswith("scan"))
        assert "Not classified: 1 file that is no image (.txt 1)." in capsys.readouterr().err

    def test_an_absent_file_is_a_row(self, bundle_path, tmp_path):
        (result,) = classify_files([tmp_path / "absent.jpg"], model=bundle_path)
        assert "no such file" in result.error

    def test_pictures_of_one_name_do_not_overwrite_each_other(self, bundle_path, folder, tmp_path, photo):
        for place in ("deep/0.jpg", "0.png"):
            Image.open(photo).save(folder / place)
        list(classify_files([folder], model=bundle_path, explain=tmp_path / "out"))
        assert len(list((tmp_path / "out").iterdir())) == 6

    def test_they_agree_with_one_at_a_time(self, classifier, bundle_path, synthetic_records):
        paths = synthetic_records.table["path"][:9].tolist()
        for path, result in zip(paths, classify_files(paths, model=bundle_path), strict=True):
            alone = classifier.classify(path).probabilities
            assert list(result.probabilities.values()) == pytest.approx(list(alone.values()), abs=1e-6)


class TestRendering:
    @pytest.fixture
    def results(self, bundle_path, folder):
        return list(classify_files([folder], model=bundle_path))

    def test_json_is_an_object_a_line(self, results):
        lines = [json.loads(line) for line in "".join(render(results, "json")).splitlines()]
        assert [("error" in line) for line in lines] == [False, False, False, True, False]
        assert lines[0]["diagnosis"] == max(lines[0]["probabilities"], key=lines[0]["probabilities"].get)

    def test_csv_has_a_row_an_image(self, results):
        rows = list(csv.DictReader(io.StringIO("".join(render(results, "csv")))))
        assert len(rows) == 5
        assert rows[3]["diagnosis"] == ""
        assert "broken.jpg" in rows[3]["error"]
        assert float(rows[0]["melanoma"]) == pytest.approx(results[0].melanoma, abs=1e-6)

    def test_the_table_carries_the_notice(self, results):
        many = " ".join("".join(render(results, "table")).split())
        one = " ".join("".join(render(results[:1], "table")).split())
        for text in (many, one):
            assert "not a medical device" in text
            assert "equally common" in text
        assert "melanocytic nevus" in one


def test_the_shipped_models_open():
    for name, path in shipped_models().items():
        metadata = Bundle(path).metadata
        assert metadata.name == name
        assert metadata.parity["same_top_class"] == 1.0
        assert "CC BY-NC 4.0" in metadata.licence
        assert path.with_suffix(".LICENCE.txt").exists()
