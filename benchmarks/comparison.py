"""How often similar known lesions share the diagnosis, and how much an answer moves between pictures of one lesion.

python benchmarks/comparison.py ROOT --model BUNDLE [--out results/comparison.md]

The index holds the bundle's training part, and what is asked is its own test part; no test lesion is in the index.
Intervals resample lesions.
"""

import argparse
from pathlib import Path

import numpy as np

from common import machine, pixels_of, publish
from lentigo import data
from lentigo.comparison.building import index_of
from lentigo.comparison.described import unit
from lentigo.comparison.neighbours import nearest
from lentigo.evaluation.predict import own_part
from lentigo.evaluation.statistics.intervals import resamples
from lentigo.progress import track
from lentigo.runtime import Classifier

COUNTS = (1, 5, 10)
REPLICATES = 1000


def balanced(values, labels, weights):
    """The mean over diagnoses of their weighted means."""
    kept = [k for k in np.unique(labels) if weights[labels == k].sum() > 0]
    return np.mean([np.average(values[labels == k], weights=weights[labels == k]) for k in kept])


def with_interval(statistic, labels, groups):
    drawn = [statistic(w) for block in resamples(labels, groups, REPLICATES, 0) for w in block]
    low, high = np.quantile(drawn, [0.025, 0.975])
    return f"{statistic(np.ones(len(labels))):.3f} ({low:.3f} to {high:.3f})"


def quantile(values, weights, share):
    """The weighted quantile of values."""
    order = np.argsort(values)
    return values[order][np.searchsorted(np.cumsum(weights[order]), share * weights.sum())]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", type=Path)
    parser.add_argument("--model", required=True)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    classifier = Classifier.load(options.model, threads=1)
    bundle = classifier.bundle
    records = data.read(options.root)
    index = index_of(records, classifier)
    test = own_part(bundle, records)
    found = [test.decode(path)[None] for path in test.table["path"]]
    outputs = [bundle.predict(image) for image in track(found, "Predicting", len(found))]
    vectors = unit(np.concatenate([bundle.embed(image) for image in track(found, "Embedding", len(found))]))
    probabilities = np.concatenate([o.probabilities for o in outputs])
    labels = test.labels
    groups = dict(zip(records.ids, data.find_groups(records).astype(str), strict=True))
    group = np.array([groups[i] for i in test.ids])
    lines = [
        "# Similar lesions, and pictures of one lesion",
        "",
        f"`python benchmarks/comparison.py ROOT --model {Path(options.model).name}`",
        "",
        f"{bundle.name} ({bundle.sha256[:12]}), {bundle.origin.data} ({pixels_of(test.table['path'])}), "
        f"protocol {bundle.origin.split['protocol']}, fold "
        f"{bundle.origin.split['fold']}: {len(index):,} training images in the index, {len(test):,} test images asked. "
        f"Intervals (95 %) are percentiles of {REPLICATES} resamples of lesions.",
        "",
        "## How often do similar known lesions share the diagnosis?",
        "",
        "Share of the nearest lesions with the image's own diagnosis, each diagnosis counting the same; by chance it "
        "would be the mean share of a diagnosis in the index.",
        "",
        "| nearest lesions | balanced over diagnoses | all images alike |",
        "| --- | --- | --- |",
    ]
    hidden = np.zeros((len(test), len(index)), bool)
    rows = nearest(index, vectors, hidden, max(COUNTS))
    own = np.array(records.label_set.classes)[labels]
    same = np.array([[index.diagnoses[row] == dx for row, _ in one] for one, dx in zip(rows, own, strict=True)])
    for count in COUNTS:
        share = same[:, :count].mean(axis=1)
        cells = [
            with_interval(lambda w, s=share: balanced(s, labels, w), labels, group),
            with_interval(lambda w, s=share: np.average(s, weights=w), labels, group),
        ]
        lines.append(f"| {count} | {cells[0]} | {cells[1]} |")
    chance = np.mean([(index.diagnoses == c).mean() for c in np.unique(own)])
    lines += ["", f"By chance: {chance:.3f} balanced.", "", *of_each(same, labels, group, records.label_set.classes)]
    lines += moved(probabilities, vectors, labels, group, test, bundle)
    publish([*lines, "", machine()], options.out)


def of_each(same, labels, group, classes):
    """The share among the five nearest, for each diagnosis."""
    lines = ["| diagnosis | images | share of the 5 nearest |", "| --- | --- | --- |"]
    for k in np.unique(labels):
        chosen = labels == k
        share = same[chosen, :5].mean(axis=1)
        cell = with_interval(lambda w, s=share: np.average(s, weights=w), labels[chosen], group[chosen])
        lines.append(f"| {classes[k]} | {chosen.sum()} | {cell} |")
    return [*lines, ""]


def moved(probabilities, vectors, labels, group, test, bundle):
    """How much probabilities and embeddings differ between two pictures of one lesion."""
    lesions = test.table["lesion_id"].to_numpy(dtype=object)
    firsts, seconds = [], []
    for lesion in dict.fromkeys(lesions):
        rows = np.flatnonzero(lesions == lesion)
        if len(rows) > 1:
            firsts.append(rows[0])
            seconds.append(rows[1])
    a, b = np.array(firsts), np.array(seconds)
    classes = list(test.label_set.classes)
    risks = {
        "melanoma": probabilities[:, classes.index("mel")],
        "malignancy": probabilities[:, [classes.index(c) for c in test.label_set.malignant]].sum(axis=1),
    }
    rng = np.random.default_rng(0)
    other = rng.permutation(len(test))
    different = group != group[other]
    apart = 1 - (vectors * vectors[other]).sum(1)[different]
    distance = 1 - (vectors[a] * vectors[b]).sum(1)
    lines = [
        "## How much does an answer move between two pictures of one lesion?",
        "",
        f"{len(a)} lesions of the test part with two pictures or more, the first two of each. The authors of HAM10000 "
        "describe them as pictures at other magnifications or angles; how much time lies between them isn't stated. A "
        "difference that `lentigo follow` shows and that isn't larger than these is no evidence of a change.",
        "",
        "| what | median | 90 % of the lesions move less than |",
        "| --- | --- | --- |",
    ]
    for name, risk in risks.items():
        change = np.abs(risk[a] - risk[b])
        cells = [with_interval(lambda w, c=change, s=s: quantile(c, w, s), labels[a], group[a]) for s in (0.5, 0.9)]
        lines.append(f"| probability of {name} | {cells[0]} | {cells[1]} |")
    cells = [with_interval(lambda w, s=s: quantile(distance, w, s), labels[a], group[a]) for s in (0.5, 0.9)]
    lines.append(f"| embedding, 1 - cosine | {cells[0]} | {cells[1]} |")
    top = probabilities.argmax(1)
    same_top = with_interval(lambda w: np.average(top[a] == top[b], weights=w), labels[a], group[a])
    lines += ["", f"- The most probable diagnosis is the same in {same_top} of them."]
    for point in bundle.metadata.operating_points:
        if point.view == "equal_prevalence":
            over = risks[point.target] >= point.threshold
            kept = with_interval(lambda w, o=over: np.average(o[a] == o[b], weights=w), labels[a], group[a])
            lines.append(f"- Both pictures lie on the same side of the threshold for {point.target} in {kept} of them.")
    return [*lines, f"- Two pictures of different lesions are {np.median(apart):.3f} apart (median)."]


if __name__ == "__main__":
    main()
