"""The leakage experiment as a page and one figure."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lentigo import taxonomy
from lentigo.atomic import write_text
from lentigo.render.markdown import table
from lentigo.render.plots import BLUE, INK, LINE, RED, canvas, drawing, save

if TYPE_CHECKING:
    from lentigo.studies.leakage import Leakage
    from lentigo.studies.outcome import Outcome

__all__ = ["write_leakage"]

TITLES = ("balanced accuracy: the mean over the diagnoses", "accuracy, at each protocol's own case mix")


def write_leakage(found: "Leakage", folder: Path) -> Path:
    """Write leakage.md, leakage.json and leakage.svg."""
    write_text(folder / "leakage.json", found.to_json() + "\n")
    with drawing():
        save(_figure(found), folder / "leakage.svg")
    write_text(folder / "leakage.md", _page(found))
    return folder / "leakage.md"


def _page(found: "Leakage") -> str:
    one_nn, official = _one_nn(found), found.one_nn.get("dermamnist_official")
    accuracy = {o.protocol: o.native.get("accuracy") for o in found.networks}
    names = list(accuracy)
    worst, honest = (float(accuracy[name].value or 0) for name in (names[0], names[-1]))
    balanced = {o.protocol: float(o.native.get("balanced_accuracy").value or 0) for o in found.networks}
    usual = _baseline(found.networks[-1])
    mix, leak, guessing = *_mix(found), 1 / len(taxonomy.CLASSES)
    networks = table(
        (
            "protocol",
            "training images",
            "test images",
            "accuracy",
            "balanced accuracy",
            "macro AUC",
            "1-NN accuracy",
        ),
        (
            (
                f"`{o.protocol}`",
                f"{o.train_images:,}",
                f"{o.test_images:,}",
                *(str(o.native.get(name)) for name in ("accuracy", "balanced_accuracy", "auc.macro")),
                f"{one_nn.loc[o.protocol, 'accuracy']:.3f}",
            )
            for o in found.networks
        ),
    )
    paired = table(
        ("network", "epochs (of)", "train", "exchanged", "test", "present", "absent", "difference", "gained", "lost"),
        (
            (
                f"`{p.network}`",
                f"{p.epochs} ({p.target_epochs})",
                *(f"{n:,}" for n in (p.train_images, p.exchanged, p.test_images)),
                *(str(e) for e in (p.present, p.absent, p.difference)),
                str(p.gained),
                str(p.lost),
            )
            for p in found.paired
        ),
    )
    runs = pd.DataFrame(found.one_nn["runs"])
    one_nn_scores = table(
        (
            "protocol",
            "test images with a same-lesion image in training",
            "accuracy",
            "balanced",
            "accuracy without a same-lesion image",
        ),
        (
            (f"`{name}`", *("none" if pd.isna(value) else f"{value:.3f}" for value in row))
            for name, row in one_nn.iterrows()
        ),
    )
    environment = found.networks[0].machine
    return f"""# How much of a published {found.published:.4f} is leak

```
{found.command}
```

Budget {found.budget}. Data: {found.data["name"]}, {found.data["images"]:,} images of {found.data["lesions"]:,} lesions.
Machine and versions: {", ".join(f"{k} {v}" for k, v in environment.items())}. Intervals are 95 %, over lesions.

![Balanced accuracy and accuracy of the network and of a 1-NN baseline, by protocol](leakage.svg)

The paper claims an accuracy of {found.published:.4f} for its network at 28x28 pixels. That network, trained by its own
recipe as far as the budget goes, scores **{worst:.3f}** when images are copied before they are split (`{names[0]}`),
and **{honest:.3f}** when no lesion is on both sides (`{names[-1]}`). Images, network and recipe are the same.
What differs is how the images are split, and with it the case mix of the test part. Of the drop of
{worst - honest:.3f}, the case mix explains {mix:.3f}: at its own recalls, the first protocol's network would score
{worst - mix:.3f} at the case mix of the leak-proof test part. The leak explains the other {leak:.3f}, at a case mix
where the majority-class baseline already scores {usual:.3f}. The balanced accuracy, which does not depend on
the case mix, drops from {balanced[names[0]]:.3f} to {balanced[names[-1]]:.3f}; chance is {guessing:.3f}. On the first
kind of split a 1-NN baseline on raw pixels, without any training, scores {one_nn.loc[names[0], "accuracy"]:.3f}.

## The 28x28 network

{networks}

Native predictions of the network; {found.networks[0].epochs} of {found.networks[0].target_epochs} published epochs,
fold 0. On `{names[0]}` all seven diagnoses are equally common in the test part.

## The same test images, with and without their same-lesion images in training

For half of the lesions with several images, one image each is tested. In one arm the other images of these lesions
are in training; in the other arm images of other lesions replace them. All else is equal.

{paired}

Train, exchanged, test: images. Present, absent: accuracy with and without same-lesion images in training. 'Gained'
are test images that only the arm with same-lesion images classifies correctly, 'lost' those that only the other does.
One training per arm: the intervals are over lesions, not over trainings.

## A 1-NN baseline without training

Each test image gets the diagnosis of the training image with the most similar pixels, {found.one_nn["size"]} a side.
Any score above its leak-proof score is due to leaks.

