"""A split: a frozen, hashed manifest of which image is for training, validation and test."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from lentigo.data.copies import refuse_copies, with_copies
from lentigo.data.groups import find_groups
from lentigo.data.protocols import FOLDS, PROTOCOLS
from lentigo.data.records import Records
from lentigo.errors import DataError, LeakError
from lentigo.whole_files import write_text

__all__ = ["HEADER", "Split", "freeze", "load_split", "split"]

HEADER = "# lentigo split "
"""What the first line of a saved split starts with."""


@dataclass(frozen=True)
class Split:
    """Which image is for what. Make one with `split`, read one with `load_split`.

    Attributes:
        records: the images that are parted.
        manifest: columns image_id, group, part; part is 'train', 'validation', 'test' or 'unused'.
        protocol: name of the protocol; leaky ones say so in it.
        leaky: whether one group may lie on two sides.
        fold: number of the fold, from 0.
        folds: number of folds that were asked for.
        seed: seed of the shuffle.
        hash: SHA-256 over manifest, protocol, fold and seed, hexadecimal.
    """

    records: Records
    manifest: pd.DataFrame
    protocol: str
    leaky: bool
    fold: int
    folds: int
    seed: int
    hash: str

    @property
    def train(self) -> Records:
        """Images to learn from."""
        return self.part("train")

    @property
    def validation(self) -> Records:
        """Images for early stopping, temperature and thresholds."""
        return self.part("validation")

    @property
    def test(self) -> Records:
        """Images to report on, never to choose by."""
        return self.part("test")

    def part(self, name: str) -> Records:
        """The records of one part."""
        return self.records.take(self.manifest.loc[self.manifest["part"] == name, "image_id"])

    def counts(self) -> pd.DataFrame:
        """Images and groups per part, columns images and groups."""
        return self.manifest.groupby("part").agg(images=("image_id", "size"), groups=("group", "nunique"))

    def __str__(self) -> str:
        parts = ", ".join(f"{part} {n.images:,} images of {n.groups:,} groups" for part, n in self.counts().iterrows())
        return f"{self.protocol}{' (LEAKY)' if self.leaky else ''}, fold {self.fold}: {parts}; hash {self.hash[:12]}"

    def save(self, path: Path) -> None:
        """Write the manifest as CSV, under one comment line with its description and hash."""
        header = {
            "protocol": self.protocol,
            "leaky": self.leaky,
            "fold": self.fold,
            "folds": self.folds,
            "seed": self.seed,
            "source": self.records.name,
            "sha256": self.hash,
        }
        body = self.manifest.to_csv(index=False, lineterminator="\n")
        write_text(path, f"{HEADER}{json.dumps(header)}\n{body}")


def split(
    records: Records,
    protocol: str = "grouped",
    *,
    fold: int = 0,
    folds: int = FOLDS,
    seed: int = 0,
    pairs: Iterable[tuple[str, str]] = (),
) -> Split:
    """Part a data set by a named protocol.

    Args:
        records: the images.
        protocol: a key of `PROTOCOLS`; 'grouped' is the honest one.
        fold: which fold is the test part, 0 to `folds` - 1.
        folds: number of folds; the published splits have one, and 'external' has one a source.
        seed: seed of the shuffle.
        pairs: image ids known to show one lesion, joined into one group beside `records.known_pairs`; such as
            `Audit.pairs`.

    Raises:
        DataError: unknown protocol, no such fold, or too few lesions.
        LeakError: records that were resampled already.
    """
    if protocol not in PROTOCOLS:
        raise DataError(f"Unknown protocol {protocol!r}.", f"Known protocols: {', '.join(PROTOCOLS)}.")
    refuse_copies(records)
    maker = PROTOCOLS[protocol]
    if maker.resample:
        records = maker.resample(records, seed)
    groups = find_groups(records, pairs)
    parts = maker.make(records, groups, fold, folds, seed)
    manifest = pd.DataFrame({"image_id": records.ids, "group": groups, "part": parts})
    return freeze(records, manifest, protocol, maker.leaky, fold, folds, seed)


def freeze(
    records: Records, manifest: pd.DataFrame, protocol: str, leaky: bool, fold: int, folds: int, seed: int
) -> Split:
    """Make a split of a manifest that some protocol made; users call `split`.

    Raises:
        LeakError: a group lies on two sides, but the split claims to be honest.
    """
    if not leaky:
        _refuse_leak(manifest)
    digest = _hash(manifest, protocol, leaky, fold, seed)
    return Split(records, manifest, protocol, leaky, fold, folds, seed, digest)


def load_split(path: Path, records: Records) -> Split:
    """Read a saved split back, for the same records.

    Raises:
        DataError: not a split file, changed since it was saved, or made for other images.
    """
    try:
        first, _, _ = path.read_text(encoding="utf-8").partition("\n")
        header = json.loads(first.removeprefix(HEADER))
        manifest = pd.read_csv(path, skiprows=1, dtype=str, keep_default_na=False)
        settings = {k: header[k] for k in ("protocol", "leaky", "fold", "folds", "seed")}
        actual = _hash(manifest, *(header[k] for k in ("protocol", "leaky", "fold", "seed")))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path}: not a split of lentigo ({error}).", "Make one with lentigo data split.") from None
    if actual != header["sha256"]:
        raise DataError(f"{path}: the manifest was changed after it was saved.", "Make it anew.")
    parted = with_copies(records, manifest["image_id"])  # says which image is missing
    if len(records) > parted.table["path"].nunique():
        raise DataError(
            f"{path}: the split is of {len(manifest)} images, but {records.root} has {len(records)}.",
            "Make a split of these images.",
        )
    return freeze(parted, manifest, **settings)


def _hash(manifest: pd.DataFrame, protocol: str, leaky: bool, fold: int, seed: int) -> str:
    """Over who is where and how that came about; the number of folds shows in the manifest itself."""
    rows = manifest.sort_values("image_id")[["image_id", "group", "part"]].to_csv(index=False, lineterminator="\n")
    return hashlib.sha256(f"{protocol},{leaky},{fold},{seed}\n{rows}".encode()).hexdigest()


def _refuse_leak(manifest: pd.DataFrame) -> None:
    """A group on two sides can't come out of an honest protocol: this is the last line of defence."""
    used = manifest[manifest["part"] != "unused"]
    sides = used.groupby("group")["part"].nunique()
    if (sides > 1).any():
        raise LeakError(f"Group {sides[sides > 1].index[0]} lies on {int(sides.max())} sides of an honest split.")
