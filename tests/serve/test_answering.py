"""A worker's answers, in this process: parts that are not installed."""

import io
import sys

import pytest

from lentigo.audit_log import verify_audit_log
from lentigo.errors import MissingExtraError
from lentigo.runtime import Bundle, Classifier
from lentigo.serve import answering
from lentigo.serve.logs import Log


def test_fhir_without_its_extra_is_not_acceptable_and_is_no_failure(photos, bundle_path, monkeypatch):
    def lacking(*_, **__):
        raise MissingExtraError("FHIR", "clinic")

    monkeypatch.setattr(answering, "fhir_text", lacking)
    said = io.StringIO()
    worker = answering.Answering([str(bundle_path)], 4, 10**8, None, Log(stream=said))
    (answer,) = worker.answer({"model": 0, "names": ["a"], "fhir": "R5"}, photos[:1])
    assert answer.status == 406
    assert b"clinic" in answer.body
    assert said.getvalue() == ""


def test_an_audit_log_without_its_extra_is_refused_at_the_start(bundle_path, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "filelock", None)
    with pytest.raises(MissingExtraError, match="The audit log"):
        answering.Answering([str(bundle_path)], 4, 10**8, str(tmp_path / "log"), Log())


def test_a_whole_batch_is_computed_before_the_first_request(bundle_path, monkeypatch):
    """Else the first one waits for it, and memory grows when the first whole batch comes, hours later."""
    computed, predict = [], Bundle.predict

    def noted(bundle, images, **known):
        computed.append(images.shape)
        return predict(bundle, images, **known)

    monkeypatch.setattr(Bundle, "predict", noted)
    worker = answering.Answering([str(bundle_path)], 3, 10**8, None, Log())
    side = worker.models()[0]["size"]
    assert computed == [(3, side, side, 3)]


def test_an_image_that_breaks_a_batch_costs_only_itself(photos, bundle_path, monkeypatch, tmp_path):
    """Requests of several clients share a batch; each image is in the audit log once."""
    read = Classifier.classify_batch

    def breaking(classifier, images, **stated):
        if any(getattr(image, "name", "") == "bad" for image in images):
            raise MemoryError
        return read(classifier, images, **stated)

    monkeypatch.setattr(Classifier, "classify_batch", breaking)
    worker = answering.Answering([str(bundle_path)], 4, 10**8, str(tmp_path / "log"), Log(stream=io.StringIO()))
    answers = worker.answer({"model": 0, "names": ["a", "bad", "c"]}, photos[:3])
    assert [answer.status for answer in answers] == [200, 500, 200]
    assert verify_audit_log(tmp_path / "log").lines == 2


def test_an_answer_that_cannot_be_formed_costs_only_itself(photos, bundle_path, monkeypatch, tmp_path):
    form = answering._json

    def breaking(values):
        if isinstance(values, dict) and values.get("source") == "bad":
            raise ValueError
        return form(values)

    monkeypatch.setattr(answering, "_json", breaking)
    worker = answering.Answering([str(bundle_path)], 4, 10**8, str(tmp_path / "log"), Log(stream=io.StringIO()))
    answers = worker.answer({"model": 0, "names": ["a", "bad", "c"]}, photos[:3])
    assert [answer.status for answer in answers] == [200, 500, 200]
    assert verify_audit_log(tmp_path / "log").lines == 3
