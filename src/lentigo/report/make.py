"""One call from predictions to a folder with everything that can be reported for them."""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from lentigo import data
from lentigo.arguments import checked
from lentigo.atomic import own_folder, write_text
from lentigo.errors import DataError
from lentigo.evaluation.predictions import Predictions
from lentigo.labels import KNOWN
from lentigo.report.card import model_card
from lentigo.report.checklist import Checklists, fill, to_markdown
from lentigo.report.compare import describe_comparison
from lentigo.report.page import describe, write
from lentigo.report.subject import Subject
from lentigo.runtime import Bundle
from lentigo.runtime.shipped import find_bundle

__all__ = ["report"]

PathLike = str | os.PathLike[str]


@checked
def report(
    predictions_paths: Sequence[PathLike],
    out: PathLike | None = None,
    *,
    bundle: PathLike | None = None,
    root: PathLike | None = None,
    outside: bool = False,
    prevalence: Mapping[str, float] | None = None,
    replicates: int = 1000,
) -> Path:
    """Write the report of a model, or of several on the same images.

    For one model: index.html; report.json with report.schema.json; checklist.md; checklist.json with
    checklist.schema.json; and with a bundle README.md, the model card. For several: the page of the comparison, and
    each model's report in a folder of its own.

    Args:
        predictions_paths: tables of predictions, or folders in which `evaluate` left one, such as a run.
        out: folder to write into; for one table by default the folder `report` beside it.
        bundle: name or path of the model that made the predictions, for one table: its thresholds are applied, and its
            card is written.
        root: the data set that the predictions were made on, for pictures of the mistakes.
        outside: whether its table may name images outside its own folder.
        prevalence: share of positives in the clinic by task, 'melanoma' and 'malignancy', for predictive values and
            decision curves; without it an illustration.
        replicates: bootstrap resamples behind the intervals; 0 for none.

    Returns:
        Path of the page.

    What `evaluate` left beside a table (validation.parquet, fairness.json, robustness.json) is used; a section that
    lacks its input names the command that makes it.

    Raises:
        DataError: no table, a broken one, tables of different images, or a bundle that didn't make the predictions.
        BundleError: the bundle can't be read.
    """
    paths = [_table_of(Path(p)) for p in predictions_paths]
    if not paths:
        raise DataError("There are no predictions to report on.", "Name a predictions.parquet, or an evaluated run.")
    folder = _folder_for(paths, out)
    own_folder(folder, ("report.json",))
    if bundle is not None and len(paths) > 1:
        raise DataError("A bundle goes with one table of predictions.", "Report on each model separately.")
    opened = None if bundle is None else Bundle(find_bundle(bundle), threads=1)
    for task, share in (prevalence or {}).items():
        if task not in ("melanoma", "malignancy"):
            raise DataError(f"Unknown task {task!r}.", "Use malignancy or melanoma.")
        if not 0 < share < 1:
            raise DataError(
                f"The prevalence of {task} must be between 0 and 1, not {share}.", "Give a share, such as 0.02."
            )
    records = None if root is None else _records(root, paths[0], outside)
    subjects = [
        Subject.read(path, bundle=opened, records=records, prevalence=prevalence, replicates=replicates)
        for path in paths
    ]
    if len(subjects) == 1:
        return _one(subjects[0], folder)
    named = {_unlike(s.name, [o.name for o in subjects[:i]]): s for i, s in enumerate(subjects)}
    links = {f"Report of {name}": f"{_folder(name)}/index.html" for name in named}
    document = describe_comparison(named, links, replicates=replicates)
    for name, subject in named.items():
        _one(subject, folder / _folder(name))
    return write(document, folder)


def _table_of(path: Path) -> Path:
    """The table of predictions that is meant: a file, or what `evaluate` left in a folder.

    Raises:
        DataError: the folder holds none; the message says what to type.
    """
    if not path.is_dir():
        return path
    if (path / "predictions.parquet").is_file():
        return path / "predictions.parquet"
    if (path / "recipe.json").is_file():
        raise DataError(f"{path}: this run has not been evaluated yet.", f"Run: lentigo evaluate {path}")
    raise DataError(
        f"{path}: this folder contains no predictions.parquet.",
        f"Evaluate a run (lentigo evaluate RUN) or a bundle (lentigo evaluate MODEL --data ROOT --out {path}) first.",
    )


def _folder_for(paths: Sequence[Path], out: PathLike | None) -> Path:
    """Where to write: as named, or beside the only table."""
    if out is not None:
        return Path(out)
    if len(paths) > 1:
        raise DataError("A comparison needs an output folder.", "Name one with --out.")
    return paths[0].parent / "report"


def _records(root: str | os.PathLike[str], predictions: Path, outside: bool) -> data.Records:
    """The data set, read with the predictions' labels where they are none that a layout brings."""
    labels = Predictions.load(predictions).label_set
    return data.read(root, labels=None if labels in KNOWN.values() else labels, outside=outside)


def _one(subject: Subject, folder: Path) -> Path:
    links = {"Reporting checklists": "checklist.md"}
    filled = fill(subject)
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / "checklist.md", to_markdown(filled))
    write_text(folder / "checklist.schema.json", json.dumps(Checklists.model_json_schema(), indent=2) + "\n")
    write_text(folder / "checklist.json", filled.to_json() + "\n")
    if subject.bundle is not None:
        write_text(folder / "README.md", model_card(subject))
        links["Model card"] = "README.md"
    return write(describe(subject, links), folder)


def _unlike(name: str, taken: Sequence[str]) -> str:
    """A name that distinguishes a model from others of the same name."""
    return f"{name} ({taken.count(name) + 1})" if name in taken else name


def _folder(name: str) -> str:
    """A name as a folder's."""
    return "".join(c if c.isalnum() or c in "-_." else "-" for c in name).strip("-.") or "model"
