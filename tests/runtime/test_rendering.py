"""Tables, JSON and CSV: every value in its place, names as they are, and nothing that a name could do to a terminal."""

import csv
import io
import json
import os
from pathlib import Path

import jsonschema
import numpy as np
import pytest

from lentigo import taxonomy
from lentigo.errors import DataError
from lentigo.runtime import classify_files, render, verdict_schema
from lentigo.runtime.decisions import printed
from lentigo.runtime.json_form import KEYS

SHARES = dict.fromkeys(taxonomy.CLASSES, 0.01) | {"nv": 0.94}
HOSTILE = (
    "lesion[left].jpg",
    "[/b].jpg",
    "[bold red]x[/].jpg",
    "two\nlines.jpg",
    "\x1b[31mred.jpg",
    'a,b"c;.jpg',
    "\u202egpj.jpg",
)


def text_of(results, style):
    return "".join(render(results, style))


@pytest.fixture
def results(classifier, folder):
    """Three verdicts, a failure, a verdict; one that is not gradable."""
    white = np.full((90, 90, 3), 255, np.uint8)
    return [*classify_files([folder], model=classifier.bundle.path), classifier.classify(white)]


@pytest.fixture
def stated(classifier, photo):
    return classifier.classify(photo, prevalence=SHARES)


class TestJson:
    def test_every_object_follows_the_schema(self, results, stated, altered, photo):
        schema = verdict_schema()
        jsonschema.Draft202012Validator.check_schema(schema)
        validator = jsonschema.Draft202012Validator(schema)
        lines = text_of([*results, stated, altered(operating_points=()).classify(photo)], "json").splitlines()
        assert len(lines) == 8
        for line in lines:
            validator.validate(json.loads(line))
            assert tuple(json.loads(line)) == KEYS == tuple(schema["required"]) == tuple(schema["properties"])

    def test_the_schema_refuses_what_must_not_be(self, results):
        validator = jsonschema.Draft202012Validator(verdict_schema())
        white = results[-1].to_dict()
        for change in ({"diagnosis": "nv"}, {"decision": "negative at threshold"}, {"melanoma": 0.1}, {"extra": 1}):
            assert not validator.is_valid(white | change)
        assert not validator.is_valid(results[0].to_dict() | {"decision": "benign"})

    def test_diagnoses_bear_their_codes(self, results):
        values = json.loads(text_of(results[:1], "json"))
        assert values["diagnosis"] == values["diagnoses"][0]["id"]
        assert values["diagnosis"] == max(values["probabilities"], key=values["probabilities"].get)
        for each in values["diagnoses"]:
            known = taxonomy.DIAGNOSES[each["id"]]
            assert (each["name"], each["snomed_ct"], each["malignant"]) == (
                known.name,
                known.snomed_ct,
                known.malignant,
            )

    def test_every_result_names_its_model(self, results, classifier):
        for line in text_of(results, "json").splitlines():
            values = json.loads(line)
            assert (values["model"], values["model_sha256"]) == ("tiny", classifier.bundle.sha256)

    def test_what_is_not_gradable_has_null_and_raw(self, results):
        values = json.loads(text_of(results[-1:], "json"))
        for key in ("diagnosis", "diagnoses", "probabilities", "melanoma", "malignancy", "risks", "view", "error"):
            assert values[key] is None
        assert values["raw"]["diagnosis"] in taxonomy.CLASSES
        assert values["rejection_reasons"]


class TestCsv:
    def test_a_row_an_image(self, results):
        rows = list(csv.DictReader(io.StringIO(text_of(results, "csv"))))
        assert len(rows) == 6
        assert float(rows[0]["melanoma"]) == pytest.approx(results[0].melanoma, abs=1e-6)
        assert float(rows[0]["mel"]) == float(rows[0]["melanoma"])

    def test_errors_and_reasons_have_columns_of_their_own(self, results):
        rows = list(csv.DictReader(io.StringIO(text_of(results, "csv"))))
        good, broken, white = rows[0], rows[3], rows[5]
        assert good["error"] == good["rejection_reasons"] == ""
        assert "broken.jpg" in broken["error"]
        assert broken["rejection_reasons"] == broken["decision"] == broken["gradable"] == ""
        assert white["error"] == ""
        assert "blank" in white["rejection_reasons"]
        assert (white["decision"], white["gradable"]) == ("not gradable", "False")
        for row in (broken, white):
            assert all(row[c] == "" for c in (*taxonomy.CLASSES, "diagnosis", "melanoma", "malignancy", "view"))

    def test_the_columns_are_the_same_whatever_comes_first(self, results):
        headers = {text_of(some, "csv").partition("\n")[0] for some in (results, results[3:4], results[5:])}
        assert len(headers) == 1
        assert headers.pop().startswith(
            "source,decision,diagnosis,akiec,bcc,bkl,df,mel,nv,vasc,melanoma,malignancy,view,"
        )

    def test_both_views_stand_in_a_row(self, stated):
        (row,) = csv.DictReader(io.StringIO(text_of([stated], "csv")))
        assert row["view"] == "stated prevalence"
        assert float(row["melanoma"]) == pytest.approx(stated.melanoma, abs=1e-6)
        risk = stated.risks["melanoma"]
        assert float(row["melanoma_at_balanced_prior"]) == pytest.approx(risk.at_balanced_prior, abs=1e-6)
        assert float(row["melanoma_threshold"]) == risk.threshold
        assert row["melanoma_threshold_view"] == "balanced prior"


