"""The page says what was run, on how many folds, and marks what can't be compared."""

from functools import cache

import pytest

from lentigo.compression import Gate, check
from lentigo.compression.survey import TECHNIQUES, NotMade, Surveyed, Teacher
from lentigo.evaluation import measure
from lentigo.evaluation.result import Estimate
from lentigo.studies.compression_page import SurveyPage, write_survey
from lentigo.studies.compression_rows import rows_of
from tests.evaluation import imagined


@cache
def surveyed(
    technique: str, fold: int = 0, skill: float = 2.5, size: int = 400_000, network="compact", teachers=()
) -> Surveyed:
    of = {"part": "test", "split_sha256": f"s{fold}", "fold": fold}
    parent = imagined.make(300, seed=fold, skill=2.5, **of, model_sha256=f"fp32 {fold}")
    child = imagined.make(300, seed=fold, skill=skill, **of, model_sha256=f"{technique} {fold}")
    gate = check(parent, child, Gate(replicates=100), points=[])
    first = technique == "fp32"
    return Surveyed(
        technique=technique,
        network=network,
        fold=fold,
        split_sha256=f"s{fold}",
        run_sha256=f"r{fold}",
        epochs=20,
        teachers=teachers,
        sha256="0",
        size={"weights": size, "file": size + 100_000, "file_zstd": size // 2},
        parts={"weights": size},
        macs={"network": 1_000_000, "preprocessing": 10, "ood": 5},
        latency_ms={1: 1.5 + fold, 32: 30.0},
        peak_bytes=None,
        machine={"machine": "a processor", "python": "3.11"},
        metrics=measure(child, replicates=20),
        sensitivity=Estimate(value=0.9, low=0.8, high=0.95),
        specificity=Estimate(value=0.5),
        loss=None if first else gate.entries[0].loss,
        gate=None if first else gate,
    )


def page(found, out) -> str:
    return write_survey(found, "python benchmarks/compression.py", out).read_text()


def test_a_table_for_each_network_and_what_is_not_comparable(tmp_path):
    found = [surveyed("fp32"), surveyed("int8, MinMax", skill=2.45, size=100_000), surveyed("fp32", network="other")]
    text = page(found, tmp_path)
    assert "## compact" in text and "## other" in text
    assert "Folds that were run: 0 of 5, 300 test images" in text
    assert "469,770" in text or "0.47" in text
    assert "arXiv 2406.17051" in text and "not comparable" in text
    assert "Not measured, for want of time: fp16" in text
    assert "| int8, MinMax |" in text and "undecided" in text
    again = SurveyPage.from_json((tmp_path / "compression.json").read_text())
    assert again.rows == rows_of(found)
    assert "not comparable" in (tmp_path / "compression.svg").read_text()


def test_what_gave_no_file_is_named_with_its_reason(tmp_path):
    reason = "the bundle differs from what it was made from"
    found = [
        surveyed("fp32"),
        NotMade(technique="int8, MinMax", network="compact", fold=0, run_sha256="r0", reason=reason),
    ]
    assert f"- int8, MinMax, fold 0: {reason}" in page(found, tmp_path)


def test_folds_are_averaged_with_the_interval_of_their_mean():
    one, other = (surveyed("fp32", fold) for fold in (0, 1))
    fp16 = [surveyed("fp16", fold, skill=2.4) for fold in (0, 1)]
    rows = {row.technique: row for row in rows_of([one, other, *fp16])}
    values = [s.metrics.get("balanced_accuracy").value for s in (one, other)]
    found = rows["fp32"].metrics["balanced accuracy"]
    assert found.value == pytest.approx(sum(values) / 2) and found.low < min(values)
    assert rows["fp32"].folds == (0, 1) and rows["fp32"].latency_ms[1] == 2.0
    before, after = rows["fp32"].metrics["balanced accuracy"].value, rows["fp16"].metrics["balanced accuracy"].value
    assert rows["fp16"].loss.value == pytest.approx(before - after)


def test_a_row_of_fewer_folds_than_the_others_says_which(tmp_path):
    text = page([surveyed("fp32"), surveyed("fp32", 1), surveyed("fp16", 1)], tmp_path)
    assert "Folds that were run: 0, 1 of 5, 600 test images" in text
    assert "| fp16 (fold 1) |" in text and "| fp32 |" in text


def test_teachers_are_named(tmp_path):
    teachers = (Teacher(name="a larger one", sha256="0123456789abcdef"),)
    found = [surveyed("fp32"), surveyed("distilled", teachers=teachers), surveyed("structured, distilled")]
    text = page(found, tmp_path)
    assert "Learned from a larger one (0123456789ab): distilled." in text
    assert "Learned from the network itself, fp32: structured, distilled." in text


@pytest.mark.parametrize(
    ("skill", "size", "words"),
    [
        (2.5, 100_000, "A file of at most 0.39 MB that loses at most 0.5 points"),
        (2.5, 900_000, "No file of at most 0.39 MB"),
        (0.5, 100_000, "No file of at most 0.39 MB"),
    ],
)
def test_the_published_size_is_claimed_only_where_a_file_keeps_the_accuracy(tmp_path, skill, size, words):
    assert words in page([surveyed("fp32"), surveyed("fp16", skill=skill, size=size)], tmp_path)


def test_every_technique_is_a_recipe():
    from lentigo.compression import CompressionRecipe

    assert next(iter(TECHNIQUES)) == "fp32" and TECHNIQUES["fp32"] == ()
    for steps in list(TECHNIQUES.values())[1:]:
        assert CompressionRecipe.of({"steps": steps}).names
