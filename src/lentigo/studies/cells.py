"""Printed values beside recomputed and measured ones, as data."""

from collections.abc import Callable, Mapping, Sequence
from statistics import fmean

from lentigo.evaluation import combine
from lentigo.evaluation.result import Estimate, Result
from lentigo.studies.outcome import Outcome
from lentigo.studies.study import Measured, Study, Table
from lentigo.studies.variants import VariantOutcome, of_variant

__all__ = ["CellValues", "TableValues", "fill", "metric_of", "of_system"]


class CellValues(Result):
    """One printed value.

    Attributes:
        row, column: where it is.
        published: as printed.
        recomputed: what arithmetic, or counting the data set, makes of it; None where they have no say.
        measured: by protocol; None where that was not run.
        note: what a reader must know.
    """

    row: str
    column: str
    published: float
    recomputed: float | None
    measured: dict[str, Estimate | None]
    note: str


class TableValues(Result):
    """A printed table, value by value.

    Attributes:
        name, caption: as printed.
        cells: its values, row by row.
    """

    name: str
    caption: str
    cells: tuple[CellValues, ...]


def fill(
    study: Study,
    table: Table,
    outcomes: Sequence[Outcome],
    protocols: Sequence[str],
    counts: Mapping[str, int],
    variants: Sequence[VariantOutcome] = (),
) -> TableValues:
    """Recompute and measure the values of a table, where that can be done.

    Args:
        study: whose table it is.
        table: as printed.
        outcomes: of all trainings.
        protocols: which to show.
        counts: images of each diagnosis in the data set.
        variants: compressed forms of the trainings.
    """
    cells = []
    for row, values in table.rows.items():
        for column, published in zip(table.columns, values, strict=True):
            if published is None:
                continue
            key = (table.name, row, column)
            recompute, counted, measured = study.recomputed.get(key), study.counted.get(key), study.measured.get(key)
            found = {p: _value(measured, outcomes, variants, p) for p in protocols} if measured else {}
            cells.append(
                CellValues(
                    row=row,
                    column=column,
                    published=published,
                    recomputed=recompute() if recompute else counts[counted] if counted else None,
                    measured=found,
                    note=_note(measured, outcomes) if measured else "",
                )
            )
    return TableValues(name=table.name, caption=table.caption, cells=tuple(cells))


def of_system(outcomes: Sequence[Outcome], system: str, protocol: str) -> list[Outcome]:
    """The outcomes of one system under one protocol: a fold or seed each."""
    return [o for o in outcomes if o.system == system and o.protocol == protocol]


def metric_of(outcomes: Sequence[Outcome | VariantOutcome], metric: str, *, honest: bool = False) -> Estimate | None:
    """A metric of one system under one protocol, as the network decides or, if `honest`, as lentigo reports it.

    Of one training the interval is the bootstrap's over lesions; of several it is that of their mean.
    """
    if not outcomes:
        return None
    task = outcomes[0].task
    known = [o.honest if honest else o.native for o in outcomes]
    found = [metrics for metrics in known if metrics is not None]
    if len(found) < len(known):
        return None  # a compressed form without a file
    if len(found) == 1:
        return found[0].get(metric, task)
    spread = combine(found).views["equal_prevalence"][task][metric]
    note = spread.note or f"mean of {len(found)}, standard deviation over folds {spread.sd_folds or 0:.3f}"
    return Estimate(value=spread.mean, low=spread.low, high=spread.high, note=note)


def _value(
    measured: Measured, outcomes: Sequence[Outcome], variants: Sequence[VariantOutcome], protocol: str
) -> Estimate | None:
    if measured.variant:
        return metric_of(of_variant(variants, measured.variant, protocol), measured.metric)
    own = of_system(outcomes, measured.system, protocol)
    if not own:
        return None
    if measured.saved_over:
        other = of_system(outcomes, measured.saved_over, protocol)
        read = _COSTS[measured.metric]
        saved = 1 - fmean(map(read, own)) / fmean(map(read, other)) if other else None
        return None if saved is None else Estimate(value=100 * saved)
    if measured.metric.startswith("images"):
        return Estimate(value=_images(own[0], measured.metric.partition(".")[2]))
    found = metric_of(own, measured.metric)
    if found is None or not measured.percent:
        return found
    low, high = (None if end is None else 100 * end for end in (found.low, found.high))
    return Estimate(value=None if found.value is None else 100 * found.value, low=low, high=high, note=found.note)


def _note(measured: Measured, outcomes: Sequence[Outcome]) -> str:
    """The study's own note; of training time saved, how long either was trained, for a budget cuts them unalike."""
    if not (measured.saved_over and measured.metric == "seconds"):
        return measured.note
    trained = {o.system: o.trained_epochs for o in outcomes}
    own, other = (trained.get(system) for system in (measured.system, measured.saved_over))
    return f"measured: {own} epochs against {other}" if own and other and own != other else measured.note


_COSTS: dict[str, Callable[[Outcome], float]] = {
    "seconds": lambda outcome: outcome.seconds,
    "milliseconds": lambda outcome: outcome.milliseconds,
}


def _images(outcome: Outcome, answer: str) -> int:
    """Test images, of one answer or of all."""
    task = outcome.native.views["equal_prevalence"][outcome.task]
    counts = dict(zip(task.classes, map(sum, task.confusion), strict=True))
    return counts[answer] if answer else sum(counts.values())
