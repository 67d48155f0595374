"""The report on one image, made in Python."""

import base64
import html
import re
from dataclasses import replace
from pathlib import Path

import pytest

import lentigo.page
from lentigo import Classifier
from lentigo.errors import DataError
from lentigo.page import report_html
from lentigo.runtime import is_heatmap

EXAMPLES = sorted((Path(lentigo.page.__file__).parent / "examples").glob("*.webp"))


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier.load(threads=1)


def words(report: str) -> str:
    text = re.sub(r"<[^>]+>", " ", re.sub(r"<style>.*?</style>", "", report))
    return " ".join(html.unescape(text).split())


def test_a_report_in_english(classifier):
    verdict = classifier.classify(EXAMPLES[0])
    said = words(report_html(verdict, classifier.bundle))
    assert verdict.decision == "suspicious" and "Suspicious" in said and "Have this lesion examined" in said
    assert "not a medical device" in said and "Evidence for: melanoma." in said
    assert "so that 95 of 100 reach it; 5 of 100 don't" in said and "As if all 7 diagnoses" in said
    assert verdict.model_sha256[:12] in said and str(EXAMPLES[0].parent) not in said, "a name, not a path"


def test_a_report_in_spanish_has_spanish_words_and_numbers(classifier):
    said = words(report_html(classifier.classify(EXAMPLES[0]), classifier.bundle, language="es", diagnosis="nv"))
    assert "Sospechosa" in said and "Siguiente paso" in said and "Indicios de: nevo melanocítico." in said
    assert re.search(r"\d,\d\s%", said) and not re.search(r"\d\.\d\s?%", said)


def test_an_image_that_is_not_gradable_has_neither_map_nor_probabilities(classifier):
    verdict = classifier.classify(EXAMPLES[2])
    assert not verdict.gradable
    english, spanish = (words(report_html(verdict, classifier.bundle, language=one)) for one in ("en", "es"))
    assert "Not gradable: it is out of distribution" in english and "Evidence for" not in english
    assert "No evaluable: está fuera de distribución" in spanish and "%" not in spanish
    assert re.search(r"puntuación OOD \d+,\d\d, umbral \d+,\d\d", spanish)


def test_a_stated_prevalence_is_said_and_a_different_view_too(classifier):
    shares = dict.fromkeys(classifier.labels.classes, 0.0001) | {"nv": 0.9994}
    verdict = classifier.classify(EXAMPLES[0], prevalence=shares)
    for language, note in (("en", "Note the different views"), ("es", "con la prevalencia")):
        said = words(report_html(verdict, classifier.bundle, language=language))
        assert note in said
    assert verdict.next_step == verdict.next_step_in("en")


def test_the_picture_is_tagged_and_nothing_is_loaded(classifier):
    report = report_html(classifier.classify(EXAMPLES[1]), classifier.bundle)
    (picture,) = re.findall(r"data:image/png;base64,([^\"]+)", report)
    assert is_heatmap(base64.b64decode(picture))
    assert "default-src 'none'" in report and not re.search(r"https?://|<script|<link", report)


def test_names_are_text_whatever_they_hold(classifier, tmp_path):
    path = tmp_path / '"><script>alert(1)<b>.webp'
    path.write_bytes(EXAMPLES[0].read_bytes())
    report = report_html(classifier.classify(path), classifier.bundle)
    assert "<script" not in report and "&lt;script&gt;alert(1)&lt;b&gt;.webp" in report


def test_unknown_languages_and_diagnoses(classifier):
    verdict = classifier.classify(EXAMPLES[0])
    with pytest.raises(DataError, match="no texts in 'fr'"):
        report_html(verdict, classifier.bundle, language="fr")
    with pytest.raises(DataError, match="unicorn"):
        report_html(verdict, classifier.bundle, diagnosis="unicorn")
    ungradable = classifier.classify(EXAMPLES[2])
    with pytest.raises(DataError, match="unicorn"):
        report_html(ungradable, classifier.bundle, diagnosis="unicorn")


def test_a_verdict_of_another_model_is_refused(classifier):
    """Its thresholds would be explained by a model that has others."""
    verdict = replace(classifier.classify(EXAMPLES[0]), model_sha256="0" * 64)
    with pytest.raises(DataError, match="judged by another model"):
        report_html(verdict, classifier.bundle)
