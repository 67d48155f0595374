"""Decision curves: whether acting on the model beats acting on everybody and on nobody."""

from itertools import groupby

from lentigo.evaluation.clinical.decision_curves import DecisionCurve
from lentigo.report import curves
from lentigo.report.document import Block, Curve, Figure, Section, Text
from lentigo.report.subject import Subject

__all__ = ["decisions"]

TITLE = "Decision curves: is acting on it better than treating all or none?"
WORDS = {"melanoma": "melanoma", "malignancy": "malignant lesion"}


def decisions(subject: Subject) -> Section:
    """Net benefit of each question, at the prevalence of the images and at the stated one."""
    evidence = subject.evidence
    blocks: tuple[Block, ...] = tuple(_figure(curve) for curve in evidence.decision_curves)
    if "decision_curves" in evidence.missing:
        blocks = (*blocks, Text(text=f"No decision curve: {evidence.missing['decision_curves']}"))
    return Section(name="decisions", title=TITLE, blocks=blocks)


def _figure(curve: DecisionCurve) -> Figure:
    x = [point.threshold for point in curve.points]
    acting = curves.estimates("acting on the model", x, [p.net_benefit for p in curve.points], 0, strong=True)
    top = max(0.02, curve.prevalence * 1.1, *acting.high)
    which = "a stated clinic" if curve.stated else "these images"
    return Figure(
        name=f"decision-{curve.task}-{'clinic' if curve.stated else 'data'}",
        title=f"{WORDS[curve.task].capitalize()}, {curve.prevalence:.1%} of lesions ({which})",
        caption=_caption(curve),
        x_label="threshold probability",
        y_label="net benefit, true positives per lesion",
        curves=(
            acting,
            Curve(name="acting on all", x=tuple(x), y=tuple(point.treat_all for point in curve.points), colour=1),
            Curve(name="acting on none", x=tuple(x), y=(0.0,) * len(x), colour=5),
        ),
        x_range=(0.0, x[-1]),
        y_range=(-0.25 * top, top),
    )


def _caption(curve: DecisionCurve) -> str:
    better = [p.threshold for p in curve.points if p.gain.low is not None and p.gain.low > 0]
    worse = [p.threshold for p in curve.points if p.gain.high is not None and p.gain.high < 0]
    told = (
        "Acting on the model has more net benefit than acting on all or none, beyond chance, at "
        f"{_spans(better, curve)}."
        if better
        else "At no threshold does acting on the model have more net benefit than both, beyond chance."
    )
    if worse:
        told += f" It has less net benefit, beyond chance, at {_spans(worse, curve)}."
    example = min(curve.points, key=lambda p: abs(p.threshold - 0.10)).threshold
    cost = (1 - example) / example
    return (
        f"{told} A threshold probability of {example:.0%} means that one missed {WORDS[curve.task]} "
        f"weighs as much as {cost:.0f} "
        "unnecessary biopsies."
    )


def _spans(thresholds: list[float], curve: DecisionCurve) -> str:
    """Thresholds as spans: '1% to 8%, 11% to 50%'."""
    wanted = set(thresholds)
    told = []
    for among, points in groupby(curve.points, key=lambda p: p.threshold in wanted):
        if among:
            ends = [p.threshold for p in points]
            told.append(f"{ends[0]:.0%}" if len(ends) == 1 else f"{ends[0]:.0%} to {ends[-1]:.0%}")
    return ", ".join(told)