class TestTable:
    def test_it_carries_the_notice_and_the_view(self, results):
        for some in (results, results[:1], results[-1:], results[3:4]):
            assert "not a medical device" in text_of(some, "table")
        assert "equally common" in text_of(results, "table")
        assert "melanocytic nevus" in text_of(results[:1], "table")

    def test_what_is_not_gradable_shows_no_diagnosis(self, results):
        text = text_of(results[-1:], "table")
        assert "not gradable" in text
        assert not any(d.name in text for d in taxonomy.DIAGNOSES.values() if d.id != "mel")

    def test_risks_and_thresholds_are_of_one_view(self, stated):
        text = text_of([stated], "table")
        for risk in stated.risks.values():
            assert f"{risk.at_balanced_prior:.4f}" in text.splitlines()[1]
            assert f"{risk.threshold:.4f} at balanced prior" in text
        assert "at stated prevalence: melanoma" in text.splitlines()[2]

    def test_rows_come_one_by_one(self, results):
        taken = []

        def watched():
            for result in results:
                taken.append(result)
                yield result

        pieces = iter(render(watched(), "table"))
        next(pieces), next(pieces)
        assert len(taken) == 1

    def test_no_probability_is_printed_as_0_or_1(self, classifier, photo):
        sure = dict.fromkeys(taxonomy.CLASSES, 1e-9) | {"nv": 1}
        text = text_of([classifier.classify(photo, prevalence=sure)], "table")
        assert "<0.0001" in text
        assert " 0.0000" not in text
        assert " 1.0000" not in text
        assert [printed(p) for p in (0.00004, 0.99994, 0.99995)] == ["<0.0001", "0.9999", ">0.9999"]


class TestHostileNames:
    @pytest.fixture
    def named(self, tmp_path, photo):
        def make(name):
            path = tmp_path / os.fsdecode(name)
            path.parent.mkdir(exist_ok=True)  # '[/b]' is a folder and a file in it
            path.write_bytes(Path(photo).read_bytes())
            return str(path)

        return make

    @pytest.mark.parametrize("name", HOSTILE)
    @pytest.mark.parametrize("damaged", [False, True])
    def test_they_come_out_as_they_are(self, named, bundle_path, name, damaged):
        path = named(name)
        if damaged:
            Path(path).write_bytes(b"\xff\xd8\xff")
        found = list(classify_files([path], model=bundle_path))
        assert json.loads(text_of(found, "json"))["source"] == path
        assert next(csv.DictReader(io.StringIO(text_of(found, "csv"), newline="")))["source"] == path
        table = text_of(found, "table")
        assert name.encode("unicode_escape").decode().replace("\\\\", "\\") in table
        assert all(c.isprintable() or c == "\n" for c in table)

    def test_names_that_are_no_utf_8(self, named, bundle_path):
        found = list(classify_files([named(b"l\xe4sion.jpg")], model=bundle_path))
        assert json.loads(text_of(found, "json"))["source"].endswith("l\udce4sion.jpg")
        for style in ("csv", "table"):
            assert r"l\udce4sion.jpg" in text_of(found, style)
            text_of(found, style).encode("utf-8")

    def test_long_names_stay_on_one_line(self, named, bundle_path):
        path = named("x" * 240 + ".jpg")
        assert path in text_of(list(classify_files([path], model=bundle_path)), "table")


def test_unknown_formats_name_the_nearest():
    with pytest.raises(DataError, match="Did you mean 'json'"):
        render([], "jsn")


def test_no_result_gives_a_header_at_most():
    assert text_of([], "json") == text_of([], "csv") == ""
    assert "not a medical device" in text_of([], "table")
