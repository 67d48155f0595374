"""The verb explain and its one call: figures that are recognised, masks, and nothing overwritten."""

import numpy as np
import pytest
from PIL import Image

from lentigo.errors import DataError, OutputError
from lentigo.explanation import explain_files
from lentigo.runtime import is_heatmap
from lentigo.runtime.heat_panels import STYLES


@pytest.fixture
def folder(tmp_path, synthetic_records):
    """Two images, and their masks: a disc in the middle."""
    y, x = np.mgrid[:150, :200]
    disc = (x - 100) ** 2 + (y - 75) ** 2 < 50**2
    (tmp_path / "in").mkdir()
    (tmp_path / "masks").mkdir()
    for i, path in enumerate(synthetic_records.table["path"][:2]):
        Image.open(path).save(tmp_path / "in" / f"{i}.png")
        Image.fromarray(disc).save(tmp_path / "masks" / f"{i}_segmentation.png")
    return tmp_path


def test_a_figure_and_a_share_for_each(folder, bundle_path):
    results = list(explain_files(folder / "in", model=bundle_path, out=folder / "out", masks=folder / "masks"))
    assert [r.error for r in results] == [None, None]
    for result in results:
        assert is_heatmap(result.picture)
        assert result.picture.parent == folder / "out"
        disc = np.array(Image.open(folder / "masks/0_segmentation.png"))
        assert result.on_lesion == result.explanation.on_lesion(disc)
        assert result.on_lesion.area == pytest.approx(np.pi * 50**2 / 150**2, rel=0.01)
        assert "of the map on it" in str(result) or "empty" in str(result)


@pytest.mark.parametrize("style", STYLES)
def test_styles(folder, bundle_path, style):
    (result,) = explain_files(folder / "in/0.png", model=bundle_path, out=folder / "out", style=style)
    assert is_heatmap(result.picture)


def test_nothing_is_overwritten(folder, bundle_path):
    list(explain_files(folder / "in", model=bundle_path, out=folder / "out"))
    with pytest.raises(OutputError, match="already exists"):
        explain_files(folder / "in", model=bundle_path, out=folder / "out")
    list(explain_files(folder / "in", model=bundle_path, out=folder / "out", overwrite=True))
    (folder / "out" / "0.heatmap.png").write_bytes((folder / "in/0.png").read_bytes())
    with pytest.raises(OutputError, match="never replaced"):
        explain_files(folder / "in", model=bundle_path, out=folder / "out", overwrite=True)


def test_masks_that_do_not_do_cost_only_their_image(folder, bundle_path):
    Image.fromarray(np.zeros((150, 200), bool)).save(folder / "masks/0_segmentation.png")
    Image.fromarray(np.ones((75, 100), bool)).save(folder / "masks/1_segmentation.png")
    first, second = explain_files(folder / "in", model=bundle_path, masks=folder / "masks")
    assert "empty" in first.error
    assert "100x75" in second.error
    (folder / "masks/0_segmentation.png").write_bytes((folder / "in/0.png").read_bytes())
    (folder / "masks/1_segmentation.png").unlink()
    first, second = explain_files(folder / "in", model=bundle_path, masks=folder / "masks")
    assert "other colours" in first.error
    assert "no mask" in second.error


@pytest.mark.parametrize(
    "wrong",
    [{"method": "gradcam"}, {"style": "pie"}, {"target": "measles"}, {"masks": "nowhere"}, {"parameters": {"a": 1}}],
)
def test_what_is_wrong_is_said_before_any_work(folder, bundle_path, wrong):
    with pytest.raises(DataError):
        explain_files(folder / "in", model=bundle_path, **wrong)


class TestTheVerb:
    def test_prints_a_line_for_each(self, folder, bundle_path, run):
        (folder / "in/broken.png").write_bytes(b"\x89PNG\r\n\x1a\nnot")
        code, out, err = run(
            "explain", folder / "in", "--model", bundle_path, "--target", "melanoma", "--out", folder / "out"
        )
        assert code == 3
        assert out.count("cam for melanoma") == 2
        assert "Research tool" in out
        assert "broken.png: not explained" in err

    def test_settings(self, folder, bundle_path, run):
        arguments = ("explain", folder / "in/0.png", "--model", bundle_path, "--method", "rise")
        code, _, _ = run(*arguments, "--set", "masks=20")
        assert code == 0
        code, _, err = run(*arguments, "--set", "masks")
        assert code == 1
        assert "masks=1000" in err
        code, _, err = run(*arguments, "--set", "masks=20", "--set", "masks=30")
        assert code == 1
        assert "'masks' is stated twice" in err

    def test_a_run(self, folder, trained_run, run):
        code, out, _ = run("explain", folder / "in/0.png", "--model", trained_run.path, "--method", "grad_cam")
        assert code == 0
        assert "grad_cam for" in out
