"""What trained teachers came to: predictions pooled over folds, measured, alone and together."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from lentigo.atomic import replacing, write_text
from lentigo.evaluation import Combined, Predictions, combine, measure, pool
from lentigo.evaluation.result import Result
from lentigo.evaluation.statistics.runs import Spread
from lentigo.render.markdown import table
from lentigo.training.history import duration

__all__ = ["TaughtTeachers", "ensemble_of", "summarise"]

PAGE, RESULT = "teachers.md", "table.json"
SHOWN = ("balanced_accuracy", "auc", "sensitivity_at_80_specificity", "ece")


class TaughtTeachers(Result):
    """What a list of teachers came to.

    Attributes:
        folds: numbers of the folds.
        of: into how many the data set was divided.
        seconds: of training, by teacher.
        results: by teacher, and 'ensemble' for the mean of their probabilities.
    """

    folds: tuple[int, ...]
    of: int
    seconds: dict[str, float]
    results: dict[str, Combined]

    def to_markdown(self) -> str:
        """As a table, a row a teacher."""
        what = next(iter(self.results.values())).provenance[0]
        shown = [name for name in what.shown("headline") if name.partition(".")[0] in SHOWN]
        rows = [
            (
                name,
                *(_cell(found.views["equal_prevalence"]["diagnosis"][metric]) for metric in shown),
                duration(self.seconds[name]) if name in self.seconds else "–",
            )
            for name, found in self.results.items()
        ]
        warnings = dict.fromkeys(w for found in self.results.values() for w in found.warnings)
        blocks = [
            "# Teachers",
            f"Test parts of {len(self.folds)} of {self.of} folds ({', '.join(map(str, self.folds))}), protocol "
            f"{what.protocol}, all diagnoses equally common: mean over folds, and its interval of 95 %, which allows "
            "for shared training images. The ensemble is the mean of the probabilities.",
            table(("teacher", *map(what.label, shown), "training"), rows),
            "\n".join(f"- {warning}" for warning in warnings),
        ]
        return "\n\n".join(block for block in blocks if block) + "\n"


def summarise(
    folder: Path, names: Sequence[str], folds: Sequence[int], of: int, seconds: Mapping[str, float]
) -> TaughtTeachers:
    """Pool, measure and combine what the runs predicted."""
    tables = {
        name: [Predictions.load(folder / name / f"fold{fold}" / "predictions.parquet") for fold in folds]
        for name in names
    }
    for name in names:
        with replacing(folder / name / "out_of_fold.parquet") as partial:
            pool(tables[name]).save(partial)
    if len(names) > 1:
        tables["ensemble"] = [ensemble_of([tables[name][i] for name in names]) for i in range(len(folds))]
    results = {name: combine([measure(part) for part in parts]) for name, parts in tables.items()}
    taught = TaughtTeachers(folds=tuple(folds), of=of, seconds=dict(seconds), results=results)
    write_text(folder / RESULT, taught.to_json() + "\n")
    write_text(folder / PAGE, taught.to_markdown())
    return taught


def ensemble_of(members: Sequence[Predictions]) -> Predictions:
    """The mean of what several teachers say of the same images."""
    first = members[0]
    places = [pd.Index(m.table["image_id"]).get_indexer(pd.Index(first.table["image_id"])) for m in members]
    mean = np.mean([m.probabilities[place] for m, place in zip(members, places, strict=True)], axis=0)
    return first.replaced(mean, model="ensemble", model_sha256=None)


def _cell(spread: Spread) -> str:
    """A metric with its interval."""
    if spread.mean is None:
        return f"undefined ({spread.note})"
    return f"{spread.mean:.3f}" + (f" ({spread.low:.3f} to {spread.high:.3f})" if spread.low is not None else "")
