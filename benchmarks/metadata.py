"""What age, sex and site add to a network, and what they alone give, on the test part of its own split.

python benchmarks/metadata.py ROOT [--model lentigo-s] [--seeds 5] [--out results/metadata.md]

For each seed the terms of the metadata are trained on the training part (`training.metadata`) and scaled on
the validation part, where the temperature is fitted anew too, as `lentigo fuse` does it. Differences are paired over
resampled lesions.
"""

import argparse
from pathlib import Path

import numpy as np
from scipy.special import softmax

from common import machine, pixels_of, publish
from lentigo import data
from lentigo.evaluation import predict_own_part
from lentigo.evaluation.calibration.scaling import fit_temperature
from lentigo.evaluation.statistics.intervals import resamples
from lentigo.export.fusion import choose_factor, image_logits
from lentigo.runtime import Bundle
from lentigo.runtime.shipped import find_bundle
from lentigo.training.metadata import branch_logits, clinical_inputs, known_of, train_metadata

REPLICATES = 1000
MEASURES = ("balanced accuracy", "macro AUC", "AUC of melanoma")
DX_TYPE = "how the diagnosis was confirmed (dx_type)"


def weighted_auc(ranks, positive, weights):
    """AUC of scores by their ranks [N], equal ones with one rank, images weighted."""
    pos, neg = np.bincount(ranks, weights * positive), np.bincount(ranks, weights * ~positive)
    return (pos * (np.cumsum(neg) - neg / 2)).sum() / (pos.sum() * neg.sum())


class Measured:
    """The three measures of probabilities [N, K] at the balanced prior, images weighted."""

    def __init__(self, probabilities, labels, melanoma):
        self.right, self.labels, self.melanoma = probabilities.argmax(1) == labels, labels, melanoma
        self.ranks = [np.unique(column, return_inverse=True)[1] for column in probabilities.T]

    def __call__(self, weights):
        """Balanced accuracy, macro AUC and AUC of melanoma."""
        classes = np.unique(self.labels)
        recall = [np.average(self.right[self.labels == k], weights=weights[self.labels == k]) for k in classes]
        auc = {k: weighted_auc(self.ranks[k], self.labels == k, weights) for k in classes}
        return np.array([np.mean(recall), np.mean(list(auc.values())), auc[self.melanoma]])


def shortcut(train, test, labels):
    """Balanced accuracy of naming each image's most typical diagnosis by `dx_type` alone, which is never an input."""
    kinds = train.table["dx_type"].fillna("").to_numpy()
    shares = {
        kind: np.bincount(train.labels[kinds == kind], minlength=len(train.label_set)) / np.bincount(train.labels)
        for kind in set(kinds)
    }
    said = np.array([shares[k].argmax() if k in shares else 0 for k in test.table["dx_type"].fillna("")])
    return np.mean([(said[labels == k] == k).mean() for k in np.unique(labels)])


