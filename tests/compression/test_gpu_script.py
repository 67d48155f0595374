"""What is carried to a machine with a graphics card runs there as it stands: rehearsed here on the processor."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lentigo import compression, data, training

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "tools" / "teachers" / "gpu.sh"


def test_the_declared_teachers_and_views_are_valid():
    teachers = compression.load_teachers(ROOT / "tools" / "teachers" / "teachers.json")
    assert [teacher.weights for teacher in teachers] == [
        *("densenet169.safetensors", "tf_efficientnet_lite2.safetensors", "mobilenetv2_100.safetensors")
    ]
    assert not any(teacher.recipe.compile for teacher in teachers)  # the script sets it where there is a card
    assert training.Recipe.load(ROOT / "tools" / "teachers" / "views.json").size == 192


def shell(*arguments, **variables):
    environment = {**os.environ, "PYTHON": sys.executable, "PYTHONPATH": str(ROOT / "src"), **variables}
    done = subprocess.run(["bash", *map(str, arguments)], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_one_folder_holds_all_that_is_needed(synthetic_root, tmp_path):
    recipe = {"size": 16, "epochs": 1, "batch_size": 32, "flip_tta": False, "compile": False}
    specs = [{"name": f"t{seed}", "model": "compact", "recipe": {**recipe, "seed": seed}} for seed in range(2)]
    (tmp_path / "list.json").write_text(json.dumps(specs))
    (tmp_path / "views.json").write_text('{"size": 24}')
    given = {"LIST": str(tmp_path / "list.json"), "VIEWS_RECIPE": str(tmp_path / "views.json"), "SIZE": "32"}
    folder, out = tmp_path / "carried", tmp_path / "out"
    shell(SCRIPT, "pack", synthetic_root, tmp_path, folder, **given)
    settings = {"FOLDS": "0", "OF": "3", "VIEWS": "2", "DEVICE": "cpu", "LENTIGO_CACHE": str(tmp_path / "cache")}
    listed = shell(folder / "gpu.sh", "train", folder, out, **settings)
    for name in ("fold0.safetensors", "teachers.md", "table.json", "t0.parquet", "t1.parquet"):
        assert name in listed
    store = compression.load_soft_labels(out / "carry" / "fold0.safetensors")
    split = data.split(data.read(synthetic_root), folds=3)
    assert store.description.ids == split.train.ids.tolist()
    assert [teacher.size for teacher in store.description.teachers] == [16, 16]
    loss = {"name": "distillation", "params": {"store": str(out / "carry" / "fold0.safetensors")}}
    student = training.Recipe(size=16, epochs=1, batch_size=32, loss=loss)
    assert training.train("compact", split, student, out=tmp_path / "student").finished  # from the original images


def test_the_data_get_what_weights_and_code_leave(tmp_path):
    stub, asked = tmp_path / "python", tmp_path / "asked"
    real = f'[ "$1" = -c ] && exec {sys.executable} "$@"'
    stub.write_text(f'#!/bin/bash\n{real}\necho "$@" >>{asked}\n')
    stub.chmod(0o755)
    (tmp_path / "heavy").write_bytes(bytes(20 * 2**20))
    (tmp_path / "list.json").write_text(json.dumps([{"name": "t", "model": "compact", "weights": "heavy"}]))
    given = {"PYTHON": str(stub), "LIST": str(tmp_path / "list.json"), "TOTAL": "64"}
    shell(SCRIPT, "pack", tmp_path, tmp_path, tmp_path / "carried", **given)
    words = asked.read_text().split()
    assert 30 < int(words[words.index("--megabytes") + 1]) < 46  # 67 MB less 21 of weights and some of code
    with pytest.raises(AssertionError, match="list fewer teachers"):
        shell(SCRIPT, "pack", tmp_path, tmp_path, tmp_path / "small", **{**given, "TOTAL": "21"})


def test_it_says_how_it_is_used(tmp_path):
    done = subprocess.run(["bash", str(SCRIPT), "train"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "pack ROOT WEIGHTS FOLDER" in done.stdout
