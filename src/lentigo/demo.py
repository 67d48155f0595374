"""The whole pipeline in one call: train, evaluate, export, classify, heat maps."""

import os
import time
from pathlib import Path

from lentigo.errors import LentigoError, needs_extra
from lentigo.runtime import Failure, classify_files

with needs_extra("lentigo.demo", "train"):
    from lentigo import data, evaluation, export, training
    from lentigo.data.sources import synthetic

__all__ = ["demo"]

SYNTHETIC_LESIONS = 700
SYNTHETIC_EPOCHS = 14
REAL_EPOCHS = 40
PICTURES = 24


def demo(out: str | os.PathLike[str] = "demo", root: str | os.PathLike[str] | None = None) -> str:
    """Run the whole pipeline on real images, or on synthetic ones drawn first, and report where the results are.

    An interrupted demo resumes.

    Args:
        out: folder for everything.
        root: a data set (default: synthetic lesions, which say nothing about skin).

    Returns:
        A summary: what was created and measured, and where it is.
    """
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    start = time.perf_counter()
    lesions = Path(root) if root else folder / "lesions"
    if root is None and not (lesions / "HAM10000_metadata.csv").exists():
        _say(f"Drawing {SYNTHETIC_LESIONS} synthetic lesions")
        synthetic.make(lesions, lesions=SYNTHETIC_LESIONS)
    split = data.split(data.read(lesions))
    _say(f"Training on {split}")
    recipe = training.Recipe(epochs=REAL_EPOCHS if root else SYNTHETIC_EPOCHS)
    run = training.train("compact", split, recipe, out=folder / "run", resume=(folder / "run" / "recipe.json").exists())
    _say("Evaluating on the test part")
    metrics = evaluation.evaluate(run.path)
    _say("Exporting the bundle and verifying it against the network")
    bundle = export.bundle(run, folder / "demo.onnx")
    _say("Classifying test images and drawing heat maps")
    test = split.test.table["path"].tolist()
    chosen = test[:: max(1, len(test) // PICTURES)][:PICTURES]
    results = list(classify_files(chosen, model=bundle.path, explain=folder / "explained", overwrite=True))
    failed = [r for r in results if isinstance(r, Failure)]
    if failed:
        raise LentigoError(f"{len(failed)} of the demo's images can't be read; the first: {failed[0].error}")
    return (
        f"\n{evaluation.summarise(metrics)}\n"
        f"Done in {time.perf_counter() - start:.0f} s. {'Real' if root else 'SYNTHETIC'} images: {lesions}\n"
        f"  run, log, metrics   {run.path}\n"
        f"  one-file bundle     {bundle.path}\n"
        f"  heat maps           {folder / 'explained'}\n"
        f"Next: lentigo classify --model {bundle.path} IMAGE\n"
    )


def _say(step: str) -> None:
    print(f"· {step}", flush=True)
