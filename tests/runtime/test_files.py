"""Files, folders, patterns and standard input: every one answered for, none overwritten, none kept in memory."""

import io
import os
import sys
from pathlib import Path

import pytest
from PIL import Image

from lentigo.errors import BundleError, DataError, ImageError, OutputError
from lentigo.runtime import Failure, Verdict, classify_files
from lentigo.runtime.files import _picture_names


def test_an_unreadable_file_is_a_row_and_the_rest_goes_on(bundle_path, folder, tmp_path):
    results = classify_files([folder], model=bundle_path, explain=tmp_path / "out")
    found = list(results)
    assert [isinstance(r, Failure) for r in found] == [False, False, False, True, False]
    assert "broken.jpg" in found[3].error
    assert "broken.jpg" in repr(found[3])
    assert (results.files, results.unreadable) == (5, 1)
    assert "1 of 5 images could not be read." in results.notices
    names = sorted(p.name for p in (tmp_path / "out").iterdir())
    assert names == ["0.heatmap.png", "1.heatmap.png", "2.heatmap.png", "3.heatmap.png"]


def test_what_is_no_image_is_counted_on_standard_error(bundle_path, folder, capsys):
    (folder / "notes.txt").write_text("a mole on the back")
    (folder / "scan").write_bytes(bytes(128) + b"DICM")
    results = list(classify_files([folder], model=bundle_path))
    assert "DICOM" in next(r.error for r in results if r.source.endswith("scan"))
    assert "Not classified: 1 file that is not an image (.txt 1)." in capsys.readouterr().err


def test_images_that_are_not_gradable_are_counted(bundle_path, folder):
    for name in ("white.png", "white2.png"):
        Image.new("RGB", (90, 90), "white").save(folder / name)
    results = classify_files([folder / "white.png", folder / "white2.png"], model=bundle_path)
    assert [r.decision for r in results] == ["not gradable"] * 2
    assert results.notices == ["2 of 2 images are not gradable: no result for them."]


class TestAbsent:
    def test_one_alone_is_an_error(self, bundle_path, tmp_path):
        with pytest.raises(ImageError, match="no such file"):
            classify_files([tmp_path / "absent.jpg"], model=bundle_path)
        with pytest.raises(ImageError, match="nor are the 1 others"):
            classify_files([tmp_path / "absent.jpg", tmp_path / "too.jpg"], model=bundle_path)

    def test_beside_others_it_is_a_row(self, bundle_path, tmp_path, photo):
        _, result = classify_files([photo, tmp_path / "absent.jpg"], model=bundle_path)
        assert "no such file" in result.error

    def test_errors_come_before_any_work(self, bundle_path, photo, tmp_path):
        with pytest.raises(BundleError, match="No model"):
            classify_files([photo], model="no-such-model")
        with pytest.raises(DataError, match="lacks"):
            classify_files([photo], model=bundle_path, prevalence={"mel": 1})
        with pytest.raises(ImageError):
            classify_files([], model=bundle_path)


def test_one_path_is_enough(bundle_path, photo):
    assert len(list(classify_files(photo, model=bundle_path))) == 1
    assert len(list(classify_files(Path(photo), model=bundle_path))) == 1


@pytest.mark.parametrize("empty", ["", " ", ["", "a.jpg"]])
def test_an_empty_path_is_not_the_current_folder(bundle_path, empty):
    with pytest.raises(ImageError, match="A path is empty"):
        classify_files(empty, model=bundle_path)


class TestStandardInput:
    @pytest.fixture
    def piped(self, photo, monkeypatch):
        def pipe(content):
            stdin = io.TextIOWrapper(io.BytesIO(content))
            monkeypatch.setattr(sys, "stdin", stdin)

        return pipe

    def test_it_is_read_once(self, bundle_path, photo, piped, classifier, tmp_path):
        piped(Path(photo).read_bytes())
        found, other = classify_files(["-", photo, "-"], model=bundle_path, explain=tmp_path / "heat")
        assert found.raw == other.raw
        assert (tmp_path / "heat" / "stdin.heatmap.png").exists()

    def test_nothing_in_it_is_a_failure(self, bundle_path, piped):
        piped(b"")
        (result,) = classify_files(["-"], model=bundle_path)
        assert isinstance(result, Failure)

    def test_a_file_may_be_called_so(self, bundle_path, photo, piped, tmp_path, monkeypatch):
        piped(b"")
        monkeypatch.chdir(tmp_path)
        Path("-").write_bytes(Path(photo).read_bytes())
        assert isinstance(next(classify_files(["./-"], model=bundle_path)), Verdict)


