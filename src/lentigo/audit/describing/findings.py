"""What the numbers teach, in plain words: a headline and a few sentences a figure, computed and never assumed."""

from dataclasses import dataclass

import pandas as pd

from lentigo.audit.describing.appearance import CHANNELS, Appearance
from lentigo.audit.describing.summary import UNKNOWN, Summary
from lentigo.audit.describing.wording import count, listed, percent

__all__ = ["FIELD_NAMES", "Finding", "class_text", "findings"]

FIELD_NAMES = {
    "age": "age",
    "dx_type": "diagnosis confirmation",
    "sex": "sex",
    "site": "body site",
    "source": "source",
}
FEW = 30
"""Images below which a class's shares and means say little."""


@dataclass(frozen=True)
class Finding:
    """One thing that a figure shows.

    Attributes:
        title: a headline that says it.
        text: what it means for someone who trains or judges a model.
    """

    title: str
    text: str


def findings(summary: Summary, appearance: Appearance) -> dict[str, Finding]:
    """Findings by the name of the figure that shows them."""
    found = {
        "classes": _classes(summary),
        "images_per_lesion": _lesions(summary),
        "missing": _missing(summary),
        "sizes": _sizes(appearance),
        "colours": _colours(summary, appearance),
        "means": _means(summary, appearance),
    }
    if len(summary.ages):
        found["age"] = _age(summary)
    found |= {field: _field(summary, field) for field in summary.fields}
    if len(summary.shortcut):
        found["shortcut"] = _shortcut(summary)
    return found


def class_text(summary: Summary, appearance: Appearance, label: str) -> str:
    """A few sentences on one class: its patients, its labels, and how its pictures differ from the others."""
    row = summary.classes.loc[label]
    of_lesions = f" of {count(row.lesions, 'lesion')}" if summary.lesions_known else ""
    parts = [f"{count(row.images, 'image')}{of_lesions}, {percent(row['share'])} of all images."]
    if row.images < FEW:
        parts.append(f"With fewer than {FEW} images, all that follows is imprecise.")
    if label in summary.ages.index:
        age = summary.ages.loc[label]
        parts.append(f"Interquartile range of the age: {age.q25:.0f} to {age.q75:.0f} years.")
    if "site" in summary.fields:
        known = summary.fields["site"][label].drop(UNKNOWN, errors="ignore")
        if known.sum():
            parts.append(f"Most frequent body site: {known.idxmax()} ({percent(known.max() / row.images)}).")
    if "dx_type" in summary.fields and "histo" in summary.fields["dx_type"].index:
        share = summary.fields["dx_type"].loc["histo", label] / row.images
        parts.append(f"Confirmed by histopathology: {percent(share)}.")
    if label in appearance.means and len(appearance.means) > 1:
        parts.append(_look(appearance, label))
    if row.text:
        parts.append(row.text)
    return " ".join(parts)


def _classes(summary: Summary) -> Finding:
    classes = summary.classes.sort_values("images", ascending=False)
    most, least = classes.iloc[0], classes.iloc[-1]
    ratio = most.images / least.images
    if len(classes) == 1:
        return Finding(
            f"All images are of one class: {most['name']}", "With a single class there is nothing to distinguish."
        )
    if ratio < 1.5:
        return Finding(
            f"All {len(classes)} classes are about equally common",
            "That suits training, but no clinic has this case mix: a model's probabilities are valid there "
            "only after they "
            "are adjusted to the local prevalence of each diagnosis.",
        )
    malignant = int(classes.loc[classes["malignant"], "images"].sum())
    overlooked = f" and miss every one of the {malignant:,} malignant ones" if malignant and not most.malignant else ""
    return Finding(
        f"{percent(most['share'])} of the images are {most['name']}",
        f"A model that always predicts '{most['name']}' would be correct on {percent(most['share'])} of these images"
        f"{overlooked}. For each image of {least['name']} there are {ratio:.{0 if ratio >= 10 else 1}f} of "
        f"{most['name']}. Report balanced accuracy beside accuracy, and use class weights or balanced sampling in "
        "training.",
    )


