"""Several models on the same images, side by side."""

from collections.abc import Mapping, Sequence

from lentigo import __version__
from lentigo.errors import DataError
from lentigo.evaluation.catalogue import PRIORS, VIEW_LABELS, VIEW_NOTE, entry
from lentigo.evaluation.statistics.comparison import Comparison, compare
from lentigo.render.markdown import p_value
from lentigo.report import curves
from lentigo.report.document import Document, Figure, Section, Statement, Table, Text
from lentigo.report.in_short import mistaken, named
from lentigo.report.subject import Subject
from lentigo.report.words import natural_frequency, number, plural
from lentigo.runtime import NOTICE

__all__ = ["MOST_MODELS", "describe_comparison"]

MOST_MODELS = 7
"""As many as the palette has distinguishable colours for."""


FEWEST = 100
"""Resamples that a paired difference takes at least: it means nothing without its interval."""


def describe_comparison(
    subjects: Mapping[str, Subject], links: Mapping[str, str] | None = None, *, replicates: int = 1000
) -> Document:
    """Everything that the page of a comparison says.

    Args:
        subjects: two to `MOST_MODELS` models by the name that the page gives them.
        links: further pages, text to address.
        replicates: bootstrap resamples of the paired differences, at least `FEWEST`.

    Raises:
        DataError: too few or many, or models that met other images or other truths.
    """
    if not 2 <= len(subjects) <= MOST_MODELS:
        raise DataError(
            f"A comparison is of 2 to {MOST_MODELS} models, not {len(subjects)}.", "Report on some of them."
        )
    found = compare({name: s.predictions for name, s in subjects.items()}, replicates=max(replicates, FEWEST))
    first = next(iter(subjects.values()))
    return Document(
        title=f"{len(subjects)} models on {first.data}",
        first=(*_leaks(subjects), *_statements(subjects), Statement(label="What this is", text=NOTICE)),
        sections=(side_by_side(subjects), differences(found), melanoma_curves(subjects), origins(subjects)),
        metrics={name: s.metrics for name, s in subjects.items()},
        evidence={name: s.evidence for name, s in subjects.items()},
        links=dict(links or {}),
        made_by=f"lentigo {__version__}",
        sources={f"{name}: {s.path.name}": s.sha256 for name, s in subjects.items()},
    )


def _leaks(subjects: Mapping[str, Subject]) -> list[Statement]:
    leaky = [name for name, s in subjects.items() if s.metrics.provenance.leaky]
    unknown = [name for name, s in subjects.items() if s.metrics.provenance.leaky is None]
    found = []
    if leaky:
        text = f"{', '.join(leaky)} saw images of these lesions in training: any advantage it has is meaningless."
        found.append(Statement(label="LEAKY PROTOCOL", text=text, alarm=True))
    if unknown:
        text = f"Whether {', '.join(unknown)} has seen these lesions in training is unknown."
        found.append(Statement(label="Origin unknown", text=text, alarm=True))
    if len({s.metrics.provenance.split_sha256 for s in subjects.values()}) > 1:
        text = (
            "The models come from different splits: one may have been trained on images here that another has not seen."
        )
        found.append(Statement(label="Different splits", text=text, alarm=True))
    return found


def _statements(subjects: Mapping[str, Subject]) -> Sequence[Statement]:
    found = []
    for name, subject in subjects.items():
        text = f"By its default answers {mistaken(subject)}. {named(subject)}"
        labels = subject.predictions.label_set
        found_at = labels.alarm and subject.metrics.get(f"sensitivity_at_80_specificity.{labels.alarm}")
        if labels.alarm and found_at and found_at.value is not None:
            several = plural(labels[labels.alarm].name)
            text += f" It finds {natural_frequency(found_at)} of 100 {several} where 20 of "
            text += "100 other lesions are false positives."
        found.append(Statement(label=name, text=text))
    text = (
        "A better number alone shows nothing. All models saw the same images: the paired differences below show which "
        "of them exceed chance. None of this says how a retrained copy of the same network would perform."
    )
    return [*found, Statement(label="How to read differences", text=text)]