{one_nn_scores}

Mean of {runs.groupby("protocol").size().max()} splits per protocol ({runs["fold"].nunique()} folds, seeds
{", ".join(str(s) for s in sorted(runs["seed"].unique()))}).
{_official(official)}"""


def _official(official: object) -> str:
    """What the official split of DermaMNIST shares, where its table is with the images."""
    if not isinstance(official, dict):
        return ""
    return (
        "\n## DermaMNIST's official split\n\n"
        f"{official['test_images_leaked']:,} of {official['images']['test']:,} test images have a same-lesion image in "
        f"training; training and test share {official['lesions_shared']['train-test']:,} lesions.\n"
    )


def _one_nn(found: "Leakage") -> pd.DataFrame:
    """Means of the 1-NN baseline's scores, by protocol."""
    runs = pd.DataFrame(found.one_nn["runs"])
    columns = ["leaked", "accuracy", "balanced_accuracy", "accuracy_not_leaked"]
    return runs.groupby("protocol", sort=False)[columns].mean()


def _figure(found: "Leakage") -> Figure:
    """Balanced accuracy, which the mix doesn't move, beside accuracy with each test part's own baseline."""
    figure, (panels,) = canvas(9.5, 3.8, 1, 2, sharey=True)
    looked_up = _one_nn(found)
    for axes, metric, title in zip(panels, ("balanced_accuracy", "accuracy"), TITLES, strict=True):
        _bars(axes, found, looked_up[metric].to_dict(), metric)
        axes.set(xlim=(0, 1), xlabel=title)
    left, right = panels
    rows = np.arange(len(found.networks))[::-1]
    left.axvline(1 / len(taxonomy.CLASSES), color=INK, lw=1.2, ls=":", label="guessing 0.143")
    right.axvline(found.published, color=RED, lw=1.5, ls="--", label=f"published {found.published:.4f}")
    for row, outcome in zip(rows, found.networks, strict=True):
        baseline = _baseline(outcome)
        name = "majority-class baseline of that test part" if row == rows[0] else None
        right.plot([baseline, baseline], [row - 0.45, row + 0.45], color=INK, lw=2, ls=":", label=name)
        right.text(baseline, row + 0.46, f"{baseline:.3f}", ha="center", va="bottom", fontsize=8)
    left.set_yticks(rows, [f"{o.protocol}\n{o.test_images:,} test images" for o in found.networks], fontsize=9)
    left.set_ylim(-0.6, rows[0] + 0.75)
    mix, leak = _mix(found)
    before, after = (found.networks[i].native.get("accuracy").value or 0.0 for i in (0, -1))
    words = (
        f"Of the drop in accuracy from {before:.3f} to {after:.3f}, the case mix explains {mix:.3f}, the "
        f"leak {leak:.3f}."
    )
    figure.supxlabel(words, fontsize=10)
    named = {n: h for p in panels for h, n in zip(*p.get_legend_handles_labels(), strict=True)}
    figure.legend(named.values(), named.keys(), loc="outside upper center", ncols=3, fontsize=8.5)
    return figure


def _bars(axes: Axes, found: "Leakage", looked_up: Mapping[str, float], metric: str) -> None:
    """The network with its interval, and the 1-NN baseline below it, for each protocol."""
    estimates = [o.native.get(metric) for o in found.networks]
    values, low, high = (np.array([getattr(e, k) for e in estimates], dtype=float) for k in ("value", "low", "high"))
    reach = np.nan_to_num([values - low, high - values])  # no interval, no whisker
    rows = np.arange(len(values))[::-1]
    axes.barh(rows + 0.2, values, 0.36, color=BLUE, xerr=reach, ecolor=INK, label="the paper's network")
    others = [looked_up[o.protocol] for o in found.networks]
    axes.barh(rows - 0.2, others, 0.36, color=LINE, label="1-NN baseline, no training")
    for row, value, other in zip(rows, values, others, strict=True):
        axes.text(0.01, row + 0.2, f"{value:.3f}", va="center", color="white", fontsize=10)
        axes.text(0.01, row - 0.2, f"{other:.3f}", va="center", color=INK, fontsize=10)
    axes.tick_params(length=0)


def _baseline(outcome: "Outcome") -> float:
    """Accuracy of the majority-class baseline on a test part."""
    images = outcome.native.provenance.images_of
    return max(images.values()) / sum(images.values())


def _mix(found: "Leakage") -> tuple[float, float]:
    """How the first protocol's accuracy falls to the last one's: by the mix of the test part alone, then by the leak.

    Accuracy at a mix is the sum of share times recall over the diagnoses, so the leaky network's accuracy at the honest
    test part's mix follows from its recalls.
    """
    leaky, honest = found.networks[0].native, found.networks[-1].native
    images = honest.provenance.images_of
    recalls = {c: leaky.get(f"recall.{c}").value or 0.0 for c in images}
    at_honest_mix = sum(n * recalls[c] for c, n in images.items()) / sum(images.values())
    before, after = (float(m.get("accuracy").value or 0) for m in (leaky, honest))
    return before - at_honest_mix, at_honest_mix - after
