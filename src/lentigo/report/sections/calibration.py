"""Whether percentages mean what they say: reliability diagrams and calibration errors."""

from lentigo.evaluation.catalogue import PRIORS
from lentigo.report import curves
from lentigo.report.document import Block, Curve, Figure, Section, Table
from lentigo.report.subject import Subject
from lentigo.report.words import number, plural, points

__all__ = ["calibration"]


def calibration(subject: Subject) -> Section:
    """Reliability diagrams of being correct and of what must not be missed, and calibration errors."""
    what, alarm = subject.metrics.provenance, subject.predictions.label_set.alarm
    of_alarm = [] if alarm is None else [f"ece.{alarm}"]
    table = Table(
        caption="ECE: mean distance of stated from observed frequency. A finite sample shows some even of a perfectly "
        "calibrated model, so that an interval may lie below its value.",
        columns=("measure", *(PRIORS[v] for v in subject.views)),
        rows=tuple(
            (what.label(name), *(number(subject.metrics.get(name, view=v)) for v in subject.views))
            for name in ("ece", "ece_equal_mass", "ece.macro", *of_alarm, "brier", "log_loss")
        ),
    )
    diagrams = [_of_being_right(subject), *([] if alarm is None else [_of_alarm(subject, alarm)])]
    blocks: tuple[Block, ...] = (*diagrams, table)
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


def _of_alarm(subject: Subject, alarm: str) -> Figure:
    name = subject.predictions.label_set[alarm].name
    errors = {PRIORS[view]: subject.metrics.get(f"ece.{alarm}", view=view) for view in subject.views}
    return Figure(
        name="reliability-melanoma",
        title=f"Stated risk of {name}, and how often it was one",
        caption=f"A point below the diagonal: {name} is rarer among these images than the model says. On average it "
        "is off by " + "; ".join(f"{points(error)} ({words})" for words, error in errors.items()) + ".",
        x_label=f"stated risk of {name}",
        y_label=f"share that were {plural(name)}",
        curves=_curves(subject, alarm),
        diagonal="as it should be",
    )


def _curves(subject: Subject, answer: str | None) -> tuple[Curve, ...]:
    found = [d for d in subject.evidence.reliability if d.answer == answer]
    return tuple(
        curves.estimates(PRIORS[d.view], [b.predicted for b in d.bins], [b.observed for b in d.bins], colour, dots=True)
        for colour, d in enumerate(found)
    )
