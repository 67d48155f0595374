"""Heat maps of a study are those of `explain`, drawn by the one renderer."""

from types import SimpleNamespace

import numpy as np
from PIL import Image

from lentigo.explanation import explain
from lentigo.runtime.heat_panels import overlaid
from lentigo.studies.pictures import _heat_maps


def test_heat_maps_of_a_study(trained_run, tmp_path):
    (tmp_path / "run").symlink_to(trained_run.path)
    shown = _heat_maps(SimpleNamespace(folder=tmp_path), trained_run.records)
    diagnoses = trained_run.split.test.table["dx"].nunique()
    images = list(shown.values())
    assert len(images) >= diagnoses + 1
    assert {i.shape for i in images} == {(32, 32, 3)}
    found = explain(images[0], "grad_cam", model=trained_run, ungradable=True)
    np.testing.assert_array_equal(images[1], np.asarray(overlaid(Image.fromarray(images[0]), found.map)))
    assert list(shown)[1].endswith(f"predicted {found.target}")
