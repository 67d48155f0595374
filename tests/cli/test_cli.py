"""The command line, as a user meets it: what is printed and with which exit code."""

import json
from importlib import import_module

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

import lentigo
from lentigo import data
from lentigo.cli import app
from lentigo.data.sources import load_manifests, synthetic
from lentigo.errors import RunError
from lentigo.runtime import Bundle, shipped_models
from lentigo.runtime.costs import read_costs


def test_help_names_every_verb():
    text = CliRunner().invoke(app, ["--help"]).stdout
    for verb in ("classify", "models", "train", "evaluate", "compare", "combine", "report", "export", "demo", "data"):
        assert verb in text
    text = CliRunner().invoke(app, ["data", "--help"]).stdout
    for verb in ("fetch", "describe", "audit", "leakage", "split", "pixels", "augmentations"):
        assert verb in text


def test_version(run):
    assert run("--version") == (0, f"{lentigo.__version__}\n", "")


def test_errors_are_one_message_with_a_next_step(run, tmp_path):
    code, out, err = run("classify", tmp_path / "x.jpg", "--model", "lentigo-xl")
    assert (code, out) == (1, "")
    assert "No model 'lentigo-xl'" in err
    assert "Traceback" not in err
    code, _, err = run("data", "split", tmp_path / "absent")
    assert code == 1
    assert "Check the path" in err


def test_split_writes_a_manifest(run, synthetic_root, tmp_path):
    code, out, _ = run("data", "split", synthetic_root, "--fold", 2, "--out", tmp_path / "s.csv")
    assert code == 0
    assert "grouped, fold 2" in out
    assert (tmp_path / "s.csv").read_text().startswith("# lentigo split")


def test_a_split_takes_the_pairs_of_an_audit_and_other_folds(run, synthetic_root, synthetic_records, tmp_path):
    apart = data.split(synthetic_records, folds=3)
    first, second = apart.train.ids[0], apart.test.ids[0]
    (tmp_path / "audit").mkdir()
    content = {"schema": "lentigo.audit/1", "duplicates": [{"first": first, "second": second}]}
    (tmp_path / "audit" / "audit.json").write_text(json.dumps(content))
    out = tmp_path / "s.csv"
    code, said, _ = run("data", "split", synthetic_root, "--pairs", tmp_path / "audit", "--folds", 3, "--out", out)
    assert code == 0
    assert "Joined by 1 pairs" in said
    split = data.load_split(out, synthetic_records)
    assert (split.folds, split.pairs) == (3, 1)
    side = split.manifest.set_index("image_id")["part"]
    assert side[first] == side[second]
    code, _, err = run("data", "split", synthetic_root, "--protocol", "gruoped", "--out", out)
    assert code == 1
    assert "Did you mean 'grouped'" in err
    assert run("data", "split", synthetic_root, "--out", out)[0] == 1  # another split, not overwritten
    assert data.load_split(out, synthetic_records).hash == split.hash


def test_train_evaluate_export_classify(run, synthetic_root, tmp_path):
    code, out, _ = run(
        "train", "compact", "--data", synthetic_root, "--out", tmp_path / "r", "--epochs", 1, "--size", 16
    )
    assert code == 0
    assert str(tmp_path / "r") in out
    assert run("train", "compact", "--data", synthetic_root, "--out", tmp_path / "r")[0] == 1  # not overwritten
    code, out, _ = run("evaluate", tmp_path / "r", "--replicates", 20)
    assert code == 0
    assert "Balanced accuracy" in out
    code, out, _ = run("export", tmp_path / "r", tmp_path / "m.onnx")
    assert code == 0
    assert "probabilities differ by at most" in out
    code, out, _ = run("evaluate", tmp_path / "m.onnx", "--data", synthetic_root, "--own-test", "--replicates", 20)
    assert code == 0
    code, _, err = run("evaluate", tmp_path / "m.onnx", "--data", synthetic_root)
    assert code == 1
    assert "has seen" in err


def test_models_lists_what_ships(run):
    code, out, _ = run("models")
    assert code == 0
    for path in shipped_models().values():
        described = Bundle(path).metadata
        assert f"{described.parameters:,} parameters, {path.stat().st_size / 1e6:.2f} MB" in out
        assert f"{described.size}x{described.size} pixels" in out
        for values in described.metrics.values():
            for metric, found in values.items():
                assert f"{metric} {found['value']:.3f}" in out
        assert described.licence in out
        cost = read_costs().of(Bundle(path).sha256)
        assert f"{cost.total_macs / 1e6:.1f} M MACs" in out and f"{cost.median_ms:.1f} ms: median" in out
    names = [line for line in out.splitlines() if not line.startswith(" ")]
    assert names == [f"{name} (default)" if name == "lentigo-s" else name for name in shipped_models()]


def test_describe_and_audit_leave_a_page(run, synthetic_root, tmp_path):
    code, out, _ = run("data", "describe", synthetic_root, "--out", tmp_path / "described")
    assert code == 0
    assert (tmp_path / "described" / "index.html").exists()
    assert run("data", "split", synthetic_root, "--out", tmp_path / "s.csv")[0] == 0
    code, out, _ = run("data", "audit", synthetic_root, "--split", tmp_path / "s.csv", "--out", tmp_path / "audit")
    assert code == 0
    assert "label conflicts" in out
    assert {p.name for p in (tmp_path / "audit").iterdir()} >= {"audit.json", "audit.html", "leaks.json", "leaks.md"}
    assert json.loads((tmp_path / "audit" / "leaks.json").read_text())["leaky"] is False


