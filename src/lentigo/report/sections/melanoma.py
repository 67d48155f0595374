"""What thresholds find and flag: on these images, and what a flag is worth where the disease is rarer."""

from collections.abc import Sequence

from lentigo.evaluation.catalogue import PRIORS
from lentigo.evaluation.clinical.operating_points import Performance, PredictiveValues
from lentigo.report import curves
from lentigo.report.document import Block, Figure, Mark, Section, Table, Text
from lentigo.report.subject import Subject
from lentigo.report.words import number, plural

__all__ = ["melanoma"]

WORDS = {"melanoma": "melanomas", "malignancy": "malignant lesions"}


def melanoma(subject: Subject) -> Section:
    """Every threshold on the risk of what must not be missed, and what thresholds that were fixed before find."""
    labels, blocks = subject.predictions.label_set, list[Block]()
    if labels.alarm is None:
        text = (
            f"{labels.name} defines neither melanoma nor a single malignant label, so there is no risk to "
            "apply a threshold to."
        )
        return Section(name="melanoma", title="Sensitivity and specificity", blocks=(Text(text=text),))
    name = labels[labels.alarm].name
    _, positive = curves.alarm_risk(subject.predictions, labels.alarm)
    if positive.all() or not positive.any():
        which = "all" if positive.all() else "none"
        blocks.append(Text(text=f"Not measurable on these images: {which} of them are {plural(name)}."))
    else:
        blocks.append(_trade_off(subject, labels.alarm, name))
    evidence = subject.evidence
    if evidence.bundle_points:
        caption = "The model's own thresholds, fixed on its validation images, applied here unchanged."
        blocks += _tables(evidence.bundle_points, caption, explain=True)
    if evidence.validation_points:
        caption = (
            "Further thresholds, chosen on the validation predictions for a target sensitivity and applied here "
            "unchanged. The prior of the score changes the ranking of the images, not only the scores."
        )
        blocks += _tables(evidence.validation_points, caption, explain=not evidence.bundle_points)
    wanted = {k: evidence.missing.get(k) for k in ("bundle_points", "validation")}
    blocks += [Text(text=reason) for reason in wanted.values() if reason]
    return Section(name="melanoma", title=f"{name.capitalize()}: sensitivity and specificity", blocks=tuple(blocks))


def _trade_off(subject: Subject, alarm: str, name: str) -> Figure:
    risk, positive = curves.alarm_risk(subject.predictions, alarm)
    task = "melanoma" if alarm == subject.predictions.label_set.melanoma else "malignancy"
    own = [at.point for at in subject.evidence.bundle_points if at.point.task == task]
    mark = (
        f"The line marks the model's own threshold, {own[0].threshold:.3f}, fixed on validation images."
        if own
        else "No threshold was fixed in advance: name the bundle to see the model's own."
    )
    return Figure(
        name="trade-off",
        title="Threshold trade-off: sensitivity and specificity",
        caption=f"Lowering the threshold finds more of the {int(positive.sum())} {plural(name)} and leaves fewer of "
        f"the {int((~positive).sum()):,} others unflagged. {mark}",
        x_label=f"threshold on the probability of {name}",
        y_label="share",
        curves=curves.trade_off(risk, positive, plural(name)),
        marks=tuple(Mark(name="own threshold", x=point.threshold) for point in own),
    )


def _tables(found: Sequence[Performance], caption: str, *, explain: bool) -> list[Block]:
    return [_shares(found, caption), _yields(found, explain=explain)]


def _name(at: Performance) -> str:
    return f"{WORDS[at.point.task]}, target {at.point.target:.2f}, {PRIORS[at.point.view]}"


def _shares(found: Sequence[Performance], caption: str) -> Table:
    warnings = list(dict.fromkeys(w for at in found for w in at.point.warnings))
    return Table(
        caption=" ".join([caption, *warnings]),
        columns=(
            "target",
            "threshold",
            "found (sensitivity)",
            "correctly not flagged (specificity)",
            "found, missed, alarms",
        ),
        rows=tuple(
            (
                _name(at),
                f"{at.point.threshold:.4f}",
                number(at.sensitivity),
                number(at.specificity),
                f"{at.true_positives:,} found, {at.false_negatives:,} missed, {at.false_positives:,} false alarms",
            )
            for at in found
        ),
    )


def _yields(found: Sequence[Performance], *, explain: bool) -> Table:
    rows = []
    for at in found:
        rows.append((_name(at), "these images", *_cells(at.at_data_prevalence)))
        if at.at_clinical_prevalence is not None:
            rows.append((_name(at), "corrected", *_cells(at.at_clinical_prevalence)))
    stated = {at.point.task: at.at_clinical_prevalence for at in found if at.at_clinical_prevalence}
    clinic = "; ".join(f"{WORDS[task]} {y.prevalence:.1%}" for task, y in stated.items())
    caption = "Predictive values of these thresholds."
    if explain:
        caption = (
            "Predictive values depend on the prevalence. PPV: share of flagged lesions that have the disease. NPV: "
            "share of the others that don't. Number needed to biopsy: flagged lesions per true positive. "
            f"'Corrected' is by Bayes' rule for a clinic in which of all lesions are {clinic}; that is an assumption "
            "and not measured: set your clinic's with --melanoma-prevalence and --malignancy-prevalence. Sensitivity "
            "and specificity are assumed unchanged there."
        )
    return Table(
        caption=caption,
        columns=("threshold for", "prevalence of", "share", "PPV", "NPV", "flagged", "number needed to biopsy"),
        rows=tuple(rows),
    )


def _cells(found: PredictiveValues) -> tuple[str, ...]:
    needed = found.number_needed_to_biopsy
    if needed.value is None:
        biopsies = f"– ({needed.note})"
    else:
        interval = "" if needed.low is None else f" ({needed.low:.1f} to {needed.high:.1f})"
        biopsies = f"{needed.value:.1f}{interval}"
    return f"{found.prevalence:.1%}", number(found.ppv), number(found.npv), number(found.flagged), biopsies
