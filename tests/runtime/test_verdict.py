"""What a verdict says: never a diagnosis without a gradable image, never a decision without a threshold."""

import copy
import json
import math
import pickle
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from lentigo import labels, taxonomy
from lentigo.data.sources.synthetic.wrong import wrong_image
from lentigo.errors import DataError, ImageError
from lentigo.runtime import DECISIONS, Outputs, Risk, render
from lentigo.runtime.decisions import NEGATIVE, NO_THRESHOLD, NOT_GRADABLE, SUSPICIOUS, decide, views_differ
from lentigo.runtime.gradability import rejection_reasons

UNGRADABLE = {
    "white": np.full((150, 200, 3), 255, np.uint8),
    "black": np.zeros((150, 200, 3), np.uint8),
    "skin-coloured": np.full((150, 200, 3), (200, 150, 130), np.uint8),
    "green": np.full((150, 200, 3), (0, 255, 0), np.uint8),
    "one pixel": np.full((1, 1, 3), 90, np.uint8),
    "tiny": np.random.default_rng(0).integers(0, 256, (20, 20, 3), dtype=np.uint8),
    "noise": np.random.default_rng(0).integers(0, 256, (150, 200, 3), dtype=np.uint8),
    "blank where the model looks": np.pad(np.full((60, 60, 3), 128, np.uint8), ((0, 0), (60, 60), (0, 0))),
}


def test_probabilities_and_risks(classifier, photo):
    verdict = classifier.classify(photo)
    assert verdict.classes == taxonomy.CLASSES
    assert set(verdict.probabilities) == set(taxonomy.CLASSES)
    assert sum(verdict.probabilities.values()) == pytest.approx(1, abs=1e-5)
    ranked = [p for _, p in verdict.diagnoses]
    assert ranked == sorted(ranked, reverse=True)
    assert verdict.diagnoses[0][0] == taxonomy.DIAGNOSES[verdict.top].name
    assert verdict.melanoma == verdict.probabilities["mel"] == verdict.risks["melanoma"].at_balanced_prior
    assert verdict.malignancy == pytest.approx(sum(verdict.probabilities[c] for c in ("akiec", "bcc", "mel")))
    assert verdict.raw["probabilities"]["mel"] == round(verdict.melanoma, 6)
    assert verdict.top in repr(verdict) or verdict.diagnoses[0][0] in repr(verdict)


class TestNotGradable:
    @pytest.mark.parametrize("what", UNGRADABLE)
    def test_there_is_no_diagnosis_and_no_risk(self, classifier, what):
        verdict = classifier.classify(UNGRADABLE[what])
        assert (verdict.gradable, verdict.decision) == (False, NOT_GRADABLE)
        assert verdict.rejection_reasons
        assert verdict.top is verdict.melanoma is verdict.malignancy is verdict.probabilities is None
        assert verdict.diagnoses == []
        assert verdict.risks == {}
        assert "Not gradable" in verdict.next_step
        assert "not gradable" in repr(verdict)

    def test_the_raw_values_stay(self, classifier):
        raw = classifier.classify(UNGRADABLE["white"]).raw
        assert sum(raw["probabilities"].values()) == pytest.approx(1, abs=1e-4)
        assert raw["diagnosis"] == max(raw["probabilities"], key=raw["probabilities"].get)

    @pytest.mark.parametrize(
        ("what", "words"),
        [("tiny", "20x20 pixels are fewer than"), ("one pixel", "1x1"), ("blank where the model looks", "blank")],
    )
    def test_the_reason_is_named(self, classifier, what, words):
        assert words in classifier.classify(UNGRADABLE[what]).rejection_reasons[0]

    @pytest.mark.parametrize("kind", ["scene", "radiograph", "text"])
    def test_what_shows_no_lesion(self, classifier, kind):
        verdict = classifier.classify(wrong_image(kind, seed=1))
        assert "unlike the dermoscopic training images" in verdict.rejection_reasons[0]
        assert verdict.ood_score > verdict.ood_threshold

    def test_a_prevalence_changes_nothing_of_it(self, classifier):
        verdict = classifier.classify(UNGRADABLE["white"], prevalence=dict.fromkeys(taxonomy.CLASSES, 1))
        assert (verdict.decision, verdict.probabilities) == (NOT_GRADABLE, None)

    @pytest.mark.parametrize("value", [np.nan, np.inf])
    def test_a_model_that_gives_no_numbers(self, altered, photo, value, monkeypatch):
        broken = altered()
        good = broken.bundle.predict
        monkeypatch.setattr(
            broken.bundle, "predict", lambda x: Outputs(np.full((1, 7), value, np.float32), *good(x)[1:])
        )
        verdict = broken.classify(photo)
        assert verdict.rejection_reasons == ("the model gives no probabilities for it",)
        assert json.loads(json.dumps(verdict.to_dict(), allow_nan=False))["raw"]["diagnosis"] is None

    def test_it_has_no_heat_map(self, classifier):
        with pytest.raises(ImageError, match="not gradable"):
            classifier.classify(UNGRADABLE["white"]).heatmap("mel")


