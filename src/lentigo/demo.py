"""From nothing to explained verdicts in one call: train, evaluate, export, classify, draw."""

import os
import time
from pathlib import Path

from lentigo import data, evaluation, export, training
from lentigo.data.sources import synthetic
from lentigo.errors import LentigoError
from lentigo.runtime import Failure, classify_files

__all__ = ["demo"]

SYNTHETIC_LESIONS = 700
SYNTHETIC_EPOCHS = 14
REAL_EPOCHS = 40
PICTURES = 24


def demo(out: str | os.PathLike[str] = "demo", root: str | os.PathLike[str] | None = None) -> str:
    """Run the whole path, on real images or on synthetic ones that are drawn first, and say where everything lies.

    A demo that was interrupted goes on where it was.

    Args:
        out: folder for everything.
        root: a data set; without it synthetic lesions, which say nothing about skin.

    Returns:
        What was made, what was measured and where it lies, for people.
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
    _say("Exporting, and comparing the bundle with the network")
    bundle = export.bundle(run, folder / "demo.onnx")
    _say("Classifying test images and drawing where the model looked")
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
        f"  the one-file model  {bundle.path}\n"
        f"  explained images    {folder / 'explained'}\n"
        f"Next: lentigo classify --model {bundle.path} PICTURE\n"
    )


def _say(step: str) -> None:
    print(f"· {step}", flush=True)
