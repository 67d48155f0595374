"""What it gets wrong: the confusion matrix, its commonest mistakes, the worst cases, and labels that may be wrong."""

from collections.abc import Sequence

import numpy as np

from lentigo import data
from lentigo.errors import DataError, ImageError
from lentigo.evaluation.errors.mistakes import KINDS, Case, Mistakes
from lentigo.evaluation.metrics.measure import TaskMetrics
from lentigo.labels import LabelSet
from lentigo.render.thumbnails import thumbnail
from lentigo.report.document import Block, Exhibit, Gallery, Matrix, Section, Table, Text
from lentigo.report.subject import Subject
from lentigo.report.words import plural

__all__ = ["confusion", "mistakes"]

SHOWN = 12
"""Rows of a table of mistakes, and cases of a kind."""
SIDE = 160
"""Side of a picture, pixels."""


def mistakes(subject: Subject) -> Section:
    """All of it."""
    found = subject.evidence.mistakes
    blocks: list[Block] = [confusion(subject)]
    if found is None:
        blocks.append(Text(text=f"No list of mistakes: {subject.evidence.missing['mistakes']}"))
    else:
        blocks += [_confusions(found), *_galleries(found, subject.records), _label_issues(found)]
    if subject.records is None:
        blocks.append(
            Text(
                text="The cases are listed without their images: lentigo report PREDICTIONS --data ROOT --out DIR, "
                "with the folder of the images, shows them."
            )
        )
    return Section(name="mistakes", title="Errors: which diagnoses it confuses", blocks=tuple(blocks))


def confusion(subject: Subject) -> Matrix:
    """The confusion matrix, and its worst cell in words."""
    found, labels = subject.metrics.views["equal_prevalence"]["diagnosis"], subject.predictions.label_set
    return Matrix(
        name="confusion",
        title="Confusion matrix",
        caption=f"Images, and their share of the row. {_worst(found, labels)} {_missed(found, labels)}".strip(),
        labels=found.classes,
        counts=found.confusion,
    )


def _worst(found: TaskMetrics, labels: LabelSet) -> str:
    counts = np.array(found.confusion) * (1 - np.eye(len(found.classes), dtype=int))
    if not counts.any():
        return "There are no errors, which is a reason to look for a leak."
    row, column = np.unravel_index(counts.argmax(), counts.shape)
    says, truth = labels[found.classes[column]].name, labels[found.classes[row]].name
    return f"Most frequent error: {counts[row, column]:,} times {truth} was called {says}."


def _missed(found: TaskMetrics, labels: LabelSet) -> str:
    if labels.alarm is None:
        return ""
    counts, alarm = np.array(found.confusion), found.classes.index(labels.alarm)
    benign = sum(int(counts[alarm, found.classes.index(c)]) for c in labels.benign)
    total = int(counts[alarm].sum())
    return (
        f"Of {total} {plural(labels[labels.alarm].name)}, {benign} were classified as benign, the dangerous error."
        if total
        else ""
    )


def _confusions(found: Mistakes) -> Table:
    labels = found.provenance.label_set
    return Table(
        caption=f"The {min(SHOWN, len(found.confusions))} most frequent errors of {len(found.confusions)} kinds. "
        "'Lesions' counts each lesion once, however many images of it there are.",
        columns=("error", "images", "lesions", "share of that diagnosis"),
        rows=tuple(
            (
                f"{_of(c.truth, labels)} called {_of(c.decision, labels)}",
                f"{c.images:,}",
                f"{c.lesions:,}",
                f"{c.share:.0%}",
            )
            for c in found.confusions[:SHOWN]
        ),
    )


def _galleries(found: Mistakes, records: data.Records | None) -> list[Block]:
    """The worst cases of each kind, missed melanomas first."""
    galleries: list[Block] = []
    for kind in KINDS:
        cases = [case for case in found.worst if case.kind == kind][:SHOWN]
        if cases:
            caption = (
                f"{kind.capitalize()}: {found.images_of_kind[kind]:,} images. The {len(cases)} most confident "
                "errors, one per "
                "lesion, lowest probability of the true diagnosis first."
            )
            if any(case.alike for case in cases):
                caption += " 'Answered most like': the validation images with the nearest probabilities."
            exhibits = tuple(_exhibit(case, records) for case in cases)
            galleries.append(
                Gallery(caption=caption, exhibits=exhibits)
                if any(e.picture for e in exhibits)
                else _without_pictures(caption, exhibits)
            )
    return galleries


def _without_pictures(caption: str, exhibits: Sequence[Exhibit]) -> Table:
    """The same cases as rows."""
    columns = ("mistake", "probabilities", "next", "image", "patient", "answered most like")
    rows = (
        (e.title, *(*e.lines, "")[:4], e.lines[4].removeprefix("answered most like ") if len(e.lines) > 4 else "")
        for e in exhibits
    )
    return Table(caption=caption, columns=columns, rows=tuple(rows))


def _exhibit(case: Case, records: data.Records | None) -> Exhibit:
    p = case.probabilities
    others = sorted((c for c in p if c not in (case.truth, case.decision)), key=lambda c: -p[c])[:2]
    known = [case.known[k] for k in ("sex", "age", "site", "dx_type", "source") if case.known[k]]
    lines = [
        f"called {case.decision} {p[case.decision]:.2f}, truth {case.truth} {p[case.truth]:.2f}",
        "then " + ", ".join(f"{c} {p[c]:.2f}" for c in others),
        f"{case.image_id}" + (f", and {case.same_lesion} more of this lesion" if case.same_lesion else ""),
        ", ".join(known) or "patient unknown",
    ]
    if case.alike:
        lines.append("answered most like " + ", ".join(f"{n.image_id} ({n.truth})" for n in case.alike))
    title = f"{case.truth}, called {case.decision}"
    return Exhibit(title=title, lines=tuple(lines), picture=_picture(case, records))


def _picture(case: Case, records: data.Records | None) -> str:
    if records is None:
        return ""
    try:
        path = records.take([case.image_id]).table["path"].iloc[0]
        pixels = records.decode(path)
    except (DataError, ImageError):
        return ""
    return thumbnail(pixels, 2 * SIDE)


def _label_issues(found: Mistakes) -> Table:
    labels = found.provenance.label_set
    return Table(
        caption=f"Likely label issues: {len(found.label_issues):,} images, of which the most likely "
        f"{min(SHOWN, len(found.label_issues))} are shown. {found.caution}",
        columns=("image", "lesion", "labelled", "predicted", "margin", "diagnosis confirmation"),
        rows=tuple(
            (
                s.image_id,
                s.lesion_id,
                _of(s.given, labels),
                _of(s.suggested, labels),
                f"{s.margin:.2f}",
                s.dx_type or "unknown",
            )
            for s in found.label_issues[:SHOWN]
        ),
    )


def _of(diagnosis: str, labels: LabelSet) -> str:
    return f"{labels[diagnosis].name} ({diagnosis})"
