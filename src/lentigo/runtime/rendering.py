"""Verdicts as a table for people, as JSON lines and as CSV for programs."""

import csv
import io
import json
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Column, Table

from lentigo import taxonomy
from lentigo.runtime.classifier import Failure
from lentigo.runtime.verdict import NOTICE, Verdict

__all__ = ["FORMATS", "render"]

Result = Verdict | Failure


def render(results: Iterable[Result], style: str) -> Iterable[str]:
    """Text of the results, piece by piece: 'table', 'json' (an object a line) or 'csv'."""
    return FORMATS[style](results)


def _json(results: Iterable[Result]) -> Iterable[str]:
    for result in results:
        values = result.to_dict() if isinstance(result, Verdict) else {"source": result.source, "error": result.error}
        yield json.dumps(values) + "\n"


def _csv(results: Iterable[Result]) -> Iterable[str]:
    columns = ("source", "diagnosis", *taxonomy.CLASSES, "melanoma", "malignancy", "decision", "gradable", "error")
    yield _csv_line(columns)
    for result in results:
        if isinstance(result, Failure):
            yield _csv_line([result.source, *[""] * (len(columns) - 2), result.error])
            continue
        values = result.to_dict()
        probabilities = [round(result.probabilities[c], 6) for c in taxonomy.CLASSES]
        rest = [values[c] for c in ("melanoma", "malignancy", "decision", "gradable")]
        yield _csv_line([result.source, result.top, *probabilities, *rest, "; ".join(result.reasons)])


def _csv_line(values: Sequence[object]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(values)
    return line.getvalue()


def _table(results: Iterable[Result]) -> Iterable[str]:
    """One table; of a single image also the whole list of diagnoses."""
    found = list(results)
    verdicts = [r for r in found if isinstance(r, Verdict)]
    pieces: list[Table | str] = [_overview(found)]
    if len(found) == 1 and verdicts:
        pieces += [_diagnoses(verdicts[0]), verdicts[0].next_step]
    else:
        pieces.append(NOTICE)
    if verdicts:
        pieces.append(f"Model {verdicts[0].model}. Decision at: {verdicts[0].operating_point}.")
        pieces.append(f"Probabilities: {_prevalence(verdicts[0])}")
    console = Console(file=io.StringIO(), width=Console().width)
    for piece in pieces:
        console.print(piece)
    yield console.file.getvalue()  # type: ignore[attr-defined]


def _prevalence(verdict: Verdict) -> str:
    if verdict.prevalence == "equal":
        return "as if all seven diagnoses were equally common. Rare ones are rarer in life."
    return "at the prevalence that was stated."


def _overview(results: Sequence[Result]) -> Table:
    table = Table(Column("image", overflow="fold"), "most probable", "melanoma", "malignant", "decision")
    for result in results:
        if isinstance(result, Failure):
            table.add_row(result.source, f"[red]{result.error}[/red]", "", "", "not graded")
            continue
        name, probability = result.diagnoses[0]
        decision = result.decision if result.gradable else f"not gradable: {'; '.join(result.reasons)}"
        risks = (f"{result.melanoma:.2f}", f"{result.malignancy:.2f}")
        table.add_row(result.source, f"{name} {probability:.2f}", *risks, decision)
    return table


def _diagnoses(verdict: Verdict) -> Table:
    table = Table("diagnosis", "probability", "kind")
    kind = {d.name: "malignant" if d.malignant else "benign" for d in taxonomy.DIAGNOSES.values()}
    for name, probability in verdict.diagnoses:
        table.add_row(name, f"{probability:.3f}", kind[name])
    return table


FORMATS = {"table": _table, "json": _json, "csv": _csv}
