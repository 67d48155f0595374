"""A bundle of format 1 written anew as format 2: the same answers, from the file alone."""

from pathlib import Path

import numpy as np
import pytest

from lentigo import export
from lentigo.errors import BundleError, DataError
from lentigo.evaluation import predict_own_part
from lentigo.export.refit import choose_points, headline
from lentigo.models.compact import Compact
from lentigo.models.registry import _ENTRIES, register
from lentigo.runtime import Bundle

OLD = Path(__file__).parent.parent / "fixtures" / "format_1.onnx"


@pytest.fixture(scope="module")
def new(synthetic_records, tmp_path_factory):
    """The fixture's network, a tiny one, is registered while it is built."""

    def miniature(num_classes: int = 7) -> Compact:
        """Two small blocks."""
        return Compact(4, [(6, 2), (8, 2)], last=12, num_classes=num_classes, dropout=0.1)

    register(size=32)(miniature)
    try:
        yield export.upgrade(OLD, tmp_path_factory.mktemp("new") / "new.onnx", synthetic_records)
    finally:
        _ENTRIES.pop("miniature")


def test_it_gives_the_same_answers(new):
    images = np.random.default_rng(1).integers(0, 256, (8, 40, 50, 3), dtype=np.uint8)
    before, after = Bundle(OLD).predict(images), new.predict(images)
    assert after.probabilities == pytest.approx(before.probabilities, abs=1e-5)
    assert after.cam == pytest.approx(before.cam, abs=1e-4)
    assert after.ood_score == pytest.approx(before.ood_score, rel=1e-3)


def test_thresholds_and_metrics_are_those_of_the_new_file(new, synthetic_records):
    before, after = Bundle(OLD).metadata, new.metadata
    assert (before.format, after.format) == (1, 2)
    again = choose_points(predict_own_part(new, synthetic_records, "validation"))
    assert after.operating_points == again.points
    for old, point in zip(before.operating_points, after.operating_points, strict=True):
        assert point.target == old.target
        assert point.threshold == pytest.approx(old.threshold, rel=0.2)  # that of the run's rounded pixels
    assert after.metrics == headline(predict_own_part(new, synthetic_records, "test"))
    assert "accuracy_always.nv" not in after.metrics["equal_prevalence"]  # old name
    assert after.ood_score.threshold == pytest.approx(before.ood_score.threshold, rel=0.05)
    assert after.recipe["flip_tta"] is True
    assert len(new.origin.test) > 0
    assert len(new.origin.pictures) == after.split["images"]["train"]
    assert new.path.stat().st_size < OLD.stat().st_size


def test_what_needs_no_upgrade_or_has_other_data_is_refused(new, synthetic_records, tmp_path):
    with pytest.raises(BundleError, match="needs no upgrade"):
        export.upgrade(new.path, tmp_path / "x.onnx", synthetic_records)
    with pytest.raises(DataError, match="can't be reproduced"):
        export.upgrade(OLD, tmp_path / "x.onnx", synthetic_records.take(synthetic_records.ids[:-2]))
    assert list(tmp_path.iterdir()) == []
