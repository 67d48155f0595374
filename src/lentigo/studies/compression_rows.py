"""What each compression technique gave on each network, over the folds that were run."""

from collections.abc import Sequence
from statistics import fmean

from lentigo.compression.survey import TECHNIQUES, Surveyed
from lentigo.evaluation import combine, compare_runs
from lentigo.evaluation.result import Estimate, Result
from lentigo.evaluation.statistics.runs import Spread, spread

__all__ = ["FP32", "Row", "rows_of"]

FP32 = next(iter(TECHNIQUES))
"""What every other technique is compared with."""


class Row(Result):
    """One technique on one network, over the folds that were run.

    Attributes:
        network, technique: which.
        folds: that were run.
        epochs: of the training that it started from.
        fine_tuned: epochs that the technique trained further.
        teachers: models that it learned from, by name; empty where it learned from none but the run itself.
        size: bytes by footing, of the first fold.
        macs: multiply-accumulates of one image by part, of the first fold.
        latency_ms: median milliseconds by images at a time, the mean over folds.
        peak_bytes: as in `Surveyed`, of the first fold.
        metrics: balanced accuracy, macro AUC, ECE, and sensitivity and specificity for melanoma at the file's own
            operating point, on the test part.
        loss: of balanced accuracy against fp32.
        gate: the verdict of each fold; empty for fp32.
    """

    network: str
    technique: str
    folds: tuple[int, ...]
    epochs: int
    fine_tuned: int = 0
    teachers: tuple[str, ...] = ()
    size: dict[str, int]
    macs: dict[str, int]
    latency_ms: dict[int, float]
    peak_bytes: int | None
    metrics: dict[str, Estimate]
    loss: Estimate | None
    gate: tuple[str, ...]


def rows_of(measured: Sequence[Surveyed]) -> tuple[Row, ...]:
    """A row for each network and technique: one fold with its own intervals, or the mean of several with theirs."""
    rows = []
    for network in dict.fromkeys(s.network for s in measured):
        of = {t: [s for s in measured if (s.network, s.technique) == (network, t)] for t in TECHNIQUES}
        rows += [_row(own, of[FP32]) for own in of.values() if own]
    return tuple(rows)


def _row(own: Sequence[Surveyed], fp32: Sequence[Surveyed]) -> Row:
    first = own[0]
    names = {"balanced accuracy": "balanced_accuracy", "macro AUC": "auc.macro", "ECE": "ece"}
    metrics = {label: _metric(own, name) for label, name in names.items()}
    metrics["melanoma sensitivity"] = _mean([s.sensitivity for s in own])
    metrics["melanoma specificity"] = _mean([s.specificity for s in own])
    return Row(
        network=first.network,
        technique=first.technique,
        folds=tuple(s.fold for s in own),
        epochs=first.epochs,
        fine_tuned=first.fine_tuned,
        teachers=tuple(dict.fromkeys(f"{t.name} ({t.sha256[:12]})" for s in own for t in s.teachers)),
        size=first.size,
        macs=first.macs,
        latency_ms={batch: fmean(s.latency_ms[batch] for s in own) for batch in first.latency_ms},
        peak_bytes=first.peak_bytes,
        metrics=metrics,
        loss=_loss(own, fp32),
        gate=tuple(s.gate.verdict for s in own if s.gate),
    )


def _metric(own: Sequence[Surveyed], name: str) -> Estimate:
    if len(own) == 1:
        return own[0].metrics.get(name)
    return _of(combine([s.metrics for s in own]).views["equal_prevalence"]["diagnosis"][name])


def _mean(values: Sequence[Estimate | None]) -> Estimate:
    known = [v for v in values if v is not None]
    if len(known) < len(values):
        return Estimate(value=None, note="no operating point")
    return known[0] if len(known) == 1 else _of(spread([[v.value] for v in known]))


def _loss(own: Sequence[Surveyed], fp32: Sequence[Surveyed]) -> Estimate | None:
    """Of balanced accuracy; over folds that both were run on."""
    if own[0].technique == FP32:
        return None
    if len(own) == 1:
        return own[0].loss
    folds = {s.fold for s in own}
    before = [s.metrics for s in fp32 if s.fold in folds]
    found = compare_runs(before, [s.metrics for s in own])
    return _of(found.views["equal_prevalence"]["diagnosis"]["balanced_accuracy"])


def _of(found: Spread) -> Estimate:
    return Estimate(value=found.mean, low=found.low, high=found.high, note=found.note)
