"""Operations and latency of the models that ship: shown for the very file that was measured, and for no other."""

import pytest

from lentigo.errors import BundleError
from lentigo.runtime import Bundle, shipped_models
from lentigo.runtime.costs import read_costs
from lentigo.runtime.shipped import describe


def test_a_file_that_was_not_measured_has_no_figures(bundle_path):
    assert "not measured for this file" in describe(Bundle(bundle_path))
    assert "M MACs for an image of 600x450 pixels" in describe(Bundle(shipped_models()["lentigo-s"]))


def test_a_damaged_file_is_said(tmp_path):
    (tmp_path / "costs.json").write_text('{"n": "many"}')
    with pytest.raises(BundleError, match=r"costs\.json: can't be read"):
        read_costs(tmp_path / "costs.json")
    assert read_costs(tmp_path / "none.json") is None