class TestHeatmaps:
    def test_they_are_left_out_and_counted(self, bundle_path, folder, capsys):
        list(classify_files([folder], model=bundle_path, explain=folder))
        next(folder.glob("0.heatmap.png")).rename(folder / "renamed.jpg")
        results = list(classify_files([folder], model=bundle_path))
        assert len(results) == 5
        assert "Not classified: 4 pictures drawn by lentigo." in capsys.readouterr().err
        with pytest.raises(ImageError, match=r"renamed\.jpg: a picture drawn by lentigo"):
            classify_files([folder / "renamed.jpg"], model=bundle_path)

    def test_inputs_are_never_overwritten(self, bundle_path, folder, photo):
        # An image that is called as the heat map of another would be.
        (folder / "0.heatmap.png").write_bytes(Path(photo).read_bytes())
        before = {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}
        for overwrite in (False, True):
            with pytest.raises(OutputError, match="not a picture drawn by lentigo"):
                classify_files([folder], model=bundle_path, explain=folder, overwrite=overwrite)
        assert {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()} == before

    def test_into_the_folder_of_the_images(self, bundle_path, folder):
        before = {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}
        list(classify_files([folder], model=bundle_path, explain=folder))
        after = {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}
        assert {p: after[p] for p in before} == before
        assert len(after) == len(before) + 4

    def test_earlier_ones_stay_unless_told_so(self, bundle_path, photo, tmp_path):
        list(classify_files([photo], model=bundle_path, explain=tmp_path / "out"))
        with pytest.raises(OutputError, match="--overwrite"):
            classify_files([photo], model=bundle_path, explain=tmp_path / "out")
        list(classify_files([photo], model=bundle_path, explain=tmp_path / "out", overwrite=True))

    @pytest.mark.parametrize("place", ["file", "file/below"])
    def test_a_folder_that_can_not_be(self, bundle_path, photo, tmp_path, place):
        (tmp_path / "file").write_text("here")
        with pytest.raises(OutputError):
            classify_files([photo], model=bundle_path, explain=tmp_path / place)

    def test_an_image_that_is_exchanged_meanwhile_is_a_failure(self, bundle_path, folder, tmp_path, monkeypatch):
        from lentigo.runtime.kept import KeptImage

        pixels = KeptImage.pixels

        def exchanged(self):
            if self.source.name == "1.jpg":
                self.source.write_bytes(b"another")
            return pixels(self)

        monkeypatch.setattr(KeptImage, "pixels", exchanged)
        results = list(classify_files([folder], model=bundle_path, explain=tmp_path / "out"))
        assert [isinstance(r, Failure) for r in results] == [False, True, False, True, False]
        assert "has changed" in results[1].error

    def test_pictures_of_one_name_do_not_overwrite_each_other(self, bundle_path, folder, tmp_path, photo):
        for place in ("deep/0.jpg", "0.png"):
            Image.open(photo).save(folder / place)
        list(classify_files([folder], model=bundle_path, explain=tmp_path / "out"))
        assert len(list((tmp_path / "out").iterdir())) == 6

    def test_names_stay_apart_and_short(self):
        files = [Path("a/x.jpg"), Path("b/x.jpg"), Path("a/X.jpg"), Path("a/x.png"), Path("ä" * 120 + ".jpg")]
        names = list(_picture_names(files).values())
        assert len({n.lower() for n in names}) == len(files)
        assert all(len(os.fsencode(n)) < 220 and n.endswith(".heatmap.png") for n in names)


def test_they_agree_with_one_at_a_time(classifier, bundle_path, synthetic_records):
    paths = synthetic_records.table["path"][:9].tolist()
    for path, result in zip(paths, classify_files(paths, model=bundle_path), strict=True):
        alone = classifier.classify(path)
        assert result.raw["probabilities"] == pytest.approx(alone.raw["probabilities"], abs=2e-6)


def test_the_images_of_a_folder_stay_out_of_memory(bundle_path, tmp_path):
    """Verdicts of files hold no pixels: what remains of each is smaller than its smallest map."""
    import tracemalloc

    Image.new("RGB", (800, 600)).save(tmp_path / "0.png")
    for i in range(1, 12):
        os.link(tmp_path / "0.png", tmp_path / f"{i}.png")
    tracemalloc.start()
    results = list(classify_files(tmp_path, model=bundle_path))
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(results) == 12
    assert held < 12 * 20_000  # one image decoded is 1,440,000 bytes
