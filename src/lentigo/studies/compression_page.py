"""Every compression technique on one page: a table for each network, and bytes against balanced accuracy."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import fmean
from string import ascii_lowercase

from matplotlib.lines import Line2D

from lentigo.atomic import write_text
from lentigo.compression.survey import TECHNIQUES, NotMade, Surveyed
from lentigo.evaluation import combine, compare_runs
from lentigo.evaluation.cost import FOOTINGS
from lentigo.evaluation.result import Estimate, Result
from lentigo.evaluation.statistics.runs import Spread, spread
from lentigo.render.markdown import table
from lentigo.render.plots import INK, PALETTE, canvas, drawing, save
from lentigo.studies.compressed_cnn import VARIANTS

__all__ = ["Row", "SurveyPage", "rows_of", "write_survey"]

FP32 = next(iter(TECHNIQUES))
MEGABYTE = 1e6
CEILING, LOSS = 0.39 * MEGABYTE, 0.005
"""Of the claim that is looked for: the published size, with at most half a point of balanced accuracy lost."""
PUBLISHED = (
    *((f"compressed_cnn, {variant.name}", variant.megabytes * MEGABYTE, variant.accuracy) for variant in VARIANTS),
    ("distilled student, arXiv 2406.17051", 469_770.0, 0.9875),
)
"""Name, bytes and accuracy as printed: none under a split grouped by lesion, and not the balanced accuracy."""


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


class SurveyPage(Result):
    """The page as data.

    Attributes:
        command: what made it.
        machine: processor and versions.
        test_images: of the folds' test parts, by network.
        rows: what was measured.
        not_made: what gave no file, and why.
        notes: what a reader must know besides.
    """

    command: str
    machine: dict[str, str]
    test_images: dict[str, int]
    rows: tuple[Row, ...]
    not_made: tuple[NotMade, ...]
    notes: tuple[str, ...] = ()


def write_survey(found: Sequence[Surveyed | NotMade], command: str, out: Path, notes: Sequence[str] = ()) -> Path:
    """Write compression.json, compression.md and compression.svg into a folder; returns the page's path.

    Args:
        found: what was measured, and what wasn't made.
        command: what made it.
        out: the folder.
        notes: what a reader must know besides, a paragraph each.
    """
    measured = [s for s in found if isinstance(s, Surveyed)]
    parents = [s for s in measured if s.technique == FP32]
    names = dict.fromkeys(s.network for s in parents)
    page = SurveyPage(
        command=command,
        machine=measured[0].machine,
        test_images={n: sum(_images(s) for s in parents if s.network == n) for n in names},
        rows=rows_of(measured),
        not_made=tuple(s for s in found if isinstance(s, NotMade)),
        notes=tuple(notes),
    )
    return _write(page, out)


def _write(page: SurveyPage, out: Path) -> Path:
    write_text(out / "compression.json", page.to_json() + "\n")
    _draw(page, out / "compression.svg")
    return write_text(out / "compression.md", "\n\n".join(_blocks(page)) + "\n")


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


def _images(found: Surveyed) -> int:
    return sum(map(sum, found.metrics.views["equal_prevalence"]["diagnosis"].confusion))


def _blocks(page: SurveyPage) -> Iterator[str]:
    yield "# Compression: every technique, its cost and what it loses"
    yield f"```\n{page.command}\n```"
    machine = ", ".join(f"{name} {value}" if name != "machine" else value for name, value in page.machine.items())
    yield (
        "Folds of HAM10000 grouped by lesion. Files are judged on the test part, which chose nothing; thresholds, "
        "temperature and the gate's verdict come from the validation part. Intervals are 95 %: of one fold by "
        "bootstrap over lesions, of several that of their mean. The loss is paired with fp32 on the same images, in "
        "percentage points. Epochs more: of fine-tuning after the training; longer ones would give back more. "
        f"Times are medians on one thread of a machine that does other work: {machine}."
    )
    yield from page.notes
    yield "\n".join(f"- **{name}**: {text}" for name, text in FOOTINGS.items())
    for network in dict.fromkeys(row.network for row in page.rows):
        rows = [row for row in page.rows if row.network == network]
        yield f"## {network}"
        folds = max((row.folds for row in rows), key=len)
        yield (
            f"Folds that were run: {', '.join(map(str, folds))} of 5, {page.test_images[network]:,} test images; "
            f"trained for at most {rows[0].epochs} epochs."
        )
        yield _worth(rows, folds)
        yield from _teachers(rows)
        yield _cost(rows)
        yield _claim(rows)
        missing = [f"{n.technique}, fold {n.fold}: {n.reason}" for n in page.not_made if n.network == network]
        known = {row.technique for row in rows} | {n.technique for n in page.not_made if n.network == network}
        absent = [t for t in TECHNIQUES if t not in known]
        if missing:
            yield "\n".join(("Not made:", "", *(f"- {line}" for line in missing)))
        if absent:
            yield f"Not measured, for want of time: {', '.join(absent)}."
    yield "## Bytes against balanced accuracy"
    yield "![Bytes against balanced accuracy](compression.svg)"
    yield (
        "Hollow points are published figures and **not comparable**: plain accuracy instead of balanced, under splits "
        "that are not grouped by lesion, and sizes on footings that differ from file to file."
    )
    yield table(
        ("point", "published", "MB as printed", "accuracy as printed"),
        (
            (number, name, f"{size / MEGABYTE:.2f}", f"{accuracy:.4f}")
            for number, (name, size, accuracy) in enumerate(PUBLISHED, 1)
        ),
    )


def _teachers(rows: Sequence[Row]) -> Iterator[str]:
    """Whom the distilled ones learned from."""
    taught = [row for row in rows if "distilled" in row.technique]
    for teachers in dict.fromkeys(row.teachers for row in taught):
        whose = ", ".join(row.technique for row in taught if row.teachers == teachers)
        yield f"Learned from {', '.join(teachers) or 'the network itself, fp32'}: {whose}."


def _worth(rows: Sequence[Row], folds: Sequence[int]) -> str:
    """Rows of fewer folds than the others say which."""
    names = list(rows[0].metrics)
    return table(
        ("technique", "epochs more", "gate", "file, bytes", *names, "loss, points"),
        (
            (
                row.technique + ("" if len(row.folds) == len(folds) else f" (fold {', '.join(map(str, row.folds))})"),
                row.fine_tuned or "–",
                ", ".join(row.gate) or "–",
                f"{row.size['file']:,}",
                *(_shown(row.metrics[name]) for name in names),
                _shown(row.loss, 100, 2) if row.loss else "–",
            )
            for row in rows
        ),
        right=(1, 3),
    )


def _cost(rows: Sequence[Row]) -> str:
    footings = [name for name in FOOTINGS if name in rows[0].size]
    batches = list(rows[0].latency_ms)
    return table(
        ("technique", *footings, "MACs", "of which network", *(f"ms, batch {b}" for b in batches), "peak bytes"),
        (
            (
                row.technique,
                *(f"{row.size[name]:,}" if name in row.size else "–" for name in footings),
                f"{sum(row.macs.values()):,}",
                f"{row.macs['network']:,}",
                *(f"{row.latency_ms[b]:.2f}" for b in batches),
                "–" if row.peak_bytes is None else f"{row.peak_bytes:,}",
            )
            for row in rows
        ),
        right=range(1, len(footings) + 4 + len(batches)),
    )


def _claim(rows: Sequence[Row]) -> str:
    """Whether the published size is reached by a file that loses next to nothing."""
    small = [row for row in rows if row.loss and min(row.size["file"], row.size["file_zstd"]) <= CEILING]
    kept = [row for row in small if row.loss and row.loss.value is not None and row.loss.value <= LOSS]
    if not kept:
        return f"No file of at most {CEILING / MEGABYTE:.2f} MB loses at most {100 * LOSS:.1f} points here."
    within = [row for row in kept if row.loss and row.loss.high is not None and row.loss.high <= LOSS]
    best = min(within or kept, key=lambda row: min(row.size["file"], row.size["file_zstd"]))
    size = min(best.size["file"], best.size["file_zstd"])
    assert best.loss is not None
    certain = "its whole interval is within that" if within else "its interval goes beyond that, so it is not shown"
    packed = ", packed" if size < best.size["file"] else ""
    return (
        f"A file of at most {CEILING / MEGABYTE:.2f} MB that loses at most {100 * LOSS:.1f} points: "
        f"{best.technique}, {size:,} bytes{packed}, loss {_shown(best.loss, 100, 2)} points; {certain}."
    )


def _shown(value: Estimate | None, unit: float = 1, digits: int = 3) -> str:
    if value is None or value.value is None:
        return f"– ({value.note})" if value else "–"
    low, high = value.low, value.high
    interval = "" if low is None or high is None else f" ({unit * low:.{digits}f} to {unit * high:.{digits}f})"
    return f"{unit * value.value:.{digits}f}{interval}"


def _draw(page: SurveyPage, path: Path) -> None:
    """Bytes of the file against balanced accuracy: filled points are measured here, hollow ones published.

    There are more techniques than colours that differ enough, so a colour is a network and a letter a technique.
    """
    networks = dict(
        zip(dict.fromkeys(row.network for row in page.rows), zip("osD^", PALETTE, strict=False), strict=False)
    )
    letters = dict(
        zip([t for t in TECHNIQUES if any(row.technique == t for row in page.rows)], ascii_lowercase, strict=False)
    )
    with drawing():
        figure, axes = canvas(9, 5)
        axis = axes[0, 0]
        for row in page.rows:
            value = row.metrics["balanced accuracy"]
            if value.value is None:
                continue
            ends = [value.value if end is None else end for end in (value.low, value.high)]
            marker, colour = networks[row.network]
            place = (row.size["file"], value.value)
            error = [[value.value - ends[0]], [ends[1] - value.value]]
            axis.errorbar(*place, yerr=error, fmt=marker, color=colour, markersize=4, elinewidth=0.6)
            side = 5 if ord(letters[row.technique]) % 2 else -5
            axis.annotate(
                letters[row.technique],
                place,
                fontsize=7,
                color=colour,
                xytext=(side, 0),
                textcoords="offset points",
                ha="left" if side > 0 else "right",
                va="center",
            )
        for number, (_, size, accuracy) in enumerate(PUBLISHED, 1):
            axis.plot(size, accuracy, "o", markerfacecolor="none", color=INK)
            axis.annotate(
                str(number), (size, accuracy), fontsize=8, xytext=(0, 6), textcoords="offset points", ha="center"
            )
        axis.set(xscale="log", xlabel="MB of the file", ylabel="balanced accuracy; hollow: accuracy as printed")
        axis.set_title("Hollow, numbered: published figures, not comparable", fontsize=9, pad=14)
        ticks = [0.1, 0.3, 1, 3, 10]
        axis.set_xticks([tick * MEGABYTE for tick in ticks], [f"{tick:g}" for tick in ticks])
        axis.minorticks_off()
        keys = [Line2D([], [], marker=m, color=c, linestyle="", label=name) for name, (m, c) in networks.items()]
        keys += [Line2D([], [], linestyle="", label=f"{letter}  {name}") for name, letter in letters.items()]
        axis.legend(handles=keys, fontsize=7, loc="center left", bbox_to_anchor=(1, 0.5))
        save(figure, path)
