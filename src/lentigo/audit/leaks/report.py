"""The leak report of a split, and the score of a 1-NN baseline."""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import accuracy_score, recall_score
from sklearn.neighbors import NearestNeighbors

from lentigo.atomic import write_text
from lentigo.data.copies import original_id
from lentigo.data.outputs import output_folder
from lentigo.data.pixels import load_pixels
from lentigo.data.records import Problem, Records
from lentigo.data.splits import Split
from lentigo.errors import DataError
from lentigo.render.markdown import table

__all__ = ["LeakReport", "Score", "leak_report"]


@dataclass(frozen=True)
class Score:
    """What copying the diagnosis of the nearest training image scores.

    Attributes:
        images: number of test images.
        accuracy: share of correct predictions, 0 to 1; None without images.
        balanced_accuracy: mean over the classes that occur of the share of correct predictions, 0 to 1; None without
            images.
    """

    images: int
    accuracy: float | None
    balanced_accuracy: float | None


@dataclass(frozen=True)
class LeakReport:
    """How much of the test part is in training. Make one with `leak_report`.

    Attributes:
        split: the split.
        table: one row a test image: image_id, truth, leaked (a same-lesion image of its group is in training), nearest
            (id of the nearest training image), distance (Euclidean, grey levels), 1-NN baseline (that image's class).
        size: side of the squares that were compared, in pixels.
        lesions_shared: number of lesion ids that two parts share, by 'train-test' and so on.
        groups_shared: the same of groups.
        unreadable: the images that can't be read; those of the test part are in no row of the table.
    """

    split: Split = field(repr=False)
    table: pd.DataFrame = field(repr=False)
    size: int
    lesions_shared: Mapping[str, int]
    groups_shared: Mapping[str, int]
    unreadable: tuple[Problem, ...] = ()

    def scores(self) -> dict[str, Score]:
        """The 1-NN baseline's score on all test images, on the leaked ones and on the others."""
        leaked = self.table["leaked"]
        return {
            "all": _score(self.table),
            "leaked": _score(self.table[leaked]),
            "not leaked": _score(self.table[~leaked]),
        }

    def per_class(self) -> pd.DataFrame:
        """Test images and leaked test images of each class, columns images and leaked."""
        return self.table.groupby("truth")["leaked"].agg(images="size", leaked="sum")

    def summary(self) -> dict[str, object]:
        """The figures, ready for JSON."""
        return {
            "source": self.split.records.name,
            "protocol": self.split.protocol,
            "leaky": self.split.leaky,
            "fold": self.split.fold,
            "seed": self.split.seed,
            "split_sha256": self.split.hash,
            "size": self.size,
            "images": self.split.counts()["images"].to_dict(),
            "test_images_leaked": int(self.table["leaked"].sum()),
            "per_class": self.per_class().to_dict("index"),
            "lesions_shared": dict(self.lesions_shared),
            "groups_shared": dict(self.groups_shared),
            "unreadable": [asdict(problem) for problem in self.unreadable],
            "nearest_neighbour": {name: asdict(score) for name, score in self.scores().items()},
        }

    def __str__(self) -> str:
        leaked, images = int(self.table["leaked"].sum()), len(self.table)
        score = self.scores()["all"]
        return (
            f"{self.split.protocol}: {leaked:,} of {images:,} test images have a same-lesion image in training "
            f"({leaked / images:.1%}); training and test share {self.lesions_shared['train-test']:,} lesions; copying "
            f"the nearest training image's diagnosis at {self.size} px scores {score.accuracy:.3f} "
            f"({score.balanced_accuracy:.3f} balanced)" + self._left_out()
        )

    def _left_out(self) -> str:
        if not self.unreadable:
            return ""
        return f"; {len(self.unreadable):,} images can't be read and are excluded, such as {self.unreadable[0].file}"

    def save(self, out: str | os.PathLike[str]) -> None:
        """Write `leaks.json` (the figures), `leaks.csv` (one row a test image) and `leaks.md` (to read) to a folder."""
        folder = output_folder(out, self.split.records)
        for name, text in (
            ("leaks.json", json.dumps(self.summary(), indent=1, sort_keys=True) + "\n"),
            ("leaks.csv", self.table.to_csv(index=False, lineterminator="\n")),
            ("leaks.md", self._markdown()),
        ):
            write_text(folder / name, text)

    def _markdown(self) -> str:
        classes = table(
            ("class", "test images", "with a same-lesion image in training"),
            [(diagnosis, row.images, row.leaked) for diagnosis, row in self.per_class().iterrows()],
            right=(1, 2),
        )
        shared = table(
            ("parts", "lesion ids in both", "groups in both"),
            [(pair, count, self.groups_shared[pair]) for pair, count in self.lesions_shared.items()],
            right=(1, 2),
        )
        scores = table(
            ("test images", "n", "accuracy", "balanced accuracy"),
            [(name, s.images, _shown(s.accuracy), _shown(s.balanced_accuracy)) for name, s in self.scores().items()],
            right=(1, 2, 3),
        )
        return (
            f"# Leaks of {self.split.protocol}, {self.split.records.name}\n\n{self}.\n\n"
            f"{classes}\n\n{shared}\n\n1-NN baseline on raw pixels, without training:\n\n{scores}\n"
        )


