"""What a machine can answer in a reporting checklist, from predictions and bundle: one function per answer.

An answer is a sentence, or None where the subject doesn't know it; then the item stays open for the authors.
"""

from collections.abc import Callable

from lentigo import __version__
from lentigo.report.answers_measured import MEASURED
from lentigo.report.first_screen import PALE, first_screen
from lentigo.report.sections.mistakes import confusion
from lentigo.report.subject import Subject
from lentigo.report.words import number
from lentigo.runtime import NOTICE
from lentigo.runtime.origins import citations

__all__ = ["ANSWERS"]


def _intended_use(subject: Subject) -> str:
    return f"Research, teaching and comparison of methods. {NOTICE}"


def _data_source(subject: Subject) -> str | None:
    if subject.bundle is None:
        return f"Evaluated on {subject.data}." if subject.predictions.meta.get("data") else None
    described = subject.bundle.metadata
    cited = citations(described.citation, described.start)
    return f"Trained on {described.source}; evaluated on {subject.data}. {cited}".strip()


def _citation(subject: Subject) -> str | None:
    if subject.bundle is None:
        return None
    return citations(subject.bundle.metadata.citation, subject.bundle.metadata.start) or None


def _preprocessing(subject: Subject) -> str | None:
    if subject.bundle is None:
        return None
    side = subject.bundle.metadata.size
    return f"Central square, scaled to {side} x {side} pixels with antialiasing, inside the model's file."


def _subset(subject: Subject) -> str | None:
    what = subject.metrics.provenance
    return f"Part '{what.part}' of the split made by the protocol {what.protocol}." if what.protocol else None


def _missing_data(subject: Subject) -> str | None:
    table, unreadable = subject.predictions.table, subject.predictions.meta.get("unreadable")
    unknown = {c: int((table[c].isna() | (table[c] == "unknown")).sum()) for c in ("age", "sex", "site") if c in table}
    found = [f"{c} of {n}" for c, n in unknown.items()]
    left_out = f" Images left out as unreadable: {len(unreadable)}." if isinstance(unreadable, list) else ""
    return f"Not used by the model; unknown are {', '.join(found)} images.{left_out}" if found else None


def _reference_standard(subject: Subject) -> str | None:
    counts = _counts(subject, "dx_type")
    return f"As the data set states it, in images: {counts}." if counts else None


def _histology(subject: Subject) -> str | None:
    table = subject.predictions.table
    malignant = table[table["dx"].isin(subject.predictions.label_set.malignant)]
    if "dx_type" not in table or malignant["dx_type"].isna().all():
        return None
    proven = int((malignant["dx_type"] == "histo").sum())
    return (
        f"{proven} of {len(malignant)} images of malignant diagnoses are confirmed by histopathology (dx_type histo)."
    )


def _partition(subject: Subject) -> str | None:
    what, meta = subject.metrics.provenance, subject.predictions.meta
    if what.protocol is None or what.split_sha256 is None:
        return None
    return (
        f"Protocol {what.protocol}, fold {meta.get('fold')}; this part has {what.images:,} images of {what.groups:,} "
        f"lesions. The manifest's SHA-256 is {what.split_sha256}; it lists every image's part."
    )


def _disjoint(subject: Subject) -> str | None:
    leaky = subject.metrics.provenance.leaky
    if leaky is None:
        return None
    if leaky:
        return "NOT disjoint: the protocol is LEAKY, images of one lesion are in training and test."
    return "By lesion, joined with known duplicates. Patients are not distinguished."


def _architecture(subject: Subject) -> str | None:
    if subject.bundle is None:
        return None
    d = subject.bundle.metadata
    return f"{d.network}, {d.parameters:,} parameters, {d.size} x {d.size} RGB in, {len(d.labels)} out."


def _software(subject: Subject) -> str | None:
    environment = subject.predictions.meta.get("environment")
    return ", ".join(f"{k} {v}" for k, v in environment.items()) if isinstance(environment, dict) else None


def _training(subject: Subject) -> str | None:
    recipe = subject.bundle.metadata.recipe if subject.bundle else {}
    return ", ".join(f"{k} {v}" for k, v in recipe.items()) or None


def _selection(subject: Subject) -> str | None:
    recipe = subject.bundle.metadata.recipe if subject.bundle else {}
    return f"Best epoch on the validation part, patience {recipe['patience']}." if "patience" in recipe else None


def _metrics(subject: Subject) -> str:
    what = subject.metrics.provenance
    return (
        ", ".join(map(what.label, what.shown("headline"))) + "; by diagnosis precision, recall, F1, specificity, AUC."
    )


def _uncertainty(subject: Subject) -> str | None:
    metrics = subject.metrics
    if not metrics.replicates:
        return None
    return f"{metrics.level:.0%} intervals from {metrics.replicates:,} resamples of lesions, seed {metrics.seed}."


def _explanation(subject: Subject) -> str | None:
    return "Class-activation maps, an output of the model. Their validation is left open." if subject.bundle else None


def _internal_test(subject: Subject) -> str | None:
    return _performance(subject) if subject.bundle and subject.bundle.metadata.source == subject.data else None


def _external_test(subject: Subject) -> str | None:
    if subject.bundle is None:
        return None
    if subject.bundle.metadata.source == subject.data:
        return f"None in this report: trained and tested on {subject.data}."
    return f"Trained on {subject.bundle.metadata.source}, tested on {subject.data}. {_performance(subject)}"


