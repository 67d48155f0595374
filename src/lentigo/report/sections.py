"""The page below the first screen: one function a section, `Subject` in, `Section` out; `SECTIONS` is their order."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from lentigo import taxonomy
from lentigo.evaluation.metrics import TaskMetrics
from lentigo.evaluation.summary import HEADLINES, PER_CLASS
from lentigo.evaluation.tasks import view
from lentigo.report import curves
from lentigo.report.document import Block, Figure, Mark, Matrix, Section, Table, Text
from lentigo.report.subject import Subject
from lentigo.report.words import number, of_hundred, points

__all__ = ["SECTIONS"]

AGES = (0, 20, 40, 60, 80, 200)


def headline(subject: Subject) -> Section:
    """The headline metrics in the known views."""
    metrics = subject.metrics
    table = Table(
        caption="In brackets the interval that would hold the true value in 95 of 100 such studies. Scores at equal "
        "prevalence tell how well the diagnoses are told apart; those at the training prevalence what share of such a "
        "clinic's images is named rightly.",
        columns=("metric", *subject.views.values()),
        rows=tuple(
            (name, *(number(metrics.get(key, view=v)) for v in subject.views)) for key, name in HEADLINES.items()
        ),
    )
    return Section(name="headline", title="Headline numbers", blocks=(table,))


def melanoma(subject: Subject) -> Section:
    """What each threshold on the melanoma risk finds and flags."""
    risk, positive = curves.melanoma_risk(subject.predictions)
    if positive.all() or not positive.any():
        text = "These images can't say: " + ("all" if positive.all() else "none") + " of them are melanomas."
        return Section(name="melanoma", title="Melanoma: found and falsely flagged", blocks=(Text(text=text),))
    targets = [at for at in subject.points if at.point.target == "melanoma"]
    own = (
        f"The line marks the model's own threshold, {targets[0].point.threshold:.3f}, fixed on validation images."
        if targets
        else "No threshold was fixed before: give the bundle to see the model's own."
    )
    figure = Figure(
        name="trade-off",
        title="Every threshold is a trade",
        caption=f"Lowering the threshold finds more of the {int(positive.sum())} melanomas and passes fewer of the "
        f"{int((~positive).sum()):,} others. {own}",
        x_label="threshold on the probability of melanoma",
        y_label="share",
        curves=curves.trade_off(risk, positive),
        marks=tuple(Mark(name="own threshold", x=at.point.threshold) for at in targets),
    )
    blocks: tuple[Block, ...] = (figure, _points_table(subject)) if subject.points else (figure,)
    return Section(name="melanoma", title="Melanoma: found and falsely flagged", blocks=blocks)


def _points_table(subject: Subject) -> Table:
    return Table(
        caption="Thresholds chosen on validation images for a wanted sensitivity, applied here unchanged.",
        columns=("target", "threshold", "wanted sensitivity", "sensitivity here", "specificity here", "chosen on"),
        rows=tuple(
            (
                at.point.target,
                f"{at.point.threshold:.4f}",
                f"{at.point.wanted_sensitivity:.2f}",
                number(at.sensitivity),
                number(at.specificity),
                f"{at.point.validation_images} images with it",
            )
            for at in subject.points
        ),
    )


def diagnoses(subject: Subject) -> Section:
    """How well each diagnosis is told from the rest."""
    blocks: list[Block] = []
    labels, probabilities = subject.predictions.labels, subject.predictions.probabilities
    shown = {c: labels == k for k, c in enumerate(taxonomy.CLASSES) if 0 < (labels == k).sum() < len(labels)}
    if shown:
        aucs = {c: subject.metrics.get(f"auc.{c}") for c in shown}
        ranked = sorted(shown, key=lambda c: aucs[c].value or 0)
        risks = {c: probabilities[:, taxonomy.CLASSES.index(c)] for c in shown}
        least, most = ranked[0], ranked[-1]
        blocks.append(
            Figure(
                name="roc",
                title="Found against falsely flagged (ROC)",
                caption="Shown an image of a diagnosis and one of another, the model ranks the right one higher in "
                f"{of_hundred(aucs[most])} of 100 tries for {taxonomy.DIAGNOSES[most].name} (its best) and "
                f"{of_hundred(aucs[least])} for {taxonomy.DIAGNOSES[least].name} (its worst). 50 is a coin.",
                x_label="share of other images flagged falsely",
                y_label="share found",
                curves=tuple(
                    curves.roc(f"{c} {aucs[c].value:.3f}", risks[c], shown[c], curves.COLOUR_OF[c], strong=c == "mel")
                    for c in shown
                ),
                diagonal="guessing 0.500",
            )
        )
        rarest = min(shown, key=lambda c: shown[c].sum())
        precisions = {c: subject.metrics.get(f"average_precision.{c}").value for c in shown}
        blocks.append(
            Figure(
                name="precision-recall",
                title="How many alarms are right (precision and recall)",
                caption="In the mix of these very images. Guessing would be right as often as a diagnosis is "
                f"common: {shown[rarest].mean():.1%} for {taxonomy.DIAGNOSES[rarest].name}, the rarest. Numbers in the "
                "legend are average precisions.",
                x_label="share found (recall)",
                y_label="share of alarms that are right (precision)",
                curves=tuple(
                    curves.precision_recall(
                        f"{c} {precisions[c]:.3f}", risks[c], shown[c], curves.COLOUR_OF[c], strong=c == "mel"
                    )
                    for c in shown
                ),
            )
        )
    blocks.append(_per_class(subject))
    return Section(name="diagnoses", title="Which diagnoses it tells apart", blocks=tuple(blocks))


def _per_class(subject: Subject) -> Table:
    metrics = subject.metrics
    return Table(
        caption="Diagnoses equally common. Precision: how many of those called so are so. Recall: how many of those "
        "that are so are called so.",
        columns=("diagnosis", "images", "lesions", *PER_CLASS),
        rows=tuple(
            (
                f"{taxonomy.DIAGNOSES[c].name} ({c})",
                f"{metrics.provenance.images_of[c]:,}",
                f"{metrics.provenance.groups_of[c]:,}",
                *(number(metrics.get(f"{name}.{c}")) for name in PER_CLASS),
            )
            for c in taxonomy.CLASSES
        ),
    )


def mistakes(subject: Subject) -> Section:
    """The confusion matrix, and its worst cell in words."""
    found = subject.metrics.views["equal_prevalence"]["diagnosis"]
    figure = Matrix(
        name="confusion",
        title="What is taken for what",
        caption=f"Images, and their share of the row. {_worst(found)} {_missed(found)}".strip(),
        labels=found.classes,
        counts=found.confusion,
    )
    return Section(name="mistakes", title="What it mistakes for what", blocks=(figure,))


def _worst(found: TaskMetrics) -> str:
    counts = np.array(found.confusion) * (1 - np.eye(len(found.classes), dtype=int))
    if not counts.any():
        return "There is no mistake, which is a reason to look for a leak."
    row, column = np.unravel_index(counts.argmax(), counts.shape)
    says, truth = taxonomy.DIAGNOSES[found.classes[column]].name, taxonomy.DIAGNOSES[found.classes[row]].name
    return f"The commonest mistake: {counts[row, column]:,} times {truth} was called {says}."


def _missed(found: TaskMetrics) -> str:
    counts = np.array(found.confusion)
    mel = found.classes.index("mel")
    benign = sum(int(counts[mel, found.classes.index(c)]) for c in taxonomy.BENIGN)
    total = int(counts[mel].sum())
    return f"Of {total} melanomas, {benign} were called something benign, the dangerous mistake." if total else ""


def calibration(subject: Subject) -> Section:
    """Reliability diagram and calibration errors."""
    labels, shown = subject.predictions.labels, []
    for colour, (name, words) in enumerate(subject.views.items()):
        seen = view(subject.predictions, name)
        weights = curves.balance(labels) if seen.balanced else np.ones(len(labels))
        shown.append(curves.reliability(words, seen.probabilities, labels, weights, colour))
    errors = {words: subject.metrics.get("ece", view=name) for name, words in subject.views.items()}
    figure = Figure(
        name="reliability",
        title="How sure it is, and how often it is right",
        caption="Below the diagonal the model is too sure of itself, above it too unsure; each point is a tenth of "
        "the images, by weight. On average it is off by "
        + "; ".join(f"{points(error)} ({words})" for words, error in errors.items())
        + ".",
        x_label="how sure the model is",
        y_label="how often it is right",
        curves=tuple(shown),
        diagonal="as it should be",
    )
    names = {
        "ece": "ECE, bins of equal width",
        "ece_equal_mass": "ECE, bins of equal mass",
        "ece.macro": "ECE, mean over diagnoses",
        "ece.mel": "ECE of melanoma",
        "brier": "Brier score",
        "log_loss": "Log loss",
    }
    table = Table(
        caption="ECE: mean distance of stated from observed frequency. A finite sample shows some even of a perfectly "
        "calibrated model, so that an interval may lie below its value.",
        columns=("measure", *subject.views.values()),
        rows=tuple(
            (words, *(number(subject.metrics.get(name, view=v)) for v in subject.views))
            for name, words in names.items()
        ),
    )
    return Section(name="calibration", title="Do its percentages mean what they say?", blocks=(figure, table))


def yes_or_no(subject: Subject) -> Section:
    """The two pooled questions."""
    rows = []
    for task, answer in (("malignancy", "malignant"), ("melanoma", "melanoma")):
        names = ("auc", "average_precision", "sensitivity_at_80_specificity", "specificity_at_95_sensitivity")
        rows.append((f"{answer}?", *(number(subject.metrics.get(f"{n}.{answer}", task=task)) for n in names)))
    table = Table(
        caption="The seven diagnoses pooled into one question; malignant are melanoma, basal cell carcinoma and "
        "actinic keratosis / intraepithelial carcinoma.",
        columns=(
            "question",
            "AUC",
            "average precision",
            "sensitivity at 0.80 specificity",
            "specificity at 0.95 sens.",
        ),
        rows=tuple(rows),
    )
    return Section(name="yes-or-no", title="As a question of yes or no", blocks=(table,))


def people(subject: Subject) -> Section:
    """Who and what is in the images, as far as the table knows."""
    table, rows = subject.predictions.table, []
    melanoma = table["dx"] == "mel"
    for column, words in {
        "sex": "sex",
        "age": "age",
        "site": "body site",
        "source": "source",
        "dx_type": "proof",
    }.items():
        if column not in table or table[column].isna().all():
            continue
        values = table[column]
        if column == "age":
            values = pd.cut(values, AGES, right=False, labels=["under 20", "20 to 39", "40 to 59", "60 to 79", "80 on"])
        for value, count in values.astype(object).fillna("unknown").value_counts(sort=True).items():
            chosen = values.astype(object).fillna("unknown") == value
            rows.append(
                (f"{words}: {value}", f"{count:,}", f"{count / len(table):.1%}", f"{int(melanoma[chosen].sum()):,}")
            )
    if not rows:
        text = "The predictions say nothing of the people: no sex, age, body site or source."
        return Section(name="people", title="Who is in these images", blocks=(Text(text=text),))
    shown = Table(
        caption="A group with few melanomas says little of how melanomas are found in it.",
        columns=("group", "images", "share", "melanomas"),
        rows=tuple(rows),
    )
    return Section(name="people", title="Who is in these images", blocks=(shown,))


def origin(subject: Subject) -> Section:
    """Where the numbers come from."""
    metrics, what = subject.metrics, subject.metrics.provenance
    leaky = {True: "YES", False: "no", None: "unknown"}[what.leaky]
    rows = [
        ("model", subject.name),
        ("data", f"{subject.data}, part {what.part or 'unknown'}"),
        ("images, lesions", f"{what.images:,}, {what.groups:,}"),
        ("protocol", f"{what.protocol or 'unknown'}, fold {subject.predictions.meta.get('fold', 'unknown')}"),
        ("leaky", leaky),
        ("split SHA-256", what.split_sha256 or "unknown"),
        ("model SHA-256", what.model_sha256 or "unknown"),
        ("predictions SHA-256", subject.sha256),
        ("intervals", f"{metrics.level:.0%}, {metrics.replicates:,} resamples of lesions, seed {metrics.seed}"),
    ]
    environment = subject.predictions.meta.get("environment")
    if isinstance(environment, dict):
        rows.append(("made with", ", ".join(f"{k} {v}" for k, v in environment.items())))
    table = Table(
        caption="Intervals speak of other lesions in the same mix, not of another clinic, camera or training run.",
        columns=("what", "value"),
        rows=tuple(rows),
    )
    warnings = tuple(Text(text=warning) for warning in what.warnings)
    return Section(name="origin", title="Where these numbers come from", blocks=(*warnings, table))


SECTIONS: tuple[Callable[[Subject], Section], ...] = (
    headline,
    melanoma,
    diagnoses,
    mistakes,
    calibration,
    yes_or_no,
    people,
    origin,
)
"""The page, in order. A further section is a further function here."""