def test_a_score_that_is_no_number_is_out_of_distribution():
    noise = np.random.default_rng(0).integers(0, 256, (90, 90, 3), dtype=np.uint8)
    reasons = rejection_reasons(noise, np.full(7, 1 / 7, np.float32), np.nan, size=32, ood_threshold=1.0)
    assert "unlike the dermoscopic training images" in reasons[0]


def test_only_the_central_square_counts_as_blank():
    edges = np.full((60, 180, 3), 128, np.uint8)
    edges[:, :60:2], edges[:, 120::2] = 0, 255
    middle = edges[:, [*range(60, 120), *range(60), *range(120, 180)]]
    for image, blank in ((edges, True), (middle, False)):
        reasons = rejection_reasons(image, np.full(7, 1 / 7, np.float32), 0.0, size=32, ood_threshold=1.0)
        assert bool(reasons) == blank


class TestDecision:
    def test_a_model_without_thresholds_decides_nothing(self, altered, photo):
        verdict = altered(operating_points=()).classify(photo)
        assert verdict.decision == NO_THRESHOLD
        assert "no threshold" in verdict.operating_point
        assert "has no threshold" in verdict.next_step
        assert all(r.threshold is None and r.suspicious is None for r in verdict.risks.values())

    def test_a_threshold_that_is_lacking_is_named(self, altered, classifier, photo):
        points = [p for p in classifier.bundle.metadata.operating_points if p.target == "melanoma"]
        assert "no threshold for malignancy" in altered(operating_points=tuple(points)).classify(photo).operating_point

    @pytest.mark.parametrize(("threshold", "decision"), [(0.0, SUSPICIOUS), (1.0, NEGATIVE)])
    def test_it_follows_the_threshold(self, altered, classifier, photo, threshold, decision):
        points = [p.model_copy(update={"threshold": threshold}) for p in classifier.bundle.metadata.operating_points]
        assert altered(operating_points=tuple(points)).classify(photo).decision == decision

    def test_the_reason_for_none_is_given(self, altered, photo):
        lacks = {"melanoma": "validation shows none"}
        words = altered(operating_points=(), no_operating_point=lacks).classify(photo).operating_point
        assert "melanoma: validation shows none" in words

    def test_a_threshold_is_compared_in_its_own_view(self, altered, classifier, photo):
        (point, *_) = classifier.bundle.metadata.operating_points
        point = point.model_copy(update={"view": "training_prevalence"})
        risk = altered(operating_points=(point,)).classify(photo).risks[point.target]
        shares = dict(zip(taxonomy.CLASSES, classifier.bundle.metadata.training_prevalence, strict=True))
        stated = classifier.classify(photo, prevalence=shares).risks[point.target]
        assert risk.threshold_view == "training prevalence"
        assert risk.at_threshold_view == pytest.approx(stated.at_stated_prevalence)
        assert risk.at_threshold_view != pytest.approx(risk.at_balanced_prior, rel=1e-3)

    def test_the_threshold_itself_is_suspicious(self):
        risk = Risk(0.5, None, threshold=0.5, threshold_view="balanced prior", at_threshold_view=0.5)
        assert decide({"melanoma": risk}) == SUSPICIOUS

    def test_none_of_the_words_reassures(self):
        assert set(DECISIONS) == {"suspicious", "negative at threshold", "no threshold", "not gradable"}

    def test_no_result_reassures(self, classifier, synthetic_records):
        for path in synthetic_records.table["path"][:10]:
            verdict = classifier.classify(path)
            assert "needs a clinician regardless of this result" in verdict.next_step
            assert "no need" not in verdict.next_step


