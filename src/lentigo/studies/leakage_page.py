"""The leakage experiment as a page and one figure."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.figure import Figure as Canvas

from lentigo.atomic import write_text
from lentigo.audit.describing.figures import BENIGN, INK, LINE, MALIGNANT, styled
from lentigo.render.markdown import table

if TYPE_CHECKING:
    from lentigo.studies.leakage import Leakage

__all__ = ["write_leakage"]


def write_leakage(found: "Leakage", folder: Path) -> Path:
    """Write leakage.md, leakage.json and leakage.svg."""
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / "leakage.json", found.to_json() + "\n")
    with styled():
        _figure(found).savefig(folder / "leakage.svg", facecolor="white", metadata={"Date": None, "Creator": None})
    write_text(folder / "leakage.md", _page(found))
    return folder / "leakage.md"


def _page(found: "Leakage") -> str:
    one_nn, official = _one_nn(found), found.one_nn.get("dermamnist_official")
    accuracy = {o.protocol: o.native.get("accuracy") for o in found.networks}
    names = list(accuracy)
    worst, honest = (float(accuracy[name].value or 0) for name in (names[0], names[-1]))
    balanced = {o.protocol: float(o.native.get("balanced_accuracy").value or 0) for o in found.networks}
    usual = float(str(found.one_nn["always_commonest"]))
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
Machine and versions: {", ".join(f"{k} {v}" for k, v in environment.items())}. Intervals hold 95 %, over lesions.

![accuracy by protocol](leakage.svg)

The paper claims an accuracy of {found.published:.4f} for its network at 28x28 pixels. That network, trained by its own
recipe as far as the budget goes, scores **{worst:.3f}** when images are copied before they are split (`{names[0]}`),
and **{honest:.3f}** when no lesion is on both sides (`{names[-1]}`). Images, network and recipe are the same.
What differs is how the images are split, and with it the mix of diagnoses that is tested: the balanced accuracy, which
does not depend on the mix, falls from {balanced[names[0]]:.3f} to {balanced[names[-1]]:.3f}. On the first kind of split
a 1-NN baseline scores {one_nn.loc[names[0], "accuracy"]:.3f}. On the honest one always naming the
commonest diagnosis scores {usual:.3f} accuracy.

## The 28x28 network

{networks}

As the network decides by itself; {found.networks[0].epochs} of {found.networks[0].target_epochs} published epochs,
fold 0. On `{names[0]}` all seven diagnoses are equally common in the test part.

## The same test images, with and without their same-lesion images in training

From half of the lesions with several images, one image each is tested. In one arm the other images of these lesions
are in training; in the other arm images of other lesions stand in their place. All else is the same.

{paired}

Train, exchanged, test: images. Present, absent: accuracy with and without same-lesion images in training. 'Gained'
are test images that only the arm with same-lesion images classifies correctly, 'lost' those that only the other does.
One training an arm: the intervals are over lesions and not over trainings.

## A 1-NN baseline that learns nothing

Each test image gets the diagnosis of the training image with the most similar pixels, {found.one_nn["size"]} a side.
Whatever that scores above its honest score is leak.

{one_nn_scores}

Mean of {runs.groupby("protocol").size().max()} splits a protocol ({runs["fold"].nunique()} folds, seeds
{", ".join(str(s) for s in sorted(runs["seed"].unique()))}).
{_official(official)}"""


def _official(official: object) -> str:
    """What the official split of DermaMNIST shares, where its table lies with the images."""
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


def _figure(found: "Leakage") -> Canvas:
    """Accuracy of network and 1-NN baseline by protocol, and the published claim."""
    one_nn = _one_nn(found)
    canvas = Canvas(figsize=(7, 3.2), layout="constrained")
    axes = canvas.subplots()
    rows = np.arange(len(found.networks))[::-1]
    estimates = [o.native.get("accuracy") for o in found.networks]
    values, low, high = (np.array([getattr(e, k) for e in estimates], dtype=float) for k in ("value", "low", "high"))
    reach = np.nan_to_num([values - low, high - values])  # no interval, no whisker
    axes.barh(rows + 0.2, values, 0.36, color=BENIGN, xerr=reach, ecolor=INK, label="the paper's network")
    one_nn_scores = [float(one_nn.loc[o.protocol, "accuracy"]) for o in found.networks]
    axes.barh(rows - 0.2, one_nn_scores, 0.36, color=LINE, label="a 1-NN baseline")
    for row, value, other in zip(rows, values, one_nn_scores, strict=True):
        axes.text(0.01, row + 0.2, f"{value:.3f}", va="center", color="white", fontsize=10)
        axes.text(0.01, row - 0.2, f"{other:.3f}", va="center", color=INK, fontsize=10)
    axes.axvline(found.published, color=MALIGNANT, lw=1.5, ls="--", label=f"published {found.published:.4f}")
    usual = float(str(found.one_nn["always_commonest"]))
    axes.axvline(usual, color=INK, lw=1, ls=":", label=f"always the commonest diagnosis {usual:.3f}")
    axes.set_yticks(rows, [o.protocol for o in found.networks])
    axes.set(xlim=(0, 1), xlabel="accuracy")
    canvas.legend(loc="outside upper center", ncols=2, frameon=False, fontsize="small")
    return canvas
