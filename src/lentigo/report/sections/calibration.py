"""Whether percentages mean what they say: reliability diagrams and calibration errors."""

from lentigo.evaluation.catalogue import PRIORS
from lentigo.report import curves
from lentigo.report.document import Block, Curve, Figure, Section, Table
from lentigo.report.subject import Subject
from lentigo.report.words import number, points

__all__ = ["calibration"]


def calibration(subject: Subject) -> Section:
    """Reliability diagrams of being correct and of what must not be missed, and calibration errors."""
    what, alarm = subject.metrics.provenance, subject.predictions.label_set.alarm
    of_alarm = [] if alarm is None else [f"ece.{alarm}"]
    table = Table(
        caption="ECE (expected calibration error): mean distance between predicted and observed frequency. It "
        "is above 0 in finite samples even for a perfectly "
        "calibrated model, so an interval may be below its value.",
        columns=("measure", *(PRIORS[v] for v in subject.views)),
        rows=tuple(
            (what.label(name), *(number(subject.metrics.get(name, view=v)) for v in subject.views))
            for name in ("ece", "ece_equal_mass", "ece.macro", *of_alarm, "brier", "log_loss")
        ),
    )
    diagrams = [_of_being_right(subject), *([] if alarm is None else [_of_alarm(subject, alarm)])]
    blocks: tuple[Block, ...] = (*diagrams, table)
    return Section(name="calibration", title="Calibration: can its percentages be believed?", blocks=blocks)


def _of_being_right(subject: Subject) -> Figure:
    errors = {PRIORS[name]: subject.metrics.get("ece", view=name) for name in subject.views}
    return Figure(
        name="reliability",
        title="Reliability diagram: confidence and accuracy",
        caption="Below the diagonal the model is overconfident, above it underconfident; each point is a tenth of "
        "the images, by weight, with its 95 % interval. Its mean calibration error is "
        + "; ".join(f"{points(error)} ({words})" for words, error in errors.items())
        + ".",
        x_label="confidence",
        y_label="accuracy",
        curves=_curves(subject, None),
        diagonal="perfect calibration",
    )


def _of_alarm(subject: Subject, alarm: str) -> Figure:
    name = subject.predictions.label_set[alarm].name
    errors = {PRIORS[view]: subject.metrics.get(f"ece.{alarm}", view=view) for view in subject.views}
    return Figure(
        name="reliability-melanoma",
        title=f"Reliability diagram for {name}: predicted and observed risk",
        caption=f"A point below the diagonal: {name} is rarer among these images than predicted. The mean calibration "
        "error is " + "; ".join(f"{points(error)} ({words})" for words, error in errors.items()) + ".",
        x_label=f"predicted risk of {name}",
        y_label=f"observed frequency of {name}",
        curves=_curves(subject, alarm),
        diagonal="perfect calibration",
    )


def _curves(subject: Subject, answer: str | None) -> tuple[Curve, ...]:
    found = [d for d in subject.evidence.reliability if d.answer == answer]
    return tuple(
        curves.estimates(PRIORS[d.view], [b.predicted for b in d.bins], [b.observed for b in d.bins], colour, dots=True)
        for colour, d in enumerate(found)
    )
