"""Compare or combine saved tables of predictions, and say in Markdown what came out."""

import os
from collections.abc import Sequence
from pathlib import Path

from lentigo.atomic import refuse_existing, write_text
from lentigo.errors import DataError
from lentigo.evaluation.catalogue import PRIORS, VIEW_LABELS, entry
from lentigo.evaluation.metrics.measure import measure
from lentigo.evaluation.predictions import Predictions
from lentigo.evaluation.provenance import Provenance
from lentigo.evaluation.result import Result
from lentigo.evaluation.statistics.comparison import Comparison, Difference, compare
from lentigo.evaluation.statistics.runs import Combined, combine
from lentigo.render.markdown import p_value, table

__all__ = ["combine_tables", "compare_tables"]

PathLike = str | os.PathLike[str]


def compare_tables(
    tables: Sequence[PathLike], *, out: PathLike | None = None, replicates: int = 1000, overwrite: bool = False
) -> str:
    """Compare the models behind two or more tables of the same images, as `compare` does.

    Args:
        tables: files of predictions.
        out: JSON file to write as well.
        replicates: bootstrap resamples.
        overwrite: whether `out` may replace a file.

    Returns:
        Markdown.

    Raises:
        DataError: a broken table, fewer than two, or tables of other images.
        OutputError: `out` exists, is one of the tables, or can't be written.
    """
    _check(out, tables, overwrite)
    found = compare({name: Predictions.load(path) for name, path in _named(tables).items()}, replicates=replicates)
    _save(found, out)
    return _compared(found)


def combine_tables(tables: Sequence[PathLike], *, out: PathLike | None = None, overwrite: bool = False) -> str:
    """Mean and spread of the metrics of runs over folds and seeds, as `combine` does.

    Args:
        tables: files of predictions, one per run; those with the same split are seeds of one fold.
        out: JSON file to write as well.
        overwrite: whether `out` may replace a file.

    Returns:
        Markdown.

    Raises:
        DataError: a broken table, a run twice, or runs under other protocols or on other parts.
        OutputError: `out` exists, is one of the tables, or can't be written.
    """
    _check(out, tables, overwrite)
    found = combine([measure(Predictions.load(Path(path))) for path in _named(tables).values()])
    _save(found, out)
    return _combined(found)


def _named(tables: Sequence[PathLike]) -> dict[str, Path]:
    """Tables by the shortest names that distinguish them: the last parts of their paths."""
    paths = [Path(table) for table in tables]
    if len({path.absolute() for path in paths}) < len(paths):
        raise DataError("A table of predictions is listed twice.", "List each once.")
    deepest = max((len(path.absolute().parts) for path in paths), default=0)
    for depth in range(1, deepest + 1):
        names = ["/".join(path.absolute().with_suffix("").parts[-depth:]) for path in paths]
        names = [name.removesuffix("/predictions") for name in names]
        if len(set(names)) == len(names):
            return dict(zip(names, paths, strict=True))
    return {}


def _check(out: PathLike | None, tables: Sequence[PathLike], overwrite: bool) -> None:
    if out is not None:
        refuse_existing(out, overwrite=overwrite, inputs=tables)


def _save(found: Result, out: PathLike | None) -> None:
    if out is not None:
        write_text(out, found.to_json() + "\n")


def _compared(found: Comparison) -> str:
    lines = [f"{found.replicates:,} resamples of lesions, seed {found.seed}. p by Holm, over the pairs of models.", ""]
    lines += [f"- {warning}" for warning in found.warnings]
    for pair in found.pairs:
        test = pair.mcnemar
        lines += ["", f"**{pair.first} minus {pair.second}**", ""]
        what = found.provenance[pair.first]
        rows = [_row(d, "bootstrap", what) for d in pair.differences]
        rows += [_row(d, "DeLong", what) for d in pair.delong]
        lines.append(table(("metric", "better", "view", "test", "difference", "p"), rows))
        lines += [
            "",
            f"McNemar: lesions that only the first classifies correctly {test.first_only:,}, only the second "
            f"{test.second_only:,}; p {p_value(pair.mcnemar_p_holm)}.",
        ]
    return "\n".join(lines) + "\n"


def _row(found: Difference, test: str, what: Provenance) -> tuple[object, ...]:
    label = what.label(found.metric)
    name = label if found.task == "diagnosis" else f"{label} ({found.task})"
    return name, entry(found.metric).better, PRIORS[found.view], test, found.difference, p_value(found.p_holm)


def _combined(found: Combined) -> str:
    views = list(found.views)
    lines = [f"{found.runs} runs, {found.folds} splits. Mean over folds of means over seeds.", ""]
    lines += [f"- {warning}" for warning in found.warnings]
    for view in views:
        lines += ["", f"**{VIEW_LABELS[view]}**", ""]
        rows = []
        for key in found.provenance[0].shown("headline"):
            spread = found.views[view]["diagnosis"][key]
            interval = "" if spread.low is None else f" ({spread.low:.3f} to {spread.high:.3f})"
            mean = f"– ({spread.note})" if spread.mean is None else f"{spread.mean:.3f}{interval}"
            folds, seeds = ("–" if sd is None else f"{sd:.3f}" for sd in (spread.sd_folds, spread.sd_seeds))
            rows.append((found.provenance[0].label(key), mean, folds, seeds))
        lines.append(table(("metric", "mean (95 % interval)", "SD of folds", "SD of seeds"), rows))
    return "\n".join(lines) + "\n"