def _lesions(summary: Summary) -> Finding:
    if not summary.lesions_known:
        return Finding(
            "The source does not say which images show the same lesion",
            "Every image counts as a separate lesion here. There may still be near-duplicates: look for them "
            "before splitting the images into training and test.",
        )
    several = int(summary.per_lesion[summary.per_lesion.index > 1].sum())
    if not several:
        return Finding("Every lesion has one image", "Splitting by image and splitting by lesion are the same here.")
    return Finding(
        f"{percent(summary.same_lesion)} of the images have another image of the same lesion",
        f"{several:,} of {count(summary.lesions, 'lesion')} were photographed more than once, up to "
        f"{summary.per_lesion.index.max()} times. Were a random fifth of the images the test set, on average "
        f"{percent(summary.leak)} of it would show a lesion that is also in training, and the score would be partly "
        "memorisation. Split by lesion, not by image.",
    )


def _age(summary: Summary) -> Finding:
    ages = summary.ages[summary.ages["known"] >= min(FEW, summary.ages["known"].max())].sort_values("median")
    young, old = ages.index[0], ages.index[-1]
    parts = []
    if len(ages) > 1:
        parts.append(
            f"The median age is {ages.loc[young, 'median']:.0f} for {_name(summary, young)} and "
            f"{ages.loc[old, 'median']:.0f} for {_name(summary, old)}. Age alone shifts the odds: a model that is "
            "given it, or infers it from the skin, can exploit it."
        )
    if gaps := int(summary.missing.loc["age"].sum()):
        parts.append(f"Without an age: {count(gaps, 'image')} ({percent(gaps / summary.images)}).")
    if summary.ages_zero:
        parts.append(f"With age 0, infants or unknown: {count(summary.ages_zero, 'image')}; check before using age.")
    if summary.ages_rounded > 0.99:
        parts.append("Ages are rounded to five years.")
    alike = ages["median"].max() - ages["median"].min() < 5
    title = f"Patients with {_name(summary, young)} are the youngest"
    return Finding("The classes hardly differ in age" if alike else title, " ".join(parts))


PHRASES = {
    "dx_type": "were confirmed by {}",
    "sex": "are of {} patients",
    "site": "are of the body site {}",
    "source": "come from {}",
}
ADVICE = {
    "dx_type": "Histopathology ('histo') is a pathologist's examination of the tissue. Lesions that "
    "nobody considered worth "
    "excising are easier on average: part of a good score on them is selection bias.",
    "source": "Sources differ in camera, light and patients. A model can learn to recognise the source and use that "
    "as a shortcut: test it on a source that it has never seen.",
    "site": "Skin looks different on face, trunk and foot. A model can recognise the site and exploit its prevalence.",
    "sex": "Evaluate men and women separately before trusting a model for both.",
}


def _field(summary: Summary, field: str) -> Finding:
    """The value whose share differs most between two classes with enough images."""
    counts, name = summary.fields[field][_large(summary)], FIELD_NAMES[field]
    shares = (counts / counts.sum()).drop(UNKNOWN, errors="ignore")
    spread = shares.max(axis=1) - shares.min(axis=1)
    if len(shares) == 1:
        return Finding(f"There is only one {name}: {shares.index[0]}", ADVICE[field])
    if shares.shape[1] == 1:
        return Finding(f"The most frequent {name} is {shares.iloc[:, 0].idxmax()}", ADVICE[field])
    if spread.max() < 0.05:
        return Finding(f"The classes hardly differ in {name}", ADVICE[field])
    value = spread.idxmax()
    high, low = shares.loc[value].idxmax(), shares.loc[value].idxmin()
    return Finding(
        f"{percent(shares.loc[value, high])} of the {_name(summary, high)} images {PHRASES[field].format(value)}, "
        f"{percent(shares.loc[value, low])} of the {_name(summary, low)} images",
        f"No other {name} differs more between two classes. {ADVICE[field]}" if len(shares) > 2 else ADVICE[field],
    )


def _missing(summary: Summary) -> Finding:
    totals = summary.missing.sum(axis=1)
    absent = [FIELD_NAMES[f] for f in totals.index if totals[f] == summary.images]
    gaps = totals[(totals > 0) & (totals < summary.images)].sort_values(ascending=False)
    text = f"The source gives no {listed(absent)}. " if absent else ""
    if not len(gaps):
        title = f"There is no {listed(absent)}" if absent else "Nothing is missing"
        return Finding(title, f"{text}Every field that the source has is complete.")
    given = [f"{FIELD_NAMES[f]} {n:,} ({percent(n / summary.images)})" for f, n in gaps.items()]
    shares = (summary.missing.loc[gaps.index] / summary.classes["images"])[_large(summary)]
    field, label = shares.stack().idxmax()
    return Finding(
        f"{percent(gaps.iloc[0] / summary.images)} of the images lack the {FIELD_NAMES[gaps.index[0]]}",
        f"{text}Images without a value: {', '.join(given)}. The largest gap is {FIELD_NAMES[field]} in "
        f"{_name(summary, label)}, {percent(shares.loc[field, label])}. Gaps that differ between classes give the "
        "class away: encode such values as unknown instead of imputing a mean.",
    )


