"""Every compression technique on one page: a table for each network, and bytes against balanced accuracy."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from lentigo.atomic import write_text
from lentigo.compression.survey import TECHNIQUES, NotMade, Surveyed
from lentigo.evaluation.cost import FOOTINGS
from lentigo.evaluation.result import Estimate, Result
from lentigo.render.markdown import table
from lentigo.studies.compression_figure import MEGABYTE, PUBLISHED, draw
from lentigo.studies.compression_rows import FP32, Row, rows_of

__all__ = ["SurveyPage", "write_survey"]

CEILING, LOSS = 0.39 * MEGABYTE, 0.005
"""Of the claim that is looked for: the published size, with at most half a point of balanced accuracy lost."""


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
    draw(page.rows, out / "compression.svg")
    return write_text(out / "compression.md", "\n\n".join(_blocks(page)) + "\n")


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
