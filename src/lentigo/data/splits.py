"""A split: a frozen, hashed manifest of which image is for training, validation and test."""

import hashlib
import operator
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

import pandas as pd

from lentigo.arguments import checked
from lentigo.atomic import write_text
from lentigo.data.copies import original_id, refuse_copies, with_copies
from lentigo.data.groups import find_groups
from lentigo.data.joining import set_aside
from lentigo.data.outputs import refuse_foreign
from lentigo.data.pairs import Pairs, hash_pairs, read_pairs
from lentigo.data.protocols import FOLDS, PROTOCOLS
from lentigo.data.protocols.joined import with_further_sources
from lentigo.data.records import Records
from lentigo.data.seeds import check_seed
from lentigo.data.split_file import HEADER, SETTINGS, Header, read_split_file, split_text
from lentigo.errors import DataError, LeakError, OutputError, did_you_mean
from lentigo.progress import note

__all__ = ["Split", "freeze", "load_split", "split", "write_split"]


@dataclass(frozen=True)
class Split:
    """A split of a data set. Create one with `split`, read one with `load_split`.

    Attributes:
        records: the images that are split.
        manifest: columns image_id, group, part; part is 'train', 'validation', 'test' or 'unused'.
        protocol: name of the protocol; leaky ones say so in it.
        leaky: whether a group may be in two parts.
        fold: number of the fold, from 0.
        folds: requested number of folds.
        seed: seed of the shuffle.
        hash: SHA-256 over manifest, protocol, fold and seed, hexadecimal.
        pairs: number of pairs of images that were given to join groups by, beside those that the source publishes.
        pairs_sha256: over those pairs, see `hash_pairs`; None without any.
        versions: of the packages that the folds depend on, when the split was made.
    """

    records: Records
    manifest: pd.DataFrame
    protocol: str
    leaky: bool
    fold: int
    folds: int
    seed: int
    hash: str
    pairs: int = 0
    pairs_sha256: str | None = None
    versions: Mapping[str, str] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"<Split of {self.records.name}: {str(self).partition(chr(10))[0]}>"

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
        text = f"{self.protocol}{' (LEAKY)' if self.leaky else ''}, fold {self.fold}: {parts}; hash {self.hash[:12]}"
        if not self.records.sources:
            return text
        names = self.records.table["data_set"]
        counts = self.manifest["part"].groupby([self.manifest["part"], names.to_numpy()]).size()
        return "\n".join([text, *(f"  {part}: {name} {n:,}" for (part, name), n in counts.items())])

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the manifest as CSV, under one comment line with its description, its hash and a checksum of the file.

        Raises:
            OutputError: the file can't be written, or holds something other than a split, which is never overwritten.
        """
        refuse_foreign(path, HEADER.encode(), "split")
        labels = {"name": self.records.label_set.name, "sha256": self.records.label_set.hash}
        settings = {k: getattr(self, k) for k in SETTINGS}
        header = Header(**settings, source=self.records.name, sha256=self.hash, labels=labels)
        write_text(Path(path), split_text(header, self.manifest))


@checked
def split(
    records: Records,
    protocol: str = "grouped",
    *,
    fold: int = 0,
    folds: int = FOLDS,
    seed: int = 0,
    pairs: Iterable[tuple[str, str]] = (),
) -> Split:
    """Split a data set by a named protocol.

    Args:
        records: the images. Of several data sets that were read as one, 'grouped' splits the first alone, as if it had
            been read alone, and the others add to its training part what shares no group with validation or test.
        protocol: a key of `PROTOCOLS`; 'grouped' is leak-proof.
        fold: which fold is the test part, 0 to `folds` - 1.
        folds: number of folds; the published splits have one, and 'external' has one a source.
        seed: seed of the shuffle.
        pairs: image ids known to show one lesion, joined into one group beside `records.known_pairs`; such as
            `Audit.pairs`.

    Raises:
        DataError: unknown protocol, or one that takes no joined records; no such fold, no seed that scikit-learn takes,
            or too few lesions.
        LeakError: records that were resampled already.
    """
    if protocol not in PROTOCOLS:
        raise DataError(f"Unknown protocol {protocol!r}.", did_you_mean(protocol, PROTOCOLS))
    fold, folds, seed = (_whole(n, v) for n, v in (("fold", fold), ("number of folds", folds), ("seed", seed)))
    check_seed(seed)
    joined = tuple(pairs)
    refuse_copies(records)
    maker = PROTOCOLS[protocol]
    if records.sources and maker.joined == "refused":
        usable = [name for name, known in PROTOCOLS.items() if known.joined != "refused"]
        raise DataError(
            f"The protocol {protocol} splits one data set, not {len(records.sources)} that were read as one.",
            f"Use {' or '.join(usable)}.",
        )
    if maker.resample:
        records = maker.resample(records, seed)
    groups = find_groups(records, joined)
    if records.sources and maker.joined == "main":
        main = records.main
        parts = maker.make(main, find_groups(main, joined), fold, folds, seed)
        parts = with_further_sources(records, groups, parts)
    else:
        parts = maker.make(records, groups, fold, folds, seed)
    manifest = pd.DataFrame({"image_id": records.ids, "group": groups, "part": parts})
    return freeze(
        records, manifest, protocol, maker.leaky, fold, folds, seed,
        pairs=len(joined), pairs_sha256=hash_pairs(joined) if joined else None, versions=_versions(),
    )  # fmt: skip


@checked
def write_split(
    records: Records,
    out: str | os.PathLike[str],
    *,
    protocol: str = "grouped",
    fold: int = 0,
    folds: int = FOLDS,
    seed: int = 0,
    pairs: str | os.PathLike[str] | None = None,
) -> str:
    """Split a data set and save the manifest; returns a summary.

    Args:
        records: the images.
        out: CSV file for the manifest.
        protocol: as in `split`.
        fold: as in `split`.
        folds: as in `split`.
        seed: as in `split`.
        pairs: images known to show one lesion: the folder of an audit, or a table, as in `read_pairs`.

    Raises:
        DataError: as `split` and `read_pairs`.
        OutputError: `out` can't be written, or holds something else already.
    """
    known = read_pairs(pairs, records) if pairs is not None else Pairs()
    made = split(records, protocol, fold=fold, folds=folds, seed=seed, pairs=known.joining)
    _refuse_other(Path(out), made)
    made.save(out)
    return "\n".join([str(made), *known.notices(), f"Wrote {out}"])


def _refuse_other(path: Path, made: Split) -> None:
    """Refuse to overwrite another split: a run may depend on it."""
    refuse_foreign(path, HEADER.encode(), "split")
    if path.exists() and made.hash.encode() not in path.read_bytes().partition(b"\n")[0]:
        raise OutputError(f"{path}: another split exists there.", "Choose another --out, or remove that file first.")


@checked
def freeze(
    records: Records, manifest: pd.DataFrame, protocol: str, leaky: bool, fold: int, folds: int, seed: int,
    *, pairs: int = 0, pairs_sha256: str | None = None, versions: Mapping[str, str] | None = None,
) -> Split:  # fmt: skip
    """Make a split of a manifest that some protocol made; users call `split`.

    Raises:
        LeakError: a group lies on two sides, but the split claims to be honest.
    """
    if not leaky:
        _refuse_leak(manifest)
    digest = _hash(manifest, protocol, leaky, fold, seed)
    return Split(records, manifest, protocol, leaky, fold, folds, seed, digest, pairs, pairs_sha256, versions or {})


@checked
def load_split(path: str | os.PathLike[str], records: Records, *, sha256: str | None = None) -> Split:
    """Read a saved split back, for the same records: with its folds, and with the groups that its pairs made.

    Images that reading has since learned to leave out, because another is the same picture, are left out of every part;
    a notice on standard error says how many, and the hash is that of the rest.

    Args:
        path: the file.
        records: the images.
        sha256: hash of the split that it has to be, as a run records it; without it any split will do.

    Raises:
        DataError: not a split file, changed since it was saved, another split, or made for other images.
        LeakError: a leak-proof split has what is now known to be one picture or lesion in two parts.
    """
    header, manifest = read_split_file(Path(path))
    if _hash(manifest, header.protocol, header.leaky, header.fold, header.seed) != header.sha256:
        raise DataError(f"{path}: the split was changed after it was saved.", "Create it again: lentigo data split.")
    if sha256 not in (None, header.sha256):
        raise DataError(
            f"{path}: this is another split than the recorded one ({header.sha256[:12]}, not {sha256[:12]}).",
            "Restore that file: on another split what was trained on would be taken for unseen.",
        )
    if header.labels is not None and header.labels["sha256"] != records.label_set.hash:
        raise DataError(
            f"{path}: the split is of images with the labels of {header.labels['name']}, but {records.root} has those "
            f"of {records.label_set}.",
            "Read the data with the split's own labels (--labels).",
        )
    manifest = _without_set_aside(Path(path), manifest, records)
    placed = with_copies(records, manifest["image_id"])  # says which image is missing
    if len(records) > placed.table["path"].nunique():
        raise DataError(
            f"{path}: the split is of {len(manifest)} images, but {records.root} has {len(records)}.",
            "Create a split of these images.",
        )
    if not header.leaky:
        _refuse_linked(Path(path), manifest, records)
    return freeze(placed, manifest, **{k: getattr(header, k) for k in SETTINGS})


def _without_set_aside(path: Path, manifest: pd.DataFrame, records: Records) -> pd.DataFrame:
    """A manifest without the images that reading leaves out for what they show, which it didn't always find."""
    reasons = set_aside(records)
    original = manifest["image_id"].map(original_id)
    missing = original.isin(set(reasons)) & ~original.isin(set(records.ids))
    if not missing.any():
        return manifest
    listed = ", ".join(f"{part} {n:,}" for part, n in manifest.loc[missing, "part"].value_counts().items())
    first = original[missing].iloc[0]
    note(
        f"{path}: {int(missing.sum()):,} images of this split are left out of its parts ({listed}); the first: "
        f"{first}, {reasons[first]}. To list them: lentigo data audit {records.root}"
    )
    return manifest[~missing].reset_index(drop=True)


