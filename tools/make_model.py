"""Make a model that ships from a run: its bundle in 8 bits in the package, and what is measured of it in results/NAME.

python tools/make_model.py RUN NAME --data FOLDER --work FOLDER [--keep 0.03 0.06 0.1] [--balanced] [--packed]
python tools/make_model.py RUN NAME --data FOLDER --work FOLDER --clusters 256 [--packed]

--data is the data set that it was trained on. In the first form it computes in 8 bits, but for the layers that a scan
finds most sensitive, as many as hold --keep of the weights: the first share whose file answers as the exact one does is
taken. --balanced calibrates on as many images of each diagnosis. In the second form, for networks whose answers 8 bits
change too much, it stores weights in 8 bits and computes in 32. --packed writes NAME.onnx.zst. Interrupted, it starts
again; the files are the same. tools/ship.py then writes what goes with it.

With --fold FOLDER the same is made of a run of another fold, for the mean over folds: nothing ships, the file stays
in --work, and its answers on its test part go into FOLDER, with its size and what its line of networks started from.
`benchmarks/flagships.py by-fold` takes such folders.
"""

import argparse
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from lentigo import compression, evaluation, export, training
from lentigo.atomic import write_bytes, write_text
from lentigo.errors import BundleError
from lentigo.evaluation import predict_own_part
from lentigo.report import report
from lentigo.runtime import Bundle
from lentigo.training.students import portable

ROOT = Path(__file__).parent.parent
WEIGHTS = ROOT / "src" / "lentigo" / "weights"


def main() -> None:
    """Do all of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("name")
    parser.add_argument("--data", type=Path, required=True, help="folder of the images")
    parser.add_argument("--work", type=Path, required=True, help="folder for files in between")
    parser.add_argument(
        "--keep", type=float, nargs="+", default=[0.03, 0.06, 0.1], help="shares of the weights that keep 16 bits"
    )
    parser.add_argument("--balanced", action="store_true", help="calibrate on as many images of each diagnosis")
    parser.add_argument("--clusters", type=int, help="different weights of a layer, instead of 8-bit computation")
    parser.add_argument("--packed", action="store_true", help="write NAME.onnx.zst")
    parser.add_argument("--fold", type=Path, help="of another fold: its answers, and nothing into the package")
    asked = parser.parse_args()
    run = training.load_run(asked.run, data=asked.data)
    path = bundle(run, asked)
    if asked.fold:
        evaluation.evaluate(path, root=asked.data, own_test=True, out=asked.fold)
        first = starting_weights(Bundle(path, threads=1).metadata.start)
        about = {"bytes": path.stat().st_size, "starting_weights": first}
        write_text(asked.fold / "model.json", json.dumps(about, indent=2) + "\n")
    else:
        measure(path, run, asked.data, ROOT / "results" / asked.name)


def starting_weights(start: dict[str, Any]) -> dict[str, Any]:
    """What the first network of a line of pruned ones started from."""
    while "parent_start" in start:
        start = start["parent_start"]
    return start


def bundle(run: training.Run, asked: argparse.Namespace) -> Path:
    """The run's network in 8 bits, in the package, or that of another fold in --work; its path."""
    name, work = asked.name, asked.work
    (work / "int8").mkdir(parents=True, exist_ok=True)
    exact = export.bundle(run, work / f"{name}.onnx")
    small = work / "int8" / f"{name}.onnx"
    small.unlink(missing_ok=True)
    if asked.clusters:
        compression.cluster(exact, run.records, small, clusters=asked.clusters, name=name)
    else:
        quantize(exact, run, small, asked)
    if asked.packed:
        packed = small.with_suffix(".onnx.zst")
        export.convert(small, packed)
        small = packed
    if asked.fold:
        return small
    path = write_bytes(WEIGHTS / small.name, small.read_bytes())
    for other in WEIGHTS.glob(f"{name}.onnx*"):  # packed before, and not now, or the reverse
        if other != path:
            other.unlink()
    print(f"{name}: {path.stat().st_size:,} bytes", flush=True)
    return path


def quantize(exact: Bundle, run: training.Run, small: Path, asked: argparse.Namespace) -> None:
    """The bundle in 8 bits, with as few exact layers as its policy allows."""
    scan = compression.sensitivity(exact, run.records)
    for share in asked.keep:
        kept = scan.keep(share) if share else ()
        try:
            compression.quantize(exact, run.records, small, keep=kept, balanced=asked.balanced, name=asked.name)
        except BundleError as error:  # its answers differ too much
            if share == asked.keep[-1]:
                raise
            print(f"{share:.0%} of the weights in 16 bits: {error.message}", flush=True)
        else:
            return


def measure(path: Path, run: training.Run, root: Path, results: Path) -> None:
    """Evaluate the file on its own test part, with its history, OOD rejection and card."""
    evaluation.evaluate(path, root=root, own_test=True, robustness=True, out=results)
    opened = Bundle(path, threads=1)
    predict_own_part(opened, run.records, "validation").save(results / "validation.parquet")
    shutil.copy(run.path / "log" / "metrics.csv", results / "training.csv")
    write_text(results / "recipe.json", json.dumps(portable(run.recipe), indent=2) + "\n")
    ood = [sys.executable, str(ROOT / "benchmarks" / "ood.py"), str(path), str(root), "--out", str(results)]
    subprocess.run(ood, check=True)
    report([results / "predictions.parquet"], ROOT / "docs" / results.name, bundle=str(path))


if __name__ == "__main__":
    main()
