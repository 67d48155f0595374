"""binary_melanoma's own CNN trained in Keras, beside what `lentigo reproduce` made of it: the same images and recipe.

    python benchmarks/peers/melanoma_cnn.py reproduced/binary_melanoma/runs/custom-cnn/balanced_subset/fold0-seed0/run \
        --keras /tmp/keras/bin/python --out results/studies/binary_melanoma/keras.txt

The run's own training, validation and test images at 224 pixels go to Keras as 0 to 1, in batches of 32, with Adam at a
constant 0.001 and early stopping on the validation loss with patience 3. Both parts hold as many benign as malignant
images, so that class weights are 1. Keras computes in float32.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).parents[1]))

from common import machine, publish
from lentigo import data
from lentigo.evaluation import predict_part
from lentigo.evaluation.tasks import TASKS
from lentigo.studies.outcome import native_predictions
from lentigo.training import Run, load_run

COLUMNS = ["train_accuracy", "train_loss", "val_accuracy", "val_loss"]


def export(run: Run, folder: Path) -> None:
    """The squares that the run saw, uint8 [N, S, S, 3], and benign or malignant [N], of each part."""
    pixels = data.load_pixels(run.split.records, run.recipe.size)
    for part in ("train", "validation", "test"):
        records = run.split.part(part)
        np.save(folder / f"{part}_images.npy", pixels.of(records))
        np.save(folder / f"{part}_labels.npy", run.labels(records))


def in_keras(python: Path, run: Run) -> tuple[pd.DataFrame, float, str]:
    """An epoch a row, the test accuracy, and versions."""
    side = Path(__file__).with_name("melanoma_cnn_keras.py")
    with tempfile.TemporaryDirectory() as folder:
        export(run, Path(folder))
        subprocess.run([python, side, folder, str(run.recipe.seed)], check=True)
        accuracy, versions = (Path(folder) / "test.txt").read_text().splitlines()
        return pd.read_csv(Path(folder) / "epochs.csv"), float(accuracy), versions


def in_lentigo(run: Run) -> tuple[pd.DataFrame, float, str]:
    decided, task = native_predictions(predict_part(run, "test"), run), TASKS["malignancy"]
    right = task.probabilities(decided.probabilities).argmax(axis=1) == task.labels(decided.labels)
    versions = f"torch {run.environment['torch']}, {run.recipe.precision}"
    return pd.read_csv(run.path / "log" / "metrics.csv"), float(right.mean()), versions


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="of melanoma_cnn, finished")
    parser.add_argument("--keras", type=Path, required=True, help="the python with requirements.txt in it")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    run = load_run(options.run)
    lines = [f"{run.model}: {len(run.split.train)} training, {len(run.split.validation)} validation, "]
    lines[0] += f"{len(run.split.test)} test images, protocol {run.split.protocol}, seed {run.recipe.seed}"
    for name, (rows, accuracy, versions) in (("lentigo", in_lentigo(run)), ("Keras", in_keras(options.keras, run))):
        lines += ["", f"{name} ({versions})", rows[["epoch", *COLUMNS]].to_string(index=False, float_format="%.3f")]
        lines.append(f"test accuracy of the epoch with the lowest validation loss: {accuracy:.3f}")
    publish([*lines, "", machine("torch")], options.out)


if __name__ == "__main__":
    main()