def test_a_model_without_an_ood_score_says_so(classifier, photo, monkeypatch):
    verdict = replace(classifier.classify(photo), ood_score=None, ood_threshold=None)
    assert "cannot detect images that don't show a lesion" in verdict.next_step
    assert verdict.to_dict()["ood_threshold"] is None
    for some in ([verdict], [verdict, verdict]):
        assert "".join(render(some, "table")).count("cannot detect images") == 1
    said = []
    monkeypatch.setattr("PIL.ImageDraw.ImageDraw.text", lambda self, at, text, **how: said.append(text))
    verdict.overlay()
    assert "cannot detect images" in " ".join(said)


class TestViews:
    SHARES = dict.fromkeys(taxonomy.CLASSES, 0.05) | {"nv": 0.7}

    def test_bayes(self, classifier, photo):
        plain, stated = classifier.classify(photo), classifier.classify(photo, prevalence=self.SHARES)
        ratio = stated.probabilities["nv"] / stated.probabilities["mel"]
        assert ratio == pytest.approx(14 * plain.probabilities["nv"] / plain.probabilities["mel"])
        assert (plain.view, stated.view) == ("balanced prior", "stated prevalence")

    def test_both_views_stand_beside_the_threshold(self, classifier, photo):
        plain, stated = classifier.classify(photo), classifier.classify(photo, prevalence=self.SHARES)
        assert stated.decision == plain.decision
        for target, risk in stated.risks.items():
            assert risk.at_balanced_prior == plain.risks[target].at_balanced_prior
            assert risk.at_stated_prevalence == getattr(stated, target)
            assert risk.threshold_view == "balanced prior"
            assert risk.suspicious == (risk.at_balanced_prior >= risk.threshold)

    @pytest.mark.parametrize("balanced", [0.05, 0.3])
    def test_a_risk_on_the_other_side_of_its_threshold_is_explained(self, balanced):
        risk = Risk(balanced, 0.35 - balanced, 0.2, "balanced prior", balanced, 0.95)
        words = views_differ({"melanoma": risk})
        for value in (balanced, 0.35 - balanced, 0.2):
            assert f"{value:.4f}" in words
        assert views_differ({"melanoma": Risk(balanced, balanced, 0.2, "balanced prior", balanced, 0.95)}) == ""


class TestLabels:
    def test_diagnoses_are_found_by_any_name(self, classifier, photo):
        verdict = classifier.classify(photo)
        for name in ("mel", "MEL", "melanoma", "malignant melanoma"):
            assert (verdict.heatmap(name) == verdict.heatmap("mel")).all()
        with pytest.raises(DataError, match="no label 'melanosis'"):
            verdict.heatmap("melanosis")

    def test_a_model_that_knows_no_melanoma(self, classifier, photo):

        verdict = replace(
            classifier.classify(photo), _labels=labels.BINARY, probabilities={"benign": 1, "malignant": 0}
        )
        assert verdict.melanoma is None
        assert verdict.malignancy == 0


def test_it_pickles_and_copies(classifier, photo):
    verdict = classifier.classify(photo)
    for again in (pickle.loads(pickle.dumps(verdict)), copy.deepcopy(verdict)):
        assert again == verdict
        assert again.overlay().size == verdict.overlay().size


def test_it_holds_no_pixels_of_a_file(classifier, photo, tmp_path):
    large = tmp_path / "large.png"
    Image.open(photo).resize((1200, 900)).save(large)
    assert len(pickle.dumps(classifier.classify(large))) < 20_000


def test_a_file_that_changed_has_no_heat_map(classifier, photo, tmp_path):
    path = tmp_path / "lesion.png"
    Image.open(photo).save(path)
    verdict = classifier.classify(path)
    Image.new("RGB", (200, 150)).save(path)
    with pytest.raises(ImageError, match="has changed"):
        verdict.overlay()
    path.unlink()
    with pytest.raises(ImageError, match="has changed"):
        verdict.overlay()


def test_an_array_that_is_filled_again_keeps_its_heat_map(classifier, photo):
    frame = np.asarray(Image.open(photo)).copy()
    verdict = classifier.classify(frame)
    before = verdict.overlay()
    frame[:] = 0
    assert verdict.overlay() == before


def test_json_knows_no_special_numbers(classifier, photo):
    values = classifier.classify(photo).to_dict()
    assert json.loads(json.dumps(values, allow_nan=False)) == values
    assert math.isfinite(values["ood_score"])
