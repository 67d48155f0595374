"""Several models on the same images, side by side."""

from collections.abc import Callable, Mapping, Sequence

from lentigo import __version__
from lentigo.errors import DataError
from lentigo.evaluation.summary import HEADLINES
from lentigo.report import curves
from lentigo.report.document import Document, Figure, Section, Statement, Table, Text
from lentigo.report.subject import Subject
from lentigo.report.words import number, of_hundred
from lentigo.runtime import NOTICE

__all__ = ["MOST_MODELS", "describe_comparison"]

MOST_MODELS = 7
"""As many as the palette tells apart."""


def describe_comparison(subjects: Mapping[str, Subject], links: Mapping[str, str] | None = None) -> Document:
    """Everything that the page of a comparison says.

    Args:
        subjects: two to `MOST_MODELS` models by the name that the page gives them.
        links: further pages, text to address.

    Raises:
        DataError: too few or many, or models that met other images or other truths.
    """
    if not 2 <= len(subjects) <= MOST_MODELS:
        raise DataError(
            f"A comparison is of 2 to {MOST_MODELS} models, not {len(subjects)}.", "Report on some of them."
        )
    _same_images(subjects)
    first = next(iter(subjects.values()))
    return Document(
        title=f"{len(subjects)} models on {first.data}",
        first=(*_leaks(subjects), *_statements(subjects), Statement(label="What this is", text=NOTICE)),
        sections=tuple(section(subjects) for section in SECTIONS),
        metrics={name: s.metrics for name, s in subjects.items()},
        links=dict(links or {}),
        made_by=f"lentigo {__version__}",
        sources={f"{name}: {s.path.name}": s.sha256 for name, s in subjects.items()},
    )


def _same_images(subjects: Mapping[str, Subject]) -> None:
    (name, first), *others = subjects.items()
    truth = first.predictions.table.set_index("image_id")["dx"]
    for other_name, other in others:
        theirs = other.predictions.table.set_index("image_id")["dx"]
        odd = sorted(set(truth.index) ^ set(theirs.index))
        if odd:
            raise DataError(
                f"{name} and {other_name} met other images: {len(odd)} are in one table only, such as {odd[0]}.",
                "Predict the same part with both.",
            )
        differing = truth.index[(theirs.reindex(truth.index) != truth).to_numpy()]
        if len(differing):
            raise DataError(f"{name} and {other_name} disagree on the true diagnosis of image {differing[0]}.")


def _leaks(subjects: Mapping[str, Subject]) -> list[Statement]:
    leaky = [name for name, s in subjects.items() if s.metrics.provenance.leaky]
    unknown = [name for name, s in subjects.items() if s.metrics.provenance.leaky is None]
    found = []
    if leaky:
        text = f"{', '.join(leaky)} saw images of these lesions in training. What it wins by says nothing."
        found.append(Statement(label="LEAKY PROTOCOL", text=text, alarm=True))
    if unknown:
        text = f"Whether {', '.join(unknown)} has seen these lesions in training is unknown."
        found.append(Statement(label="Origin unknown", text=text, alarm=True))
    if len({s.metrics.provenance.split_sha256 for s in subjects.values()}) > 1:
        text = "The models come from different splits: one may have learned from images here that another has not."
        found.append(Statement(label="Different splits", text=text, alarm=True))
    return found


def _statements(subjects: Mapping[str, Subject]) -> Sequence[Statement]:
    found = []
    for name, subject in subjects.items():
        melanoma = of_hundred(subject.metrics.get("sensitivity_at_80_specificity.mel"))
        balanced = of_hundred(subject.metrics.get("balanced_accuracy"))
        text = (
            f"Finds {melanoma} of 100 melanomas where 20 of 100 other lesions are flagged falsely, and names the right "
            f"diagnosis for {balanced} of 100 images, were all diagnoses equally common."
        )
        found.append(Statement(label=name, text=text))
    text = (
        "Intervals that overlap don't show that two models are alike, nor does a better number show that one is better: "
        "these intervals are of each model alone. All met the same images, so that a paired test would tell more; this "
        "page makes none."
    )
    return [*found, Statement(label="How to read differences", text=text)]


def side_by_side(subjects: Mapping[str, Subject]) -> Section:
    """The headline metrics of each model."""
    tables = []
    for view in ("equal_prevalence", "training_prevalence"):
        if any(view not in s.metrics.views for s in subjects.values()):
            continue
        words = next(iter(subjects.values())).views[view]
        tables.append(
            Table(
                caption=f"With {words}. In brackets the 95 % interval of each model alone.",
                columns=("metric", *subjects),
                rows=tuple(
                    (text, *(number(s.metrics.get(key, view=view)) for s in subjects.values()))
                    for key, text in HEADLINES.items()
                ),
            )
        )
    return Section(name="side-by-side", title="Side by side", blocks=tuple(tables))


def melanoma_curves(subjects: Mapping[str, Subject]) -> Section:
    """The ROC curves of melanoma over each other."""
    found = []
    for colour, (name, subject) in enumerate(subjects.items()):
        risk, positive = curves.melanoma_risk(subject.predictions)
        if positive.all() or not positive.any():
            text = Text(text="Melanoma can't be judged: all of these images show it, or none does.")
            return Section(name="melanoma", title="Melanoma", blocks=(text,))
        area = subject.metrics.get("auc.mel").value
        found.append(curves.roc(f"{name} {area:.3f}", risk, positive, colour))
    figure = Figure(
        name="roc",
        title="Melanomas found against others flagged falsely",
        caption="The higher a curve, the more melanomas are found for the same false alarms. The legend gives the area "
        "under each: the chance that a melanoma ranks above another lesion.",
        x_label="share of other images flagged falsely",
        y_label="share of melanomas found",
        curves=tuple(found),
        diagonal="guessing 0.500",
    )
    return Section(name="melanoma", title="Melanoma", blocks=(figure,))


def origins(subjects: Mapping[str, Subject]) -> Section:
    """Protocol, split and part of each model."""
    table = Table(
        caption="Numbers of different protocols can't be compared.",
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
    return Section(name="origin", title="Where these numbers come from", blocks=(table,))


SECTIONS: tuple[Callable[[Mapping[str, Subject]], Section], ...] = (side_by_side, melanoma_curves, origins)
"""The page, in order."""