def side_by_side(subjects: Mapping[str, Subject]) -> Section:
    """The headline metrics of each model."""
    tables, what = [], next(iter(subjects.values())).metrics.provenance
    for view in ("equal_prevalence", "training_prevalence"):
        if any(view not in s.metrics.views for s in subjects.values()):
            continue
        tables.append(
            Table(
                caption=f"{VIEW_LABELS[view].capitalize()}. In brackets, the 95 % interval of each model.",
                columns=("metric", *subjects),
                rows=tuple(
                    (what.label(name), *(number(s.metrics.get(name, view=view)) for s in subjects.values()))
                    for name in what.shown("headline")
                ),
            )
        )
    return Section(name="side-by-side", title="Side by side", blocks=(*tables, Text(text=VIEW_NOTE)))


def differences(found: Comparison) -> Section:
    """Paired differences of each two models."""
    tables = tuple(
        Table(
            caption=f"{pair.first} minus {pair.second}, in the same resamples of lesions; above 0 the first has the "
            "larger number. p is corrected for the number of pairs of models (Holm), not for metrics. McNemar's "
            f"test of the multiclass decisions: p {p_value(pair.mcnemar_p_holm)}.",
            columns=("metric", "better", "view", "difference", "p"),
            rows=tuple(
                (
                    found.provenance[pair.first].label(d.metric),
                    entry(d.metric).better,
                    PRIORS[d.view],
                    number(d.difference),
                    p_value(d.p_holm),
                )
                for d in pair.differences
            ),
        )
        for pair in found.pairs
    )
    return Section(name="differences", title="Paired differences: which model is better, beyond chance?", blocks=tables)


def melanoma_curves(subjects: Mapping[str, Subject]) -> Section:
    """The ROC curves of what must not be missed over each other."""
    found, labels = [], next(iter(subjects.values())).predictions.label_set
    if labels.alarm is None:
        text = Text(text=f"{labels.name} defines neither melanoma nor a single malignant label.")
        return Section(name="melanoma", title="Sensitivity and specificity", blocks=(text,))
    name = labels[labels.alarm].name
    for colour, (model, subject) in enumerate(subjects.items()):
        risk, positive = curves.alarm_risk(subject.predictions, labels.alarm)
        if positive.all() or not positive.any():
            text = Text(text=f"{name.capitalize()} can't be evaluated: all of these images show it, or none does.")
            return Section(name="melanoma", title=name.capitalize(), blocks=(text,))
        area = subject.metrics.get(f"auc.{labels.alarm}").value
        found.append(curves.roc(f"{model} {area:.3f}", risk, positive, colour))
    figure = Figure(
        name="roc",
        title=f"ROC curves for {name}: sensitivity versus false-positive rate",
        caption=f"The higher a curve, the more {plural(name)} are found at the same false-positive rate. The legend "
        "gives the area under each: the chance that one of them ranks above another lesion.",
        x_label="false-positive rate",
        y_label=f"sensitivity for {name}",
        curves=tuple(found),
        diagonal="chance, AUC 0.500",
    )
    return Section(name="melanoma", title=name.capitalize(), blocks=(figure,))


def origins(subjects: Mapping[str, Subject]) -> Section:
    """Protocol, split and part of each model."""
    table = Table(
        caption="Results under different split protocols are not comparable.",
        columns=("model", "protocol", "leaky", "split SHA-256", "images", "lesions"),
        rows=tuple(
            (
                name,
                what.protocol or "unknown",
                {True: "YES", False: "no", None: "unknown"}[what.leaky],
                (what.split_sha256 or "unknown")[:16],
                f"{what.images:,}",
                f"{what.groups:,}",
            )
            for name, what in ((name, s.metrics.provenance) for name, s in subjects.items())
        ),
    )
    return Section(name="origin", title="Provenance: where these numbers come from", blocks=(table,))