def test_fetch_without_a_name_lists_what_there_is_with_licences(run):
    code, out, _ = run("data", "fetch")
    assert code == 0
    assert len(out.splitlines()) == len(load_manifests())
    line = next(line for line in out.splitlines() if line.startswith("ham10000 "))
    assert "Licence: CC BY-NC 4.0" in line
    code, _, err = run("data", "fetch", "ham")
    assert code == 1
    assert "ham10000" in err


@pytest.mark.parametrize(("options", "shape"), [((), (28, 28, 3)), (("--size", 8, "--grey"), (8, 8, 1))])
def test_pixels_writes_a_table_that_can_be_read_again(run, synthetic_root, synthetic_records, tmp_path, options, shape):
    code, out, _ = run("data", "pixels", synthetic_root, "--out", tmp_path / "hmnist.csv", *options)
    assert (code, out) == (0, f"Wrote {tmp_path / 'hmnist.csv'}\n")
    header = (tmp_path / "hmnist.csv").read_text().partition("\n")[0].split(",")
    assert len(header) == np.prod(shape) + 1
    again = data.read(tmp_path / "hmnist.csv")
    assert again.pixels.shape == (len(synthetic_records), *shape[:2], 3)
    assert again.ids.tolist() == synthetic_records.ids.tolist()
    assert again.table["dx"].tolist() == synthetic_records.table["dx"].tolist()
    code, _, err = run("data", "pixels", synthetic_root, "--out", synthetic_root / "HAM10000.csv")
    assert code == 1
    assert "one of the inputs" in err  # the metadata beside it would have taken the place of the data set's own


def test_augmentations_are_drawn_on_a_lesion(run, synthetic_root, tmp_path):
    code, out, _ = run("data", "augmentations", synthetic_root, "--out", tmp_path / "sheet.png")
    assert (code, out) == (0, f"Wrote {tmp_path / 'sheet.png'}\n")
    with Image.open(tmp_path / "sheet.png") as picture:
        assert picture.height > picture.width
    code, _, err = run("data", "augmentations", synthetic_root, "--out", tmp_path / "sheet.docx")
    assert code == 1
    assert "can't draw the sheet" in err
    assert [path.name for path in tmp_path.iterdir()] == ["sheet.png"]


@pytest.fixture(scope="module")
def faulty_root(tmp_path_factory):
    """A synthetic data set with an image missing, a diagnosis misspelt and an image that no row names."""
    root = synthetic.make(tmp_path_factory.mktemp("faulty"), lesions=35, seed=3, width=64, height=48)
    metadata = root / "HAM10000_metadata.csv"
    header, first, second, *rest = metadata.read_text().splitlines()
    image_id, dx = (second.split(",")[header.split(",").index(c)] for c in ("image_id", "dx"))
    metadata.write_text("\n".join([header, first, second.replace(f",{dx},", ",wart,"), *rest]) + "\n")
    images = sorted(p for p in (root / "images").iterdir() if p.stem != image_id)
    images[-1].unlink()
    (root / "images" / "stranger.jpg").write_bytes(images[0].read_bytes())
    return root


@pytest.mark.parametrize("verb", ["audit", "describe", "split", "pixels"])
def test_every_verb_that_reads_data_says_in_one_line_what_was_left_out(run, faulty_root, tmp_path, verb):
    out = {"split": "s.csv", "pixels": "p.csv"}.get(verb, verb)
    code, _, err = run("data", verb, faulty_root, "--out", tmp_path / out)
    assert code == 0
    (line,) = [line for line in err.splitlines() if line.startswith("Warning: ")]
    assert "2 skipped (" in line
    assert "missing image 1" in line
    assert "unknown label 1" in line
    if verb == "audit":
        page = (tmp_path / out / "audit.html").read_text(encoding="utf-8")
        assert "<h2>What reading skipped</h2>" in page
        assert "wart" in page
    assert "1 ignored (extra image 1)" in line
    assert f"lentigo data audit {faulty_root}" in line


def test_a_table_may_leave_its_folder_where_the_command_line_says_so(run, faulty_root, tmp_path):
    images = sorted((faulty_root / "images").iterdir())[:8]
    (tmp_path / "table").mkdir()
    rows = [f"{path},{'mel' if i % 2 else 'nv'},{i}" for i, path in enumerate(images)]
    (tmp_path / "table" / "t.csv").write_text("\n".join(["path,dx,lesion_id", *rows]) + "\n")
    command = ("data", "pixels", tmp_path / "table", "--out", tmp_path / "p.csv", "--size", 4)
    code, _, err = run(*command)
    assert code == 1
    assert "--outside" in err
    assert run(*command, "--outside")[0] == 0


@pytest.mark.parametrize(
    ("verb", "options"),
    [
        ("train", ("compact",)),
        ("search", ("compact",)),
        ("evaluate", ("BUNDLE",)),
        ("reproduce", ("compressed_cnn", "--budget", "quick")),
    ],
)
def test_verbs_that_learn_and_measure_say_so_too(run, faulty_root, bundle_path, tmp_path, monkeypatch, verb, options):
    def stop(*arguments, **named):
        raise RunError("far enough")

    places = (("training.fit", "train"), ("training.search", "search"), ("evaluation.evaluate", "predict"))
    for module, name in (*places, ("studies.engine", "plan")):
        monkeypatch.setattr(import_module(f"lentigo.{module}"), name, stop)  # by its path: a function has its name
    named = [str(bundle_path) if option == "BUNDLE" else option for option in options]
    code, _, err = run(verb, *named, "--data", faulty_root, "--out", tmp_path / "out")
    assert code == 1
    assert "far enough" in err
    warned = [line for line in err.splitlines() if line.startswith("Warning: ")]
    assert len(warned) == 1, err
    assert "missing image 1" in warned[0]
