import re

import pytest

from lentigo import texts
from lentigo.errors import DataError
from lentigo.runtime import DECISIONS, NOTICE
from lentigo.taxonomy import DIAGNOSES, FURTHER

REASSURES = re.compile(r"harmless|to worry|no need|safe\b|all clear|inofensiv|tranquil|no hace falta", re.I)


def test_languages_have_the_same_texts_and_values():
    english = texts.catalogue("en")
    for language in texts.LANGUAGES[1:]:
        other = texts.catalogue(language)
        assert list(other) == list(english)
        for key, text in english.items():
            assert set(re.findall(r"\{\w+\}", text)) == set(re.findall(r"\{\w+\}", other[key])), key
            assert other[key].strip() == other[key] != "", key


@pytest.mark.parametrize("language", texts.LANGUAGES)
def test_no_text_reassures(language):
    assert [key for key, text in texts.catalogue(language).items() if REASSURES.search(text)] == []


@pytest.mark.parametrize("language", texts.LANGUAGES)
def test_every_decision_and_diagnosis_has_its_texts(language):
    found = texts.catalogue(language)
    assert all(f"decision.{decision}" in found for decision in DECISIONS)
    for diagnosis in (*DIAGNOSES.values(), *FURTHER.values()):
        assert f"name.{diagnosis.name}" in found and f"plain.{diagnosis.name}" in found


def test_the_runtime_speaks_from_the_catalogue():
    assert texts.text("notice") == NOTICE
    assert texts.text("reason.small", width=20, height=10, size=64).startswith("20x10 pixels")


def test_an_unknown_language():
    with pytest.raises(DataError, match="no texts in 'fr'"):
        texts.text("notice", "fr")
