import json
from types import SimpleNamespace

import pytest

from lentigo.errors import RunError
from lentigo.evaluation.calibration.temperature import Calibration, calibrate


def test_what_was_fitted_before_is_read(tmp_path):
    (tmp_path / "calibration.json").write_text('{"temperature": 2, "images": 30}')
    assert calibrate(SimpleNamespace(path=tmp_path)) == Calibration(2, 30)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "Expecting value"),
        ("[1, 2]", "not an object with temperature and images"),
        ('{"temperature": 1.2}', "not an object with temperature and images"),
        ('{"temperature": 1.2, "images": 3, "more": 1}', "not an object with temperature and images"),
        ('{"temperature": 1.2, "temperature": 3.0, "images": 3}', "stands in it twice"),
        *(
            (json.dumps({"temperature": value, "images": 3}), "not a positive number")
            for value in (0, -1.5, float("nan"), float("inf"), "1.2", None, True)
        ),
        *(
            (json.dumps({"temperature": 1.2, "images": value}), "not a whole number of 1 or more")
            for value in (0, 2.5, "3", True)
        ),
    ],
)
def test_a_calibration_that_can_not_be_right_is_refused(tmp_path, text, why):
    """Every probability of the run would be wrong by it, and none would look so."""
    (tmp_path / "calibration.json").write_text(text)
    with pytest.raises(RunError, match=rf"calibration\.json: not a calibration \(.*{why}.*Delete the file") as caught:
        calibrate(SimpleNamespace(path=tmp_path))
    assert caught.value.hint
