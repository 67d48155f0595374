"""What leaks are worth: the 1-NN baseline under leaky and honest protocols, as Markdown and JSON."""

import json
import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

import pandas as pd

from lentigo.atomic import make_folder, own_folder, write_text
from lentigo.audit.leaks.report import LeakReport, leak_report
from lentigo.data.protocols import FOLDS, PROTOCOLS
from lentigo.data.protocols.dermamnist import has_official_parts
from lentigo.data.records import Records
from lentigo.data.splits import split
from lentigo.progress import track
from lentigo.render.markdown import table

__all__ = ["LeakStudy", "nearest_neighbour_study"]

OFFICIAL = "dermamnist_official_leaky"
STUDIED = ("oversampled_then_split_leaky", "image_level_leaky", "grouped")

CLAIM = (0.9815, "seven classes at 28x28, 'compressed CNN' (the third of the reproduced papers)")
"""The published accuracy that the 1-NN baseline is compared with, and whose it is."""


@dataclass(frozen=True)
class LeakStudy:
    """The 1-NN baseline's scores, one row a protocol, fold and seed. Make one with `nearest_neighbour_study`.

    Attributes:
        table: columns protocol, leaky, fold, seed, train, test, leaked (share of the test images), accuracy,
            balanced_accuracy, accuracy_not_leaked, split_sha256.
        source: name of the data set.
        images: number of its images.
        size: side of the squares that were compared, in pixels.
        pairs: number of duplicates that the groups were joined by, beside lesion ids and published pairs.
        always_commonest: accuracy of the majority-class baseline on the data set.
        official: leak report of DermaMNIST's official split, where its table is with the images.
        environment: machine and versions.
    """

    table: pd.DataFrame = field(repr=False)
    source: str
    images: int
    size: int
    pairs: int
    always_commonest: float
    official: LeakReport | None
    environment: Mapping[str, str]

    def means(self) -> pd.DataFrame:
        """Mean, least and greatest over folds and seeds, by protocol in the order studied."""
        columns = ["leaked", "accuracy", "balanced_accuracy", "accuracy_not_leaked"]
        return self.table.groupby("protocol", sort=False)[columns].agg(["mean", "min", "max"])

    def save(self, out: Path, command: str) -> None:
        """Write `leakage.json` and `leakage.md` to a folder.

        Args:
            out: the folder.
            command: the command that makes them again, which both name.

        Raises:
            OutputError: the folder holds other files, none of them a leakage study's, or can't be written.
        """
        make_folder(own_folder(out, ("leakage.json",)))
        content = {
            "schema": "lentigo.leakage/1",
            "command": command,
            "environment": dict(self.environment),
            "source": self.source,
            "images": self.images,
            "size": self.size,
            "pairs": self.pairs,
            "always_commonest": self.always_commonest,
            "runs": self.table.to_dict("records"),
            "dermamnist_official": self.official.summary() if self.official else None,
        }
        for name, text in (
            ("leakage.json", json.dumps(content, indent=1, sort_keys=True) + "\n"),
            ("leakage.md", self._markdown(command)),
        ):
            write_text(out / name, text)

    def _markdown(self, command: str) -> str:
        means = self.means()
        head = (
            "same-lesion image in training",
            "accuracy",
            "balanced accuracy",
            "accuracy without a same-lesion image",
        )
        rows = [(name, *_cells(means.loc[name])) for name in means.index]
        spread = table(("protocol", *head), rows, right=(1, 2, 3, 4))
        folds, seeds = self.table["fold"].nunique(), sorted(self.table["seed"].unique().tolist())
        runs = self.table.groupby("protocol").size().max()
        first = means.iloc[0]
        return f"""# How much leaks inflate results

No network, no training: each test image gets the diagnosis of the training image with the most similar pixels
({self.size}x{self.size}, central square, Euclidean distance). Any score above its leak-proof score is due to leaks.

{self.source}, {self.images:,} images; {folds} folds, seeds {", ".join(map(str, seeds))}, n = {runs} per protocol;
mean (minimum to maximum). Groups are lesions joined by the published pairs and {self.pairs} pairs that the audit found.

{spread}

The majority-class baseline scores {self.always_commonest:.3f}. The published claim to compare with is
{CLAIM[0]:.4f} accuracy: {CLAIM[1]}. Here the 1-NN baseline on `{means.index[0]}` scores
{first["accuracy", "mean"]:.4f}, which is {abs(CLAIM[0] - first["accuracy", "mean"]) * 100:.2f} percentage points
{"below" if first["accuracy", "mean"] < CLAIM[0] else "above"} it, without any training.
{self._official()}
Machine and versions: {", ".join(f"{k} {v}" for k, v in self.environment.items())}.

Made by `{command}`; the figures of every split are in leakage.json.
"""

    def _official(self) -> str:
        if self.official is None:
            return ""
        scores = self.official.scores()
        return f"""
## DermaMNIST's official split

{self.official}. On the {scores["leaked"].images:,} test images with a same-lesion image the 1-NN baseline scores
{scores["leaked"].accuracy:.3f}, on the {scores["not leaked"].images:,} others {scores["not leaked"].accuracy:.3f}.
"""


