import pickle
import re
from importlib.resources import files

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


def spoken() -> str:
    """The code of all that speaks from the catalogue: Python's modules and the page's."""
    found, folders = [], [files("lentigo")]
    while folders:
        for entry in folders.pop().iterdir():
            if entry.is_dir():
                folders.append(entry)
            elif entry.name.endswith((".py", ".js")):
                found.append(entry.read_text(encoding="utf-8"))
    return "\n".join(found)


def test_every_text_is_used_and_every_text_asked_for_exists():
    """Keys stand in quotes; a family is asked for by its first words (`name.${...}`, "page.does" with numbers)."""
    code, found = spoken(), set(texts.catalogue())
    quoted = set(re.findall(r"""["'`]([\w.]+)["'`]""", code))
    families = set(re.findall(r"`(\w[\w.]*)\.\$\{", code)) | {key for key in quoted if f"{key}.1" in found}
    refused = set(re.findall(r'Refusal\("([\w.]+)"', code))
    used = quoted | {f"{key}.step" for key in refused}
    assert [key for key in found if key not in used and not any(key.startswith(f"{f}.") for f in families)] == []
    asked = set(re.findall(r'\b(?:say|english|text)\("([a-z]\w*\.[\w. ]+)"', code)) | refused
    # A refusal's next step: a key of its own, or the service's own words.
    asked |= {
        f"{key}.step" for key in re.findall(r'Refusal\("([\w.]+)"(?:, \{[^}]*\})?\)', code) if key != "service.refused"
    }
    assert asked - found == set()
    assert all(any(key.startswith(f"{family}.") for key in found) for family in families)


def test_the_runtime_speaks_from_the_catalogue():
    assert texts.text("notice") == NOTICE
    assert texts.text("reason.small", width=20, height=10, size=64).startswith("20x10 pixels")


def test_a_text_can_be_said_in_another_language():
    said = texts.text("reason.ood", score="0.50", threshold="1.25")
    assert "OOD score 0.50, threshold 1.25" in said and "OOD 0,50, umbral 1,25" in said.said("es")
    assert said.said("es").said("en") == said == pickle.loads(pickle.dumps(said))
    assert pickle.loads(pickle.dumps(said)).said("es") == said.said("es")


def test_a_percentage_is_never_all_or_nothing():
    assert [texts.percent(p) for p in (0, 0.0004, 0.123, 0.9999, 1)] == ["<0.1%", "<0.1%", "12.3%", ">99.9%", ">99.9%"]
    assert [texts.percent(p) for p in (0.00049, 0.0005, 0.9994, 0.9995)] == ["<0.1%", "0.1%", "99.9%", ">99.9%"]
    assert texts.percent(0.123, "es") == "12,3\N{NO-BREAK SPACE}%"


def test_an_unknown_language():
    with pytest.raises(DataError, match="no texts in 'fr'"):
        texts.text("notice", "fr")


def test_a_name_that_looks_like_a_number_is_left_alone():
    assert texts.text("result.image", "es", name="12.5") == "La imagen 12.5"
    assert "0,86" in texts.text("result.ood", "es", score="0.86", threshold="1.14")
