"""What a reader meets on the pages: cases without pictures as rows, one threshold a target, reasons once, legends."""

import json

import numpy as np
import pytest

from lentigo.errors import DataError
from lentigo.report import report
from lentigo.report.document import Document, Figure, Gallery, Table
from tests.evaluation.imagined import make, of


def document_of(tmp_path, predictions, **options):
    tmp_path.mkdir(exist_ok=True)
    predictions.save(tmp_path / "predictions.parquet")
    page = report([tmp_path], replicates=20, **options)
    assert page == tmp_path / "report" / "index.html"
    return Document.from_json((tmp_path / "report" / "report.json").read_text(encoding="utf-8"))


def blocks(document):
    return [b for section in document.sections for b in section.blocks]


def test_mistakes_without_pictures_are_rows(tmp_path):
    document = document_of(tmp_path, make(300))
    assert not [b for b in blocks(document) if isinstance(b, Gallery)]
    table = next(b for b in blocks(document) if isinstance(b, Table) and b.columns[:2] == ("mistake", "probabilities"))
    assert table.caption.startswith("Missed melanoma")
    assert all(len(row) == len(table.columns) and row[0].startswith("mel, called ") for row in table.rows)


def test_a_reason_stands_once_in_a_row(tmp_path):
    document = document_of(tmp_path, of(np.full(20, 5), np.random.default_rng(0).normal(size=(20, 7))))
    for table in (b for b in blocks(document) if isinstance(b, Table)):
        for row in table.rows:
            reasons = [cell for cell in row if cell.startswith("– (")]
            assert len(reasons) == len(set(reasons)), row


def test_legends_name_diagnoses_and_the_best_comes_first(tmp_path):
    document = document_of(tmp_path, make(600))
    roc = next(b for b in blocks(document) if isinstance(b, Figure) and b.name == "roc")
    areas = [float(curve.name.rpartition("AUC ")[2]) for curve in roc.curves]
    assert areas == sorted(areas, reverse=True)
    assert any(curve.name.startswith("melanoma, AUC 0.") for curve in roc.curves)


def test_one_target_has_one_threshold(bundle_path, trained_run, tmp_path):
    from lentigo import evaluation

    evaluation.evaluate(bundle_path, root=trained_run.root, own_test=True, out=tmp_path, replicates=0)
    report([tmp_path], bundle=bundle_path, replicates=0)
    evidence = json.loads((tmp_path / "report" / "report.json").read_text())["evidence"]
    (found,) = evidence.values()
    points = [at["point"] for at in (*found["bundle_points"], *found["validation_points"])]
    keys = [(p["task"], p["target"], p["view"]) for p in points]
    assert len(keys) == len(set(keys))


def test_a_run_that_is_not_evaluated_says_what_to_type(tmp_path):
    (tmp_path / "recipe.json").write_text("{}")
    with pytest.raises(DataError, match="not been evaluated yet") as error:
        report([tmp_path])
    assert f"lentigo evaluate {tmp_path}" in str(error.value)


def test_a_folder_of_something_else_says_what_to_type(tmp_path):
    with pytest.raises(DataError, match=r"no predictions\.parquet.*lentigo evaluate RUN"):
        report([tmp_path])


def test_a_comparison_needs_a_folder(tmp_path):
    with pytest.raises(DataError, match="--out"):
        report([tmp_path / "a.parquet", tmp_path / "b.parquet"])
