"""What every bundle ends with: chosen and measured with the file itself, whatever was done to its graph."""

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from lentigo import export
from lentigo.errors import BundleError, DataError
from lentigo.evaluation import predict_own_part
from lentigo.export.parity import Parity
from lentigo.export.refit import choose_ood, choose_points, headline
from lentigo.runtime import Bundle

SAME = Parity("fp32", 1, 0.0, 1.0, 0.0, 0.0)


@pytest.fixture
def changed(bundle_path):
    """The graph with all convolutions' weights a tenth smaller, and what its bundle is to state."""
    model, metadata = onnx.load(bundle_path), Bundle(bundle_path).metadata
    layers = {node.input[1] for node in model.graph.node if node.op_type == "Conv"}
    for tensor in model.graph.initializer:
        if tensor.name in layers:
            tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor) * np.float32(0.9), tensor.name))
    stated = {"precision": "int8", "parent_sha256": "a" * 64, "calibration_sha256": "b" * 64}
    return model, metadata.model_copy(update=stated)


def test_a_changed_graph_gets_its_own_calibration(changed, trained_run, bundle_path, tmp_path):
    before = Bundle(bundle_path).metadata
    bundle = export.recalibrate(*changed, trained_run, tmp_path / "a.onnx", lambda _: SAME)
    after = bundle.metadata
    assert (after.precision, after.parent_sha256, after.calibration_sha256) == ("int8", "a" * 64, "b" * 64)
    assert after.temperature != before.temperature
    assert after.ood_score.threshold != before.ood_score.threshold
    validation = predict_own_part(bundle, trained_run.records, "validation")
    assert after.ood_score == choose_ood(validation)
    for point, again in zip(after.operating_points, choose_points(validation).points, strict=True):
        assert point.threshold == pytest.approx(again.threshold, rel=1e-6)
    assert after.operating_points != before.operating_points
    assert after.metrics == headline(predict_own_part(bundle, trained_run.records, "test"))
    assert after.fingerprints == before.fingerprints


def test_run_and_records_and_again_end_in_the_same_file(changed, trained_run, tmp_path):
    out, sources = tmp_path / "a.onnx", (trained_run, trained_run.records, trained_run.records)
    one, *others = [export.recalibrate(*changed, source, out, lambda _: SAME).path.read_bytes() for source in sources]
    assert others == [one, one]


def test_what_differs_too_much_or_lacks_its_images_replaces_nothing(changed, trained_run, tmp_path):
    out = tmp_path / "a.onnx"
    out.write_bytes(b"good")

    def bad(_):
        raise BundleError("differs")

    with pytest.raises(BundleError, match="differs"):
        export.recalibrate(*changed, trained_run, out, bad)
    with pytest.raises(DataError, match="not among"):
        export.recalibrate(*changed, trained_run.split.train, out, lambda _: SAME)
    assert [p.name for p in tmp_path.iterdir()] == ["a.onnx"]
    assert out.read_bytes() == b"good"
