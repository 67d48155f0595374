"""Verdicts as a readable table, as JSON lines or as CSV; each result is written immediately."""

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from difflib import get_close_matches
from typing import Any

from lentigo.errors import DataError
from lentigo.runtime.decisions import BALANCED_PRIOR, STATED_PREVALENCE, printed, views_differ
from lentigo.runtime.failure import Failure
from lentigo.runtime.verdict import NOTICE, Verdict

__all__ = ["FORMATS", "flat", "flat_columns", "render"]

Result = Verdict | Failure


def render(results: Iterable[Result], style: str) -> Iterator[str]:
    """The results as text, piece by piece.

    Args:
        results: what `classify_files` or `Classifier.classify_many` gives; taken one at a time.
        style: 'table', 'json' (one object per line, as `verdict.schema.json` describes it) or 'csv'.

    Raises:
        DataError: no such style.
    """
    if style not in FORMATS:
        near = get_close_matches(str(style), FORMATS, n=1)
        raise DataError(
            f"No format {style!r}.", f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(FORMATS)}."
        )
    return FORMATS[style](results)


def _json(results: Iterable[Result]) -> Iterator[str]:
    for result in results:
        yield json.dumps(result.to_dict(), allow_nan=False) + "\n"


_COLUMNS_BEFORE = ("source", "decision", "diagnosis")
_COLUMNS_AFTER = (
    "melanoma",
    "malignancy",
    "view",
    "melanoma_at_balanced_prior",
    "melanoma_threshold",
    "melanoma_threshold_view",
    "malignancy_at_balanced_prior",
    "malignancy_threshold",
    "malignancy_threshold_view",
    "gradable",
    "rejection_reasons",
    "ood_score",
    "model",
    "model_sha256",
    "error",
)


def _csv(results: Iterable[Result]) -> Iterator[str]:
    """One row per image; between the fixed columns, one with the probability of each diagnosis."""
    for i, result in enumerate(results):
        values = flat(result)
        if i == 0:
            yield _csv_line(list(values))
        yield _csv_line(list(values.values()))


def flat_columns(classes: Sequence[str]) -> list[str]:
    """The columns of the CSV, for a model that distinguishes these diagnoses."""
    return [*_COLUMNS_BEFORE, *map(_class_column, classes), *_COLUMNS_AFTER]


def flat(result: Result) -> dict[str, object]:
    """One result by the columns of the CSV, in their order; None where there is no value."""
    values, risks = result.to_dict(), result.risks if isinstance(result, Verdict) else {}
    probabilities = (result.probabilities or {}) if isinstance(result, Verdict) else {}
    values |= {_class_column(c): round(p, 6) for c, p in probabilities.items()}
    values |= {f"{target}_at_balanced_prior": round(r.at_balanced_prior, 6) for target, r in risks.items()}
    values |= {f"{target}_threshold": r.threshold for target, r in risks.items()}
    values |= {f"{target}_threshold_view": r.threshold_view for target, r in risks.items()}
    values["rejection_reasons"] = "; ".join(values["rejection_reasons"])  # type: ignore[arg-type]
    return {column: values.get(column) for column in flat_columns(result.classes)}


def _class_column(c: str) -> str:
    """A diagnosis' id, unless a fixed column has that name."""
    return f"p_{c}" if c in _COLUMNS_BEFORE + _COLUMNS_AFTER else c


def _csv_line(values: Sequence[object]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(values)
    # Names that are not UTF-8 have their bytes escaped: a file of mixed encodings can't be read.
    return line.getvalue().encode("utf-8", "backslashreplace").decode("utf-8")


_ROW = "{:<22} {:>8}  {:>9}  {:<51} {}\n"


def _table(results: Iterable[Result]) -> Iterator[str]:
    """One line per image with its name last, so that nothing wraps; for a single image, all diagnoses too."""
    yield _ROW.format("decision", "melanoma", "malignant", "most probable", "image")
    count, some = 0, None
    for result in results:
        count += 1
        some = result if isinstance(result, Verdict) else some
        yield _line(result)
    if count == 1 and some is not None:
        yield from _alone(some)
    yield "\n"
    if some is not None:
        yield f"Model {some.model}, sha256 {some.model_sha256[:12]}. Thresholds: {some.operating_point}.\n"
        yield _views(some)
        yield f"{some.blind_spot}\n" if some.blind_spot and count > 1 else ""
    yield f"{some.next_step if count == 1 and some is not None else NOTICE}\n"


def _line(result: Result) -> str:
    if isinstance(result, Failure):
        return _ROW.format("not read", "-", "-", "-", _printable(result.source)) + f"    {_printable(result.error)}\n"
    source = _printable(result.source)
    if not result.gradable:
        return _ROW.format(result.decision, "-", "-", "-", source) + f"    {'; '.join(result.rejection_reasons)}\n"
    risks = {target: printed(risk.at_balanced_prior) for target, risk in result.risks.items()}
    most = _most_probable(result.raw["diagnosis"], result.raw["probabilities"], result)
    line = _ROW.format(result.decision, risks.get("melanoma", "-"), risks.get("malignancy", "-"), most, source)
    if result.prevalence is None:
        return line
    stated = [f"{target} {printed(risk.at_stated_prevalence)}" for target, risk in result.risks.items()]
    most = _most_probable(result.top, result.probabilities, result)
    differ = views_differ(result.risks)
    return f"{line}    at {STATED_PREVALENCE}: {', '.join([*stated, f'most probable {most}'])}\n" + (
        f"    {differ}\n" if differ else ""
    )


def _most_probable(c: object, probabilities: Any, verdict: Verdict) -> str:
    return f"{verdict.name(str(c))} {printed(probabilities[c], 2)}"


def _alone(verdict: Verdict) -> Iterator[str]:
    """Every diagnosis of one image, in each view."""
    if not verdict.gradable:
        return
    stated = verdict.prevalence is not None
    yield f"\n{BALANCED_PRIOR:>17}  " + (f"{STATED_PREVALENCE:>17}  " if stated else "") + f"{'kind':<10} diagnosis\n"
    for each in verdict.to_dict()["diagnoses"]:  # type: ignore[attr-defined]
        balanced = verdict.raw["probabilities"][each["id"]]  # type: ignore[index]
        views = [balanced, each["probability"]] if stated else [balanced]
        kind = {True: "malignant", False: "benign", None: "unknown"}[each["malignant"]]
        code = f"SNOMED CT {each['snomed_ct']}" if each["snomed_ct"] else "no code"
        yield "".join(f"{printed(p):>17}  " for p in views) + f"{kind:<10} {each['name']} ({code})\n"


def _views(verdict: Verdict) -> str:
    """Explains the views of the numbers."""
    balanced = (
        f"Probabilities at {BALANCED_PRIOR}: as if all {len(verdict.classes)} diagnoses were equally common; rare "
        "diagnoses are less likely in practice.\n"
    )
    if verdict.prevalence is None:
        return balanced
    return (
        f"{balanced}At {STATED_PREVALENCE}: converted by Bayes' rule to the prevalence that you "
        "stated. Decisions are made in the view of each threshold, not in this one.\n"
    )


def _printable(text: str) -> str:
    """The text with control characters, line breaks and unencodable characters escaped."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


FORMATS: dict[str, Callable[[Iterable[Result]], Iterator[str]]] = {"table": _table, "json": _json, "csv": _csv}
