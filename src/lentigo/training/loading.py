"""Reading a run's folder, wherever it and its images are now."""

import json
import math
import os
from dataclasses import replace
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from lentigo import data
from lentigo.arguments import checked
from lentigo.errors import DataError, RunError, reason
from lentigo.labels import HAM10000, LabelSet
from lentigo.training.devices import Device, find_device
from lentigo.training.recipe import Recipe
from lentigo.training.run import DAMAGED, Run

__all__ = ["load_run"]

_DESCRIPTION = TypeAdapter(Run)


@checked
def load_run(path: str | os.PathLike[str], data: data.Root | None = None, *, device: Device = "auto") -> Run:
    """Read a run's folder.

    Args:
        path: the folder.
        data: where the images are now; without it where they were when it was trained. Of several data sets, where the
            main one is, or a sequence that says where each is.
        device: where it predicts: 'auto', 'cpu', 'cuda' or 'mps'.

    Raises:
        RunError: not a run, a description that is damaged, another number of data sets, or no such device.
    """
    file = Path(path) / "recipe.json"
    find_device(device)
    try:
        values = dict(json.loads(file.read_text(encoding="utf-8")))
        values["recipe"] = Recipe.from_dict(values["recipe"], recorded=True).to_dict()
        label_set = LabelSet.from_dict(values.pop("label_set")) if "label_set" in values else HAM10000
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(
            f"{path}: not a lentigo run ({reason(error)}).", "Name a folder written by lentigo train."
        ) from None
    except (RunError, DataError) as error:
        raise RunError(f"{file}: {error.message} {error.hint}", DAMAGED) from None
    moved = {"path": str(path), "device": device}
    try:
        run = _DESCRIPTION.validate_json(json.dumps(values | moved), context={"recorded": True})
    except ValidationError as error:
        fault = error.errors()[0]
        place = ".".join(map(str, fault["loc"]))
        raise RunError(f"{file}: {place} is {fault['input']!r} ({fault['msg']}).", DAMAGED) from None
    if len(run.prior) != len(label_set):
        raise RunError(f"{file}: {len(run.prior)} entries in prior for {len(label_set)} labels.", DAMAGED)
    if not math.isclose(sum(run.prior), 1, abs_tol=1e-3):
        raise RunError(f"{file}: prior adds up to {sum(run.prior):g}, not to 1.", DAMAGED)
    return _moved(replace(run, label_set=label_set), data)


def _moved(run: Run, root: data.Root | None) -> Run:
    """The run with its data sets at other places."""
    if root is None:
        return run
    roots = [str(Path(r).absolute()) for r in ([root] if isinstance(root, str | os.PathLike) else root)]
    if len(roots) not in (1, max(1, len(run.sources))):
        raise RunError(
            f"{run.path}: {len(roots)} data sets named for a run of {max(1, len(run.sources))}.",
            f"Name the place of each, in this order: {run.source}.",
        )
    places = [*roots, *(source.root for source in run.sources[len(roots) :])]
    sources = tuple(replace(source, root=r) for source, r in zip(run.sources, places, strict=False))
    return replace(run, root=roots[0], sources=sources)