def _shortcut(summary: Summary) -> Finding:
    best = summary.shortcut.idxmax()
    return Finding(
        f"Without a picture, {FIELD_NAMES[best]} alone distinguishes malignant from benign with an AUC of "
        f"{summary.shortcut[best]:.2f}",
        "Here each image is ranked by how common malignancy is among the images with the same value, on the same "
        "images, which is slightly optimistic. 0.5 is chance, 1 perfect. A model that does no better may have "
        "learned a metadata shortcut and nothing about skin.",
    )


def _sizes(appearance: Appearance) -> Finding:
    sizes = appearance.sizes
    if len(sizes) == 1:
        return Finding(f"All images are {sizes.index[0]} pixels", "One size and shape: nothing to learn from them.")
    area = {s: int(s.split("x")[0]) * int(s.split("x")[1]) for s in sizes.index}
    return Finding(
        f"{len(sizes):,} sizes, from {min(area, key=area.__getitem__)} to {max(area, key=area.__getitem__)} pixels",
        f"{percent(sizes.iloc[0] / sizes.sum())} are {sizes.index[0]}. Where a size belongs to one source or class, "
        "the sharpness after scaling can be a shortcut.",
    )


def _colours(summary: Summary, appearance: Appearance) -> Finding:
    per_channel = appearance.colours.unstack()
    means = per_channel["mean"][list(CHANNELS)].mean(axis=1)
    between = per_channel["between"].to_numpy().mean()
    if len(means) < 2:
        return Finding(f"The mean intensity is {means.iloc[0]:.2f}", "On the scale of 0, black, to 1, white.")
    dark, bright = means.idxmin(), means.idxmax()
    verdict = (
        "The classes differ less than the images of one class: overall brightness says little about a single image."
        if means[bright] - means[dark] < between
        else "The classes differ more than the images of one class: check that no lamp or camera is the reason."
    )
    return Finding(
        f"Pictures of {_name(summary, dark)} are the darkest, of {_name(summary, bright)} the brightest",
        f"Their mean intensities are {means[dark]:.2f} and {means[bright]:.2f}, on the scale of 0, black, to 1, full. "
        f"Within a class it varies by {between:.2f} (one standard deviation). {verdict}",
    )


def _means(summary: Summary, appearance: Appearance) -> Finding:
    contrast = appearance.contrast.sort_values()
    low, high = contrast.index[0], contrast.index[-1]
    if contrast[high] < 0.02:
        return Finding("No lesion is visible in the mean images", "Lesions are anywhere, or fill the whole image.")
    compared = (
        f" It stands out most for {_name(summary, high)}, {contrast[high]:.2f} darker than the rim, and least for "
        f"{_name(summary, low)}, {contrast[low]:.2f}."
        if len(contrast) > 1
        else ""
    )
    return Finding(
        "Lesions are in the centre",
        "Each image is the average of a class. The dark spot is where lesions are: photographers centre them, "
        f"so a central crop keeps most of them.{compared}",
    )


def _look(appearance: Appearance, label: str) -> str:
    """How the class ranks among the others in brightness, redness and contrast."""
    mean = appearance.colours["mean"].unstack()
    scales = {
        ("darkest", "brightest"): mean.mean(axis=1),
        ("least red", "reddest"): mean["red"] / mean.sum(axis=1),
        ("faintest against the skin around it", "strongest against the skin around it"): appearance.contrast,
    }
    extremes = [
        word
        for words, values in scales.items()
        for word, at in zip(words, (values.idxmin(), values.idxmax()), strict=True)
        if at == label
    ]
    ranked = f"; of all classes the {listed(extremes)}" if extremes else ""
    return f"Its pictures have a mean intensity of {mean.loc[label].mean():.2f}{ranked}."


def _large(summary: Summary) -> pd.Index:
    """Classes with enough images to compare, or the largest where none has."""
    images = summary.classes["images"]
    return summary.classes.index[images >= min(FEW, images.max())]


def _name(summary: Summary, label: str) -> str:
    return str(summary.classes.loc[label, "name"])
