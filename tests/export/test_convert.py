"""A model as another kind of file: the same model, read back, and nothing good replaced by anything bad."""

import shutil
import sys
from pathlib import Path

import pytest

from lentigo import export
from lentigo.errors import BundleError, OutputError
from lentigo.runtime import Bundle

module = sys.modules["lentigo.export.convert"]  # whose name in the package is the function's


def test_packed_and_back(bundle_path, tmp_path):
    packed = export.convert(bundle_path, tmp_path / "a.onnx.zst")
    assert packed.path == tmp_path / "a.onnx.zst"
    assert packed.sha256 == Bundle(bundle_path).sha256
    assert packed.path.stat().st_size < bundle_path.stat().st_size
    again = export.convert(bundle_path, tmp_path / "b.onnx.zst")
    assert again.path.read_bytes() == packed.path.read_bytes()
    assert export.convert(packed.path, tmp_path / "c.onnx").path.read_bytes() == bundle_path.read_bytes()


def test_a_run_packed_at_once(trained_run, bundle_path, tmp_path, monkeypatch):
    def bundle(run, out, *, name):
        assert (run.path, name) == (trained_run.path, "tiny")
        return Bundle(shutil.copy(bundle_path, Path(out)))

    monkeypatch.setattr(module, "bundle", bundle)  # which other tests check, and which takes long
    packed = export.convert(trained_run.path, tmp_path / "tiny.onnx.zst")
    assert packed.name == "tiny"
    assert packed.sha256 == Bundle(bundle_path).sha256


def test_from_the_command_line(run, bundle_path, tmp_path):
    code, out, err = run("export", bundle_path, tmp_path / "x.onnx.zst")
    assert code == 0, err
    assert f"Wrote {tmp_path / 'x.onnx.zst'}" in out
    code, _, err = run("export", bundle_path, tmp_path / "x.onnx.zst", "--name", "other")
    assert code == 1
    assert "keeps its name" in err


@pytest.mark.parametrize("name", ["x", "x.zst", "x.onnx.gz", "x.pt", "onnx"])
def test_other_endings_are_refused(bundle_path, tmp_path, name):
    with pytest.raises(BundleError, match="must end in"):
        export.convert(bundle_path, tmp_path / name)


def test_no_input_is_overwritten(bundle_path, tmp_path):
    (tmp_path / "link.onnx").symlink_to(bundle_path)
    for out in (bundle_path, tmp_path / "link.onnx"):
        with pytest.raises(OutputError, match="the model itself"):
            export.convert(bundle_path, out)


@pytest.mark.parametrize("bad", [b"junk", b""])
def test_a_bad_file_replaces_nothing(bundle_path, tmp_path, monkeypatch, bad):
    good = export.convert(bundle_path, tmp_path / "x.onnx.zst").path.read_bytes()
    monkeypatch.setattr(module, "pack", lambda content: bad)
    with pytest.raises(BundleError):
        export.convert(bundle_path, tmp_path / "x.onnx.zst")
    assert (tmp_path / "x.onnx.zst").read_bytes() == good
    assert [p.name for p in tmp_path.iterdir()] == ["x.onnx.zst"]


def test_a_damaged_or_absent_source_leaves_nothing(bundle_path, tmp_path):
    (tmp_path / "half.onnx").write_bytes(bundle_path.read_bytes()[:5000])
    for source in ("half.onnx", "absent.onnx"):
        with pytest.raises(BundleError):
            export.convert(tmp_path / source, tmp_path / "x.onnx.zst")
    assert not (tmp_path / "x.onnx.zst").exists()


def test_a_folder_is_refused_before_the_work(trained_run, tmp_path):
    (tmp_path / "x.onnx.zst").mkdir()
    with pytest.raises(OutputError, match="folder"):
        export.convert(trained_run.path, tmp_path / "x.onnx.zst")
