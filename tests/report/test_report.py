"""Reports of imagined models."""

import json
import re
from html import escape

import numpy as np
import pytest

from lentigo.errors import DataError
from lentigo.report import report
from lentigo.report.checklist import Checklists
from lentigo.report.document import Document, Picture
from lentigo.report.figures import draw
from tests.evaluation.imagined import make, of

PICTURES = [
    "confusion",
    "decision-malignancy-clinic",
    "decision-malignancy-data",
    "decision-melanoma-clinic",
    "decision-melanoma-data",
    "precision-recall",
    "reliability",
    "reliability-melanoma",
    "risk-coverage",
    "roc",
    "trade-off",
]
"""Of a report on predictions alone."""


def saved(tmp_path, predictions, name="predictions.parquet"):
    predictions.save(tmp_path / name)
    return tmp_path / name


def page(tmp_path, predictions, replicates=30):
    return report([saved(tmp_path, predictions)], tmp_path / "out", replicates=replicates).read_text(encoding="utf-8")


def test_page_needs_no_network_and_keeps_ids_unique(tmp_path):
    html = page(tmp_path, make(200))
    assert not re.search(r"""(src|href)=["'](https?:)?//|<script|@import""", html)
    ids = re.findall(r'\sid="([^"]+)"', html)
    assert len(ids) == len(set(ids))


def test_every_figure_stands_under_its_title_with_its_own_drawing(tmp_path):
    html = page(tmp_path, make(200))
    document = Document.from_json((tmp_path / "out" / "report.json").read_text())
    pictures = [block for section in document.sections for block in section.blocks if isinstance(block, Picture)]
    assert sorted(picture.name for picture in pictures) == PICTURES
    figures = re.findall(r"<figure>(.*?)</figure>", html, flags=re.DOTALL)
    assert len(figures) == html.count("<svg") == len(pictures)
    for picture, figure in zip(pictures, figures, strict=True):
        assert f"<h3>{escape(picture.title)}</h3>" in figure
        assert draw(picture) in figure


def test_json_says_what_the_page_says(tmp_path):
    html = page(tmp_path, make(200))
    document = Document.from_json((tmp_path / "out" / "report.json").read_text())
    assert f"<h1>{document.title}</h1>" in html
    assert all(f"<h2>{section.title}</h2>" in html for section in document.sections)
    assert json.loads((tmp_path / "out" / "report.schema.json").read_text()) == Document.model_json_schema()


def test_same_predictions_same_page(tmp_path):
    assert page(tmp_path, make(100)) == page(tmp_path, make(100))


def test_first_screen_has_the_measured_sensitivity(tmp_path):
    page(tmp_path, make(300))
    document = Document.from_json((tmp_path / "out" / "report.json").read_text())
    value = document.metrics["imagined"].get("sensitivity_at_80_specificity.mel").value
    text = next(s.text for s in document.first if s.label == "Melanoma")
    assert f"it finds {100 * value:.0f} (" in text


def test_leak_is_shouted(tmp_path):
    html = page(tmp_path, make(100, leaky=True, protocol="image_leaky"))
    assert "LEAKY PROTOCOL" in html
    assert 'class="alarm"' in html
    assert "NOT disjoint" in (tmp_path / "out" / "checklist.md").read_text()


def test_honest_protocol_raises_no_alarm(tmp_path):
    assert 'class="alarm"' not in page(tmp_path, make(200))


@pytest.mark.parametrize("label", [4, 5], ids=["melanoma only", "nevi only"])
def test_one_class_gives_an_honest_page(tmp_path, label):
    html = page(tmp_path, of(np.full(20, label), np.random.default_rng(0).normal(size=(20, 7))))
    assert "Not measurable" in html
    assert not re.search(r"\bnan\b", html, re.IGNORECASE)


def test_ten_rows_and_missing_classes_give_a_page(tmp_path):
    labels = np.array([4, 5] * 5)
    html = page(tmp_path, of(labels, np.eye(7)[labels] + np.random.default_rng(0).normal(size=(10, 7))))
    assert "(none)" in html
    assert not re.search(r"\bnan\b", html, re.IGNORECASE)


def test_model_name_is_escaped(tmp_path):
    html = page(tmp_path, make(100, model="<script>alert(1)</script>"))
    assert "<script>" not in html


def test_checklists_are_whole_and_partly_open(tmp_path):
    page(tmp_path, make(100))
    filled = Checklists.from_json((tmp_path / "out" / "checklist.json").read_text())
    assert [len(one.items) for one in filled.lists] == [44, 25, 52]
    assert [one.checked.startswith("NOT compared") for one in filled.lists] == [False, True, False]
    assert all(one.checked in (tmp_path / "out" / "checklist.md").read_text() for one in filled.lists)
    for one in filled.lists:
        assert {item.status for item in one.items} == {"filled", "open"}
        assert len({item.number for item in one.items}) == len(one.items)


@pytest.mark.parametrize("replicates", [30, 0])
def test_comparison_links_each_report(tmp_path, replicates):
    good, bad = make(200, skill=3.0, model="good"), make(200, skill=1.0, model="bad")
    paths = [saved(tmp_path, good, "a.parquet"), saved(tmp_path, bad, "b.parquet")]
    html = report(paths, tmp_path / "out", replicates=replicates).read_text(encoding="utf-8")
    assert "good minus bad" in html
    assert (tmp_path / "out" / "good" / "index.html").is_file()
    assert (tmp_path / "out" / "bad" / "checklist.md").is_file()


def test_comparison_refuses_other_images(tmp_path):
    paths = [saved(tmp_path, make(100), "a.parquet"), saved(tmp_path, make(90), "b.parquet")]
    with pytest.raises(DataError, match="different images"):
        report(paths, tmp_path / "out", replicates=10)


def test_no_predictions_and_broken_predictions(tmp_path):
    with pytest.raises(DataError, match="no predictions"):
        report([], tmp_path)
    (tmp_path / "x.parquet").write_text("no")
    with pytest.raises(DataError, match="not a predictions table"):
        report([tmp_path / "x.parquet"], tmp_path / "out")
