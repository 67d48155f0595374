"""Nearest known lesions: right, and never the image itself, a copy of it, or its lesion."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from lentigo import comparison
from lentigo.comparison.described import unit
from lentigo.comparison.index import Index
from lentigo.comparison.neighbours import nearest
from lentigo.errors import BundleError, DataError, LeakError, OutputError
from lentigo.export.refit import write
from lentigo.runtime import Bundle


def imagined(vectors, groups, seed=0):
    """An index of vectors."""
    count = len(vectors)
    vectors = unit(np.asarray(vectors, float))
    steps = (np.abs(vectors).max(1) / 127).astype(np.float32)
    names = np.array([f"i{i}" for i in range(count)])
    return Index(
        names, np.array([f"l{g}" for g in groups]), np.array(["nv"] * count), np.array(groups, np.int32),
        np.arange(count, dtype=np.uint64), np.arange(count, dtype=np.uint64) << np.uint64(40),
        np.round(vectors / steps[:, None]).astype(np.int8), steps, "m", "0" * 64, "toy", "train",
    )  # fmt: skip


@settings(deadline=None)
@given(seed=st.integers(0, 999), count=st.integers(1, 6))
def test_nearest_is_a_search_of_all_that_is_allowed_one_image_a_lesion(seed, count):
    rng = np.random.default_rng(seed)
    index = imagined(rng.normal(size=(20, 4)), rng.integers(0, 8, 20))
    query, hidden = unit(rng.normal(size=(1, 4))), rng.random((1, 20)) < 0.1
    (found,) = nearest(index, query, hidden, count)
    own = set(index.groups[hidden[0]].tolist())
    allowed = {
        g: min(1 - index.vectors[i] @ query[0] for i in np.flatnonzero(index.groups == g))
        for g in set(index.groups.tolist()) - own
    }
    expected = sorted(allowed.values())[:count]
    assert [d for _, d in found] == pytest.approx(expected, abs=1e-6)
    groups = [int(index.groups[row]) for row, _ in found]
    assert len(set(groups)) == len(groups)
    assert not own & set(groups)


class TestTheImageItself:
    def test_it_and_its_lesion_are_never_found(self, index_path, classifier, train):
        index = comparison.load_index(index_path)
        for row in train.table.iloc[:12].itertuples():
            found = comparison.similar(row.path, index, classifier, count=50)
            assert found.neighbours
            assert row.image_id not in [n.image_id for n in found.neighbours]
            assert row.lesion_id not in [n.lesion_id for n in found.neighbours]
            assert row.lesion_id in found.left_out

    @pytest.mark.parametrize("change", ["renamed", "png", "smaller"])
    def test_a_copy_under_another_name_is_recognised(self, index_path, classifier, train, tmp_path, change):
        row = train.table.iloc[3]
        image = Image.open(row["path"]).convert("RGB")
        copy = tmp_path / ("copy.jpg" if change == "renamed" else "copy.png")
        if change == "renamed":
            shutil.copy(row["path"], copy)
        else:
            (image if change == "png" else image.resize((image.width * 4 // 5, image.height * 4 // 5))).save(copy)
        found = comparison.similar(copy, index_path, classifier, count=50)
        assert row["lesion_id"] in found.left_out
        assert row["lesion_id"] not in [n.lesion_id for n in found.neighbours]

    def test_another_photograph_is_recognised_by_its_lesion(self, index_path, classifier, train, tmp_path):
        row = train.table.iloc[3]
        Image.open(row["path"]).rotate(90).transpose(Image.Transpose.FLIP_TOP_BOTTOM).save(tmp_path / "new.png")
        found = comparison.similar(tmp_path / "new.png", index_path, classifier, count=50, lesion_id=row["lesion_id"])
        assert row["lesion_id"] in found.left_out
        assert row["lesion_id"] not in [n.lesion_id for n in found.neighbours]


class TestTheIndex:
    def test_it_holds_the_training_part_and_no_pixels(self, index_path, classifier, train):
        index = comparison.load_index(index_path)
        assert sorted(index.ids) == sorted(train.ids)
        assert index.model_sha256 == classifier.sha256
        assert np.abs(np.linalg.norm(index.vectors, axis=1) - 1).max() < 1e-5
        image = train.decode(train.table["path"][0])
        exact = unit(classifier.bundle.embed(image[None]))[0]
        assert index.vectors[list(index.ids).index(train.ids[0])] @ exact > 0.999
        assert index_path.stat().st_size < len(index) * (index.codes.shape[1] + 80) + 4000

    def test_a_run_names_its_own_data(self, trained_run, bundle_path, index_path, tmp_path):
        made = comparison.build_index(trained_run.path, bundle_path, tmp_path / "a.index.npz")
        assert list(made.ids) == list(comparison.load_index(index_path).ids)

    def test_one_of_another_model_is_refused(self, index_path, bundle_path, tmp_path, train):
        write(
            onnx.load(bundle_path),
            Bundle(bundle_path).metadata.model_copy(update={"name": "other"}),
            tmp_path / "o.onnx",
        )
        with pytest.raises(BundleError, match=r"made with another model \(tiny"):
            comparison.similar(train.table["path"][0], index_path, tmp_path / "o.onnx")

    def test_a_model_without_embeddings_is_refused(self, index_path, synthetic_root, tmp_path):
        old = Path(__file__).parents[1] / "fixtures" / "format_1.onnx"
        with pytest.raises(BundleError, match="gives no embeddings"):
            comparison.build_index(synthetic_root, old, tmp_path / "x.index.npz")

    def test_all_of_data_that_the_model_knows_is_refused(self, bundle_path, synthetic_root, tmp_path):
        with pytest.raises(LeakError, match="trained or tuned on"):
            comparison.build_index(synthetic_root, bundle_path, tmp_path / "x.index.npz", part="all")

    @pytest.mark.parametrize("content", [b"", b"PK\x03\x04 damaged", "columns", "stream", "method"])
    def test_damaged_ones_are_refused(self, index_path, tmp_path, content):
        bad = tmp_path / "bad.index.npz"
        if content == "columns":
            with np.load(index_path) as found:
                np.savez(bad, **{k: v for k, v in found.items() if k != "codes"})
        elif content == "stream":  # the middle of the file, where a column is packed
            whole = bytearray(index_path.read_bytes())
            whole[len(whole) // 2 : len(whole) // 2 + 200] = bytes(200)
            bad.write_bytes(whole)
        elif content == "method":  # of packing, which no version of zip has
            bad.write_bytes(
                re.sub(rb"(PK\x01\x02.{6})..", lambda m: m[1] + b"c\0", index_path.read_bytes(), flags=re.S)
            )
        else:
            bad.write_bytes(content)
        with pytest.raises(DataError, match="not an index of lentigo, or damaged"):
            comparison.load_index(bad)
        with pytest.raises(DataError, match="no such index"):
            comparison.load_index(tmp_path / "none.npz")

    @pytest.mark.parametrize(
        ("name", "wrong"),
        [
            ("steps", lambda c: -c),
            ("steps", lambda c: c * 0),
            ("steps", lambda c: c[:, None]),
            ("groups", lambda c: c.astype(str)),
            ("contents", lambda c: c.astype(float)),
            ("pictures", lambda c: c.astype(float)),
            ("ids", lambda c: np.arange(len(c))),
            ("lesions", lambda c: c[:, None]),
            ("header", lambda c: np.array(str(c).replace('"train"', '"some"'))),
            ("header", lambda c: np.array(re.sub('"model_sha256": "[^"]*"', '"model_sha256": 5', str(c)))),
            ("header", lambda c: np.array(str(c).replace('"lentigo_index": 1', '"lentigo_index": 0'))),
        ],
        ids=range(11),
    )
    def test_columns_of_other_types_or_values_are_damage(self, index_path, tmp_path, name, wrong):
        """Negative steps turned every distance round, unsaid."""
        with np.load(index_path) as found:
            columns = dict(found)
        np.savez(tmp_path / "bad.npz", **columns | {name: wrong(columns[name])})
        with pytest.raises(DataError, match=r"bad\.npz: not an index of lentigo, or damaged .*Make it again"):
            comparison.load_index(tmp_path / "bad.npz")

    @pytest.mark.parametrize("name", ["diagnoses", "codes"])
    def test_what_its_model_does_not_give_is_damage(self, index_path, classifier, train, tmp_path, name):
        with np.load(index_path) as found:
            columns = dict(found)
        wrong = np.array(["zzz"] * len(columns[name])) if name == "diagnoses" else columns[name][:, :5]
        np.savez(tmp_path / "bad.npz", **columns | {name: wrong})
        with pytest.raises(DataError, match=r"bad\.npz: damaged, (the diagnosis 'zzz'|vectors of 5 numbers) is not of"):
            comparison.similar(train.table["path"][0], tmp_path / "bad.npz", classifier)

    def test_its_name_says_what_it_is(self, synthetic_root, bundle_path, tmp_path):
        (tmp_path / "notes.txt").write_text("mine")
        with pytest.raises(OutputError, match=r"must end in \.npz"):
            comparison.build_index(synthetic_root, bundle_path, tmp_path / "notes.txt", overwrite=True)
        assert (tmp_path / "notes.txt").read_text() == "mine"

    def test_nothing_is_overwritten_unasked(self, synthetic_root, bundle_path, tmp_path):
        (tmp_path / "mine.index.npz").write_text("mine")
        with pytest.raises(OutputError, match="already exists"):
            comparison.build_index(synthetic_root, bundle_path, tmp_path / "mine.index.npz")

    def test_no_input_is_ever_overwritten(self, synthetic_root, bundle_path):
        linked = synthetic_root.parent / "linked.index.npz"
        linked.symlink_to(bundle_path)
        for one in (bundle_path, linked, next(path for path in synthetic_root.rglob("*") if path.is_file())):
            content = one.read_bytes()
            with pytest.raises(OutputError, match="one of the inputs"):
                comparison.build_index(synthetic_root, bundle_path, one, overwrite=True)
            assert one.read_bytes() == content
        linked.unlink()


def test_the_command_line(index_path, bundle_path, train, run, tmp_path, synthetic_root):
    image = train.table["path"][5]
    code, out, _ = run("similar", image, "--index", index_path, "--model", bundle_path, "--format", "json")
    values = json.loads(out)
    assert code == 0
    assert "do not rule out cancer" in values["hint"]
    picture = tmp_path / "similar.png"
    images = Path(image).parent
    code, out, err = run(
        "similar",
        image,
        "--index",
        index_path,
        "--model",
        bundle_path,
        "--images",
        images,
        "--out",
        picture,
        "--count",
        3,
    )
    assert (code, picture.is_file()) == (0, True), err
    assert "do not rule out cancer" in out
    code, _, err = run("similar", image, "--index", index_path, "--model", bundle_path, "--count", 0)
    assert code == 1 and "Ask for 1 to 50" in err
    code, out, err = run("index", synthetic_root, "--model", bundle_path, "--out", tmp_path / "i.index.npz")
    assert code == 0 and "Wrote" in out, err


def test_it_needs_the_plain_install_only():
    heavy = "'torch', 'pandas', 'sklearn', 'onnx', 'matplotlib'"
    code = f"import sys, lentigo.comparison; print([m for m in ({heavy}) if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert found.strip() == "[]"