def _refuse_linked(path: Path, manifest: pd.DataFrame, records: Records) -> None:
    """Refuse a split from before it was known that two of its images belong together."""
    part = dict(zip(manifest["image_id"], manifest["part"], strict=True))
    for first, second in records.links:
        sides = {part.get(first, "unused"), part.get(second, "unused")} - {"unused"}
        if len(sides) > 1:
            raise LeakError(
                f"{path}: {first} and {second} are one picture or lesion, but this split has them in "
                f"{' and '.join(sorted(sides))}.",
                "Create the split again (lentigo data split) and train on that.",
            )


def _whole(name: str, value: object) -> int:
    """A whole number, numpy's included."""
    try:
        return operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise DataError(f"The {name} is not a whole number: {value!r}.", "Use one, such as 0.") from None


def _versions() -> dict[str, str]:
    """scikit-learn chooses the folds, from numpy's random numbers."""
    return {name: version(name) for name in ("lentigo", "scikit-learn", "numpy")}


def _hash(manifest: pd.DataFrame, protocol: str, leaky: bool, fold: int, seed: int) -> str:
    """Over who is where and how that came about; the number of folds shows in the manifest itself."""
    rows = manifest.sort_values("image_id")[["image_id", "group", "part"]].to_csv(index=False, lineterminator="\n")
    return hashlib.sha256(f"{protocol},{leaky},{fold},{seed}\n{rows}".encode()).hexdigest()


def _refuse_leak(manifest: pd.DataFrame) -> None:
    """A group on two sides can't come out of an honest protocol: this is the last line of defence."""
    used = manifest[manifest["part"] != "unused"]
    sides = used.groupby("group")["part"].nunique()
    if (sides > 1).any():
        raise LeakError(
            f"Group {sides[sides > 1].index[0]} is in {int(sides.max())} parts of a leak-proof split.",
            "Create it again: lentigo data split.",
        )
