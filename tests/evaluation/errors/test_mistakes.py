"""Missed melanomas come first, one image a lesion, and a planted wrong label is found."""

import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from lentigo import evaluation, taxonomy
from lentigo.errors import DataError
from lentigo.evaluation.errors.mistake_sheet import draw_mistakes, write_mistakes
from lentigo.evaluation.errors.mistakes import KINDS, Mistakes, find_mistakes
from tests.evaluation.imagined import make, of

INDEX = {c: i for i, c in enumerate(taxonomy.CLASSES)}


def said(pairs, lesions=None, sure=4.0):
    """Predictions of (truth, decision) pairs."""
    labels = [INDEX[t] for t, _ in pairs]
    logits = np.zeros((len(pairs), 7))
    logits[np.arange(len(pairs)), [INDEX[d] for _, d in pairs]] = sure
    return of(labels, logits, lesions)


def test_kinds_in_order():
    pairs = [
        ("nv", "bkl"),
        ("nv", "bcc"),
        ("akiec", "nv"),
        ("mel", "bcc"),
        ("mel", "nv"),
        ("bcc", "akiec"),
        ("nv", "nv"),
    ]
    found = find_mistakes(said(pairs))
    assert [(c.truth, c.decision) for c in found.worst[:4]] == [
        ("mel", "nv"), ("mel", "bcc"), ("akiec", "nv"), ("nv", "bcc")
    ]  # fmt: skip
    assert list(found.images_of_kind.values()) == [1, 1, 1, 1, 2]
    assert {(c.truth, c.decision) for c in found.worst[4:]} == {("nv", "bkl"), ("bcc", "akiec")}


def test_surest_first_and_one_image_a_lesion():
    predictions = said([("mel", "nv")] * 4, lesions=[0, 0, 1, 2])
    logits = np.zeros((4, 7))
    logits[:, INDEX["nv"]] = [2, 5, 3, 4]
    predictions = of(predictions.labels, logits, [0, 0, 1, 2])
    found = find_mistakes(predictions)
    assert [c.image_id for c in found.worst] == ["I00001", "I00003", "I00002"]
    assert [c.same_lesion for c in found.worst] == [1, 0, 0]
    assert found.images_of_kind[KINDS[0]] == 4
    assert len(find_mistakes(predictions, per_kind=2).worst) == 2


def test_confusions_count_images_and_lesions():
    predictions = said([("nv", "mel"), ("nv", "mel"), ("nv", "nv"), ("bcc", "nv")], lesions=[0, 0, 1, 2])
    found = find_mistakes(predictions).confusions
    assert [(c.truth, c.decision, c.images, c.lesions) for c in found] == [("nv", "mel", 2, 1), ("bcc", "nv", 1, 1)]
    assert found[0].share == pytest.approx(2 / 3)


def test_a_wrong_label_is_suspected():
    """Of a sure model, five labels were exchanged: they are the label issues, the most certain first."""
    clean = make(500, seed=1, skill=6.0)
    wrong = np.flatnonzero(clean.labels == INDEX["nv"])[:5]
    table = clean.table.copy()
    right = clean.probabilities.argmax(axis=1) == clean.labels
    assert right[wrong].all()
    table.loc[wrong, "dx"] = "vasc"
    found = find_mistakes(evaluation.Predictions(table, clean.meta))
    label_issues = {s.image_id: s for s in found.label_issues}
    for image_id in table.loc[wrong, "image_id"]:
        assert (label_issues[image_id].given, label_issues[image_id].suggested) == ("vasc", "nv")
    margins = [s.margin for s in found.label_issues]
    assert margins == sorted(margins, reverse=True)
    assert "Usually the model is wrong" in found.caution


def test_no_suspect_without_confidence():
    """A model that leans to another diagnosis less than it does on that one's own images accuses nobody."""
    labels = [INDEX["nv"]] * 20 + [INDEX["mel"]] * 10
    logits = np.zeros((30, 7))
    logits[np.arange(30), labels] = 5
    logits[0] = 0
    logits[0, INDEX["mel"]] = 0.5
    assert find_mistakes(of(labels, logits)).label_issues == ()


def test_what_is_unknown_stays_empty():
    predictions = said([("mel", "nv")])
    assert set(find_mistakes(predictions).worst[0].known.values()) == {""}
    known = evaluation.Predictions(predictions.table.assign(age=55.0, sex="unknown", site=None), predictions.meta)
    assert find_mistakes(known).worst[0].known["age"] == "55"
    assert find_mistakes(known).worst[0].known["sex"] == ""


def test_a_picture_and_json_of_a_run(trained_run, tmp_path):
    found = find_mistakes(evaluation.predict_part(trained_run, "test"), per_kind=3)
    picture, text = write_mistakes(found, trained_run.records, tmp_path / "out")
    assert {p.name for p in (tmp_path / "out").iterdir()} == {"mistakes.png", "mistakes.json"}
    assert Mistakes.from_json(text.read_text()) == found
    assert json.loads(text.read_text())["worst"][0]["kind"] in KINDS
    with Image.open(picture) as image:
        assert np.asarray(image.convert("L")).std() > 10


def test_an_unreadable_image_is_named_in_its_place(trained_run, tmp_path):
    found = find_mistakes(evaluation.predict_part(trained_run, "test"), per_kind=1)
    table = trained_run.records.table.assign(path=str(tmp_path / "gone.jpg"))
    figure = draw_mistakes(found, replace(trained_run.records, table=table))
    texts = [t.get_text() for part in figure.subfigs for ax in part.axes for t in ax.texts]
    assert sum("gone.jpg" in t for t in texts) == len(found.worst)


def test_nothing_to_draw():
    with pytest.raises(DataError, match="no errors"):
        draw_mistakes(find_mistakes(said([("nv", "nv"), ("mel", "mel")])), None)


def test_neighbours_are_the_nearest_answers_one_a_lesion():
    predictions, reference = make(200, seed=1), make(300, seed=2)
    found = find_mistakes(predictions, reference=reference)
    assert found.worst
    assert not any(case.alike for case in find_mistakes(predictions).worst)
    lesion = reference.table.set_index("image_id")["lesion_id"]
    for case in found.worst:
        answer = np.array([case.probabilities[c] for c in taxonomy.CLASSES])
        distance = np.sqrt(np.clip(1 - np.sqrt(reference.probabilities * answer).sum(axis=1), 0, 1))
        assert case.alike[0].distance == pytest.approx(distance.min())
        assert len({lesion[n.image_id] for n in case.alike}) == 3
        assert list(case.alike) == sorted(case.alike, key=lambda n: n.distance)
