"""The diffs of CONTRIBUTING apply to the package, and what they add is found without another change."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.evaluation import imagined

ROOT = Path(__file__).parent.parent
DIFFS = re.findall(r"^```diff\n(.*?)^```", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"), re.M | re.S)
USES = """
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from lentigo import data, evaluation, models, training
from lentigo.data import augment
from lentigo.evaluation.catalogue import METRICS, label
from lentigo.evaluation.robustness.perturb import PERTURBATIONS

assert "youden" in METRICS and label("youden.mel") == "Melanoma Youden's J"
table = evaluation.Predictions.load(Path("predictions.parquet"))
found = evaluation.measure(table, replicates=20)
assert found.get("youden.macro").low <= found.get("youden.macro").value <= found.get("youden.macro").high

assert "two_layers" in models.names()
assert models.build("two_layers", 5)(torch.zeros(1, 3, 64, 64)).shape == (1, 5)

image = np.arange(12 * 12 * 3, dtype=np.uint8).reshape(12, 12, 3)
flat = PERTURBATIONS["contrast"].apply(image, 0.8, np.random.default_rng(0))
assert flat.std() < 0.3 * image.std()

assert "Invert" in augment.names()
recipe = {
    "size": 32, "epochs": 1, "batch_size": 32,
    "augmentations": [{"name": "Invert", "probability": 0.3}],
    "loss": {"name": "confident", "params": {"share": 0.2}},
    "callbacks": ["ClippedWeights"],
}
folder = Path("named")
folder.mkdir()
(folder / "named.txt").touch()
rng = np.random.default_rng(0)
for n in range(60):
    dx = ("nv", "mel", "bkl")[n % 3]
    Image.fromarray(rng.integers(0, 256, (40, 40, 3), dtype=np.uint8)).save(folder / f"{dx}_{n:04d}.jpg")
records = data.read(folder)
assert records.name == "named_files" and len(records) == 60
run = training.train("two_layers", data.split(records), training.Recipe.from_dict(recipe), out="run")
assert max(float(p.abs().max()) for p in run.network().parameters()) <= 1
"""


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("copy")
    shutil.copytree(ROOT / "src", folder / "src", ignore=shutil.ignore_patterns("__pycache__"))
    for diff in DIFFS:
        command = ["git", "apply", "--recount", "--verbose", "-"]
        applied = subprocess.run(command, input=diff, cwd=folder, capture_output=True, text=True, check=False)
        assert applied.returncode == 0, f"{applied.stderr}\n{diff}"
    return folder


def test_each_addition_is_one_file():
    assert len(DIFFS) == 7
    assert all(diff.count("+++ ") == 1 for diff in DIFFS)


def test_additions_are_found(copy, tmp_path):
    imagined.make().save(tmp_path / "predictions.parquet")
    environment = os.environ | {"PYTHONPATH": str(copy / "src"), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", USES]
    used = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert used.returncode == 0, used.stderr
