"""Whether percentages mean what they say: reliability diagrams and calibration errors."""

from lentigo.evaluation.catalogue import PRIORS, label
from lentigo.report import curves
from lentigo.report.document import Block, Curve, Figure, Section, Table
from lentigo.report.subject import Subject
from lentigo.report.words import number, points

__all__ = ["calibration"]

MEASURES = ("ece", "ece_equal_mass", "ece.macro", "ece.mel", "brier", "log_loss")


def calibration(subject: Subject) -> Section:
    """Reliability diagrams of being correct and of melanoma, and calibration errors."""
    table = Table(
        caption="ECE: mean distance of stated from observed frequency. A finite sample shows some even of a perfectly "
        "calibrated model, so that an interval may lie below its value.",
        columns=("measure", *(PRIORS[v] for v in subject.views)),
        rows=tuple(
            (label(name), *(number(subject.metrics.get(name, view=v)) for v in subject.views)) for name in MEASURES
        ),
    )
    blocks: tuple[Block, ...] = (_of_being_right(subject), _of_melanoma(subject), table)
    return Section(name="calibration", title="Do its percentages mean what they say?", blocks=blocks)


def _of_being_right(subject: Subject) -> Figure:
    errors = {PRIORS[name]: subject.metrics.get("ece", view=name) for name in subject.views}
    return Figure(
        name="reliability",
        title="How sure it is, and how often it is correct",
        caption="Below the diagonal the model is too sure of itself, above it too unsure; each point is a tenth of "
        "the images, by weight, and the band its 95 % interval. On average it is off by "
        + "; ".join(f"{points(error)} ({words})" for words, error in errors.items())
        + ".",
        x_label="how sure the model is",
        y_label="how often it is correct",
        curves=_curves(subject, None),
        diagonal="as it should be",
    )


def _of_melanoma(subject: Subject) -> Figure:
    errors = {PRIORS[name]: subject.metrics.get("ece.mel", view=name) for name in subject.views}
    return Figure(
        name="reliability-melanoma",
        title="Stated risk of melanoma, and how often it was one",
        caption="A point below the diagonal: melanoma is rarer among these images than the model says. On average it "
        "is off by " + "; ".join(f"{points(error)} ({words})" for words, error in errors.items()) + ".",
        x_label="stated risk of melanoma",
        y_label="share that were melanomas",
        curves=_curves(subject, "mel"),
        diagonal="as it should be",
    )


def _curves(subject: Subject, answer: str | None) -> tuple[Curve, ...]:
    found = [d for d in subject.evidence.reliability if d.answer == answer]
    return tuple(
        curves.estimates(PRIORS[d.view], [b.predicted for b in d.bins], [b.observed for b in d.bins], colour, dots=True)
        for colour, d in enumerate(found)
    )