def nearest_neighbour_study(
    records: Records,
    size: int = 28,
    *,
    protocols: Sequence[str] = STUDIED,
    folds: int = FOLDS,
    seeds: Sequence[int] = (0, 1, 2),
    pairs: Iterable[tuple[str, str]] = (),
) -> LeakStudy:
    """Score the 1-NN baseline under each protocol, fold and seed.

    Args:
        records: the images.
        size: side of the squares in pixels.
        protocols: keys of `PROTOCOLS` that have folds.
        folds: number of folds; each is the test once.
        seeds: seeds of the shuffle.
        pairs: duplicates to join groups by, such as `Audit.pairs`.

    Raises:
        DataError: too few lesions, or unreadable images only.
    """
    joined = tuple(pairs)
    plan = [(protocol, seed, fold) for protocol in protocols for seed in seeds for fold in range(folds)]
    rows = []
    for protocol, seed, fold in track(plan, f"1-NN baseline at {size} px", len(plan)):
        report = leak_report(split(records, protocol, fold=fold, folds=folds, seed=seed, pairs=joined), size)
        scores = report.scores()
        rows.append(
            {
                "protocol": protocol,
                "leaky": PROTOCOLS[protocol].leaky,
                "fold": fold,
                "seed": seed,
                "train": len(report.split.train),
                "test": len(report.table),
                "leaked": float(report.table["leaked"].mean()),
                "accuracy": scores["all"].accuracy,
                "balanced_accuracy": scores["all"].balanced_accuracy,
                "accuracy_not_leaked": scores["not leaked"].accuracy,
                "split_sha256": report.split.hash,
            }
        )
    counts = records.counts()
    return LeakStudy(
        table=pd.DataFrame(rows),
        source=records.name,
        images=len(records),
        size=size,
        pairs=len(joined),
        always_commonest=max(counts.values()) / len(records),
        official=leak_report(split(records, OFFICIAL, pairs=joined), size) if has_official_parts(records) else None,
        environment=_environment(),
    )


def _cells(row: pd.Series) -> list[str]:
    """Mean, least and most of each figure."""
    return [
        "none" if pd.isna(row[c, "mean"]) else f"{row[c, 'mean']:.3f} ({row[c, 'min']:.3f} to {row[c, 'max']:.3f})"
        for c in ("leaked", "accuracy", "balanced_accuracy", "accuracy_not_leaked")
    ]


def _environment() -> dict[str, str]:
    return {
        "machine": f"{platform.machine()}, {os.cpu_count()} CPU cores",
        "python": platform.python_version(),
        **{name: version(name) for name in ("lentigo", "numpy", "scikit-learn", "pillow")},
    }