def _numbers(subject: Subject) -> str:
    what = subject.metrics.provenance
    each = ", ".join(f"{c} {what.images_of[c]} of {what.groups_of[c]} lesions" for c in what.label_set.classes)
    return f"{what.images:,} images of {what.groups:,} lesions: {each}."


def _demographics(subject: Subject) -> str | None:
    table, found = subject.predictions.table, []
    if "age" in table and table["age"].notna().any():
        low, middle, high = table["age"].quantile([0.25, 0.5, 0.75])
        found.append(f"age median {middle:.0f} (quartiles {low:.0f} to {high:.0f})")
    found += [f"{c}: {counts}" for c in ("sex", "site") if (counts := _counts(subject, c))]
    return "Of this part, in images: " + "; ".join(found) + "." if found else None


def _performance(subject: Subject) -> str:
    what = subject.metrics.provenance
    return "; ".join(f"{what.label(n)} {number(subject.metrics.get(n))}" for n in what.shown("headline")) + "."


def _melanoma(subject: Subject) -> str:
    return " ".join(s.text for s in first_screen(subject) if s.label.startswith(("Melanoma", "Threshold")))


def _failures(subject: Subject) -> str:
    return confusion(subject).caption


def _limitations(subject: Subject) -> str:
    return " ".join(s.text for s in first_screen(subject) if s.label == "Who is missing" or s.alarm)


def _availability(subject: Subject) -> str | None:
    if subject.bundle is None:
        return None
    return (
        f"Code: lentigo {__version__}. Model: one ONNX file, SHA-256 {subject.bundle.sha256}; "
        f"{subject.bundle.metadata.licence}"
    )


def _image_type(subject: Subject) -> str | None:
    return (
        "Dermoscopic images, 8-bit RGB, of which the central square is used; nothing else." if subject.bundle else None
    )


def _synthetic(subject: Subject) -> str | None:
    return "Yes: all images are drawn by lentigo." if subject.data.startswith("synthetic") else None


def _skin_colour(subject: Subject) -> str | None:
    known = subject.data.lower().startswith(PALE)
    return "Not recorded by the data set, which holds almost no dark skin." if known else None


def _sources(subject: Subject) -> str | None:
    counts = _counts(subject, "source")
    return f"Images by source: {counts}." if counts else None


def _class_balance(subject: Subject) -> str | None:
    recipe = subject.bundle.metadata.recipe if subject.bundle else {}
    treated = f" In training the imbalance was treated by {recipe['balance']}." if "balance" in recipe else ""
    return f"{_numbers(subject)}{treated}"


def _labels(subject: Subject) -> str:
    labels = subject.predictions.label_set.labels
    terms = (
        f"{d.id}: SNOMED CT {d.snomed_ct} ({d.snomed_term})" if d.snomed_ct else f"{d.id}: {d.name}" for d in labels
    )
    return "; ".join(terms) + "."


def _baseline(subject: Subject) -> str:
    get, what = subject.metrics.get, subject.metrics.provenance
    always = get(f"majority_class_baseline.{what.majority}")
    name = what.label_set[what.majority].name
    return f"Accuracy {number(get('accuracy'))}; always naming {name} {number(always)}."


def _thresholds(subject: Subject) -> str:
    chosen = "; ".join(
        f"{at.point.task} at {at.point.threshold:.4f} for a sensitivity of {at.point.target:.2f}"
        for at in subject.evidence.bundle_points
    )
    stated = (
        f"{len(subject.predictions.label_set)} probabilities at the balanced prior (as if the diagnoses were equally "
        "common), and the most probable."
    )
    return f"{stated} Thresholds, chosen on validation images: {chosen}." if chosen else stated


def _mix(subject: Subject) -> str | None:
    if subject.predictions.meta.get("training_prevalence") is None:
        return None
    what, before = subject.metrics.provenance, subject.predictions.training_prevalence
    each = (
        f"{c} {what.images_of[c] / what.images:.1%} (training {share:.1%})"
        for c, share in zip(what.label_set.classes, before, strict=True)
    )
    return "Share of images: " + ", ".join(each) + "."


def _counts(subject: Subject, column: str) -> str:
    table = subject.predictions.table
    if column not in table or table[column].isna().all():
        return ""
    return ", ".join(f"{name} {n}" for name, n in table[column].fillna("unknown").value_counts().items())


ANSWERS: dict[str, Callable[[Subject], str | None]] = {
    **MEASURED,
    "architecture": _architecture,
    "availability": _availability,
    "baseline": _baseline,
    "citation": _citation,
    "class_balance": _class_balance,
    "data_source": _data_source,
    "demographics": _demographics,
    "disjoint": _disjoint,
    "explanation": _explanation,
    "external_test": _external_test,
    "failures": _failures,
    "histology": _histology,
    "image_type": _image_type,
    "intended_use": _intended_use,
    "internal_test": _internal_test,
    "labels": _labels,
    "limitations": _limitations,
    "melanoma": _melanoma,
    "metrics": _metrics,
    "missing_data": _missing_data,
    "mix": _mix,
    "numbers": _numbers,
    "partition": _partition,
    "performance": _performance,
    "preprocessing": _preprocessing,
    "reference_standard": _reference_standard,
    "selection": _selection,
    "skin_colour": _skin_colour,
    "software": _software,
    "sources": _sources,
    "subset": _subset,
    "synthetic": _synthetic,
    "thresholds": _thresholds,
    "training": _training,
    "uncertainty": _uncertainty,
}
"""Answers by the name that the checklists' items give."""