def leak_report(split: Split, size: int = 28) -> LeakReport:
    """Count the test images with a same-lesion image in training, and score a 1-NN baseline.

    The 1-NN baseline compares pixels of central squares (Euclidean distance over all channels) and copies the diagnosis
    of the nearest training image (Fix, Hodges, 1951). It can't generalise much, so what it scores above its score on
    images without a same-lesion image is the leak. Unreadable images are left out of it.

    Args:
        split: any split; `read_split` reads foreign ones.
        size: side of the squares in pixels.

    Raises:
        DataError: the split has no training or no test images, or none that can be read.
    """
    if not len(split.train) or not len(split.test):
        raise DataError(f"{split.protocol}: no training images or no test images.", "Use a split with both.")
    groups = split.manifest.set_index("image_id")["group"]
    # Copies share the pixels of their originals, which are decoded and compared once.
    originals = split.records.table["image_id"].map(original_id)
    once = split.records.take(split.records.ids[(~originals.duplicated()).to_numpy()])
    pixels = load_pixels(once, size)
    readable = {original_id(i) for i in pixels.readable(once).ids}
    train, test = (part.take([i for i in part.ids if original_id(i) in readable]) for part in (split.train, split.test))
    if not len(train) or not len(test):
        raise DataError(
            f"{split.protocol}: no training or no test image can be read; the first: {pixels.problems[0]}.",
            "Download or export them again.",
        )
    row = pd.Series(range(len(once)), index=[original_id(i) for i in once.ids])
    rows = [row[[original_id(i) for i in part.ids]].to_numpy() for part in (train, test)]
    nearest, distance = _one_nn_study(pixels.array.reshape(len(once), -1), *rows)
    table = pd.DataFrame(
        {
            "image_id": test.ids,
            "truth": _classes(test),
            "leaked": groups[test.ids].isin(set(groups[split.train.ids])).to_numpy(),
            "nearest": train.ids[nearest],
            "distance": distance,
            "one_nn": _classes(train)[nearest],
        }
    )
    lesions = split.records.table.set_index("image_id")["lesion_id"]
    return LeakReport(split, table, size, _shared(split, lesions), _shared(split, groups), pixels.problems)


def _one_nn_study(
    pixels: NDArray[np.uint8], train: NDArray[np.int64], test: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Position in `train` of the row nearest to each of `test`, and how far it is; rows that occur twice cost once."""
    known, first = np.unique(train, return_index=True)
    asked, which = np.unique(test, return_inverse=True)
    index = NearestNeighbors(n_neighbors=1, algorithm="brute").fit(pixels[known].astype(np.float32))
    distance, found = index.kneighbors(pixels[asked].astype(np.float32))
    return first[found[which, 0]], distance[which, 0].astype(np.float64)


def _classes(records: Records) -> NDArray:
    """Diagnosis of each record, or benign and malignant where that is all the source knows: object array [N]."""
    if records.table["dx"].notna().all():
        return records.table["dx"].to_numpy(dtype=object)
    return np.where(records.table["malignant"], "malignant", "benign").astype(object)


def _score(table: pd.DataFrame) -> Score:
    if table.empty:
        return Score(0, None, None)
    truth, answer = table["truth"].tolist(), table["one_nn"].tolist()
    # The mean recall over the classes that occur; scikit-learn's own balanced accuracy warns of answers outside them.
    balanced = recall_score(truth, answer, labels=sorted(set(truth)), average="macro")
    return Score(len(table), float(accuracy_score(truth, answer)), float(balanced))


def _shown(value: float | None) -> str:
    return "none" if value is None else f"{value:.3f}"


def _shared(split: Split, names: pd.Series) -> dict[str, int]:
    """How many names of the images occur in each two parts."""
    part = split.manifest.set_index("image_id")["part"]
    inside = {p: set(names[part.index[part == p]]) for p in ("train", "validation", "test")}
    return {f"{a}-{b}": len(inside[a] & inside[b]) for a, b in combinations(inside, 2)}