def interval(values):
    low, high = np.quantile(values, [0.025, 0.975], axis=0)
    return low, high


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", type=Path)
    parser.add_argument("--model", default="lentigo-s")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    records = data.read(options.root)
    bundle = Bundle(find_bundle(options.model), threads=1)
    test, validation = (predict_own_part(bundle, records, part) for part in ("test", "validation"))
    split = data.split(records, test.meta["protocol"], fold=test.meta["fold"])
    if split.hash != test.meta["split_sha256"] or split.leaky:
        raise SystemExit(f"{options.model}: trained on another split of {options.root}, or on a leaky one.")
    prior = np.array(test.meta["training_prevalence"])
    melanoma = records.label_set.classes.index("mel")
    inputs = clinical_inputs(split.train)
    known = {part: known_of(records.take(p.table["image_id"]), inputs) for part, p in (("v", validation), ("t", test))}
    image = {part: image_logits(bundle, p) for part, p in (("v", validation), ("t", test))}
    branches = [train_metadata(split.train, inputs, seed) for seed in range(options.seeds)]
    factors, fused, alone = [], [], []
    for branch in branches:
        terms = {part: branch_logits(branch, known[part]) for part in known}
        factors.append(choose_factor(image["v"], terms["v"], validation.labels, prior))
        logits = {part: image[part] + factors[-1] * terms[part] for part in image}
        temperature = fit_temperature(logits["v"], validation.labels, prevalence=prior)
        fused.append(softmax(logits["t"] / temperature, axis=1))
        alone.append(softmax(terms["t"], axis=1))
    models = {"image alone": [test.probabilities], "image and metadata": fused, "metadata alone": alone}
    labels, groups = test.labels, np.asarray(test.groups)

    def over_seeds(found, weights):
        return np.mean([one(weights) for one in found], axis=0)

    models = {name: [Measured(p, labels, melanoma) for p in found] for name, found in models.items()}
    ones = np.ones(len(labels))
    values = {name: over_seeds(found, ones) for name, found in models.items()}
    few = {name: found[:1] for name, found in models.items()}
    drawn = {name: [] for name in models}
    for block in resamples(labels, groups, REPLICATES, 0):
        for weights in block:
            for name, found in few.items():
                drawn[name].append(over_seeds(found, weights))
    drawn = {name: np.array(found) for name, found in drawn.items()}
    first = {name: over_seeds(found, ones) for name, found in few.items()}
    lines = [
        "# What age, sex and site add",
        "",
        f"`python benchmarks/metadata.py ROOT --model {options.model} --seeds {options.seeds}`",
        "",
        f"{len(test)} test images of {len(set(groups.tolist()))} groups of lesions, {records.name} "
        f"({pixels_of(records.table['path'])}), protocol "
        f"{split.protocol}, fold {split.fold} alone; the network is {bundle.name} ({bundle.sha256[:12]}), and "
        f"stays as it is. {len(split.train)} training images. Values are means over {options.seeds} seeds of the "
        f"metadata's terms; intervals (95 %) resample lesions with the first seed, {REPLICATES} times. All at the "
        "balanced prior; intervals are percentiles.",
        "",
        "| model | " + " | ".join(MEASURES) + " |",
        "| --- " * (1 + len(MEASURES)) + "|",
    ]
    for name in models:
        low, high = interval(drawn[name])
        cells = [f"{v:.3f} ({a:.3f} to {b:.3f})" for v, a, b in zip(values[name], low, high, strict=True)]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    lines += ["", "| less image alone, same lesions | " + " | ".join(MEASURES) + " |", "| --- " * 4 + "|"]
    for name in ("image and metadata", "metadata alone"):
        low, high = interval(drawn[name] - drawn["image alone"])
        change = values[name] - values["image alone"]
        cells = [f"{v:+.3f} ({a:+.3f} to {b:+.3f})" for v, a, b in zip(change, low, high, strict=True)]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    spread = np.ptp([one(ones) for one in models["image and metadata"]], axis=0)
    nothing = np.abs(branch_logits(branches[0], {k: np.full(1, -1, v.dtype) for k, v in known["t"].items()})).max()
    by_dx_type = shortcut(split.train, records.take(test.table["image_id"]), labels)
    lines += [
        "",
        f"- The terms are scaled by {', '.join(f'{f:g}' for f in factors)} (one for each seed), chosen on "
        f"{len(validation)} validation images. Between seeds the fused model differs by at most "
        f"{', '.join(f'{s:.4f} ({m})' for s, m in zip(spread, MEASURES, strict=True))}.",
        f"- With nothing known the terms are {nothing:g}: the model then is the image's alone.",
        f"- Missing in the test part: {missing_words(known['t'])}.",
        "- Metadata alone are a shortcut: what they give is the case mix of the clinics that collected the images, "
        "such as the age at which a diagnosis is common, and it need not hold elsewhere.",
        f"- {DX_TYPE[0].upper()}{DX_TYPE[1:]} is never an input. It alone would give a balanced accuracy of "
        f"{by_dx_type:.3f}.",
        f"- The first seed's values, which the intervals belong to: fused "
        f"{', '.join(f'{v:.3f}' for v in first['image and metadata'])}.",
        "- One fold and one network: other folds need networks of their own.",
        "",
        machine("torch"),
    ]
    publish(lines, options.out)


def missing_words(known):
    return ", ".join(f"{name} {int((values < 0).sum())}" for name, values in known.items())


if __name__ == "__main__":
    main()
