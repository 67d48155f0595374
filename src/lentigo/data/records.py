"""The table of images, and the problems found while reading it."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lentigo.errors import DataError
from lentigo.labels import BINARY, HAM10000, LabelMapping, LabelSet
from lentigo.runtime.images import decode

__all__ = ["COLUMNS", "Problem", "Records", "Source", "none_readable"]

COLUMNS = ("image_id", "lesion_id", "dx", "malignant", "dx_type", "age", "sex", "site", "source", "path")
"""Columns of `Records.table`: ids and names as strings, `malignant` as bool, `age` in years as float, `path` as an
absolute path or, for sources that hold pixels in one file, that file's path, '#' and the row. What a source doesn't
know is NA; only `image_id` and `path` are always there, and `malignant` where the label set knows it of each
label. `dx` holds ids of the records' label set. A source without lesion ids gets one lesion per image; a source that
knows only benign and malignant has no `dx`. A source that knows its patients has one
more column, `patient_id`, and groups then never split a patient. Records that were read from several sources have the
column `data_set`, the name of each image's; `source` remains what that data set says of where its images come from,
such as a clinic, or the data set's name where it doesn't say."""

FURTHER_COLUMNS = ("patient_id", "data_set")
"""Columns that only some records have."""


_SEVERITIES = {"dropped": "skipped", "ignored": "ignored", "kept": "kept with a problem"}


@dataclass(frozen=True)
class Problem:
    """Something wrong with a source.

    Attributes:
        file: the file, or image id, that it concerns.
        reason: what is wrong with it.
        kind: short name to count by, such as 'missing image'.
        severity: 'dropped' if the row was skipped, 'kept' if it was kept unchanged, 'ignored' for a file that
            belongs to no row.
    """

    file: str
    reason: str
    kind: str
    severity: Literal["dropped", "kept", "ignored"] = "dropped"

    def __post_init__(self) -> None:
        for text in ("file", "reason"):  # a name that is no text has its bytes escaped, so that reports can hold it
            object.__setattr__(self, text, getattr(self, text).encode("utf-8", "backslashreplace").decode())

    def __str__(self) -> str:
        return f"{self.file}: {self.reason} [{self.severity}]"


@dataclass(frozen=True)
class Source:
    """One of several data sets that were read as one.

    Attributes:
        name: in the column `data_set`: the data set's name, or that of its folder.
        root: the folder or file that was named to read it.
        licence, citation: its own; '' where it states none.
        known_pairs: its own.
        label_set: its diagnoses before they were mapped.
        mapping: how; None where they are those of the records.
        outside: as in `Records`.
        links: its own.
    """

    name: str
    root: Path
    licence: str = ""
    citation: str = ""
    known_pairs: tuple[tuple[str, str], ...] = ()
    label_set: LabelSet = HAM10000
    mapping: LabelMapping | None = None
    outside: bool = False
    links: tuple[tuple[str, str], ...] = ()


class Pictures(Protocol):
    """Images by their row: an array, or what decodes them when they are asked for."""

    def __getitem__(self, row: int, /) -> NDArray[np.uint8]:
        """An image, uint8 [H, W, 3]."""


@dataclass(frozen=True)
class Records:
    """A data set: one row per image.

    Attributes:
        table: columns `COLUMNS`, index 0 to N - 1.
        name: name of the source, such as 'ham10000', or of its layout where the images are not known to be those, such
            as 'ham10000_layout' or 'table'.
        root: the folder or file that it was read from.
        problems: everything that was found wrong, including dropped rows.
        known_pairs: pairs of image ids published as the same lesion under two lesion ids.
        pixels: uint8 [M, H, W, 3] for a source that holds its images as one array, or a sequence of images; rows are
            named after '#' in `path`.
        licence: licence of the images.
        citation: what to cite.
        label_set: the diagnoses that the source distinguishes; `labels.BINARY` where there are no diagnoses at all.
        outside: whether its table was allowed to name images outside its folder; a run reads it again in the same way.
        sources: the data sets that it was read from, where they are several. The first is the main one: it gives name
            and root, and alone is split into training, validation and test.
        links: pairs of image ids that belong to one lesion or patient under two ids, known because they are the same
            picture, or because two of these data sets have an image in common.
    """

    table: pd.DataFrame
    name: str
    root: Path
    problems: tuple[Problem, ...] = ()
    known_pairs: tuple[tuple[str, str], ...] = ()
    pixels: Pictures | None = field(default=None, repr=False, compare=False)
    licence: str = ""
    citation: str = ""
    label_set: LabelSet = HAM10000
    outside: bool = False
    sources: tuple[Source, ...] = ()
    links: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        missing = [c for c in COLUMNS if c not in self.table.columns]
        if missing:
            raise DataError(
                f"{self.root}: the records lack the columns {', '.join(missing)}.", "Make them with data.read."
            )
        if self.table["image_id"].duplicated().any():
            twice = self.table.loc[self.table["image_id"].duplicated(), "image_id"].iloc[0]
            raise DataError(
                f"{self.root}: image id {twice} occurs twice in the records.", "Remove or rename one of the two."
            )
        if len(self.table) and self.table["dx"].isna().all():
            object.__setattr__(self, "label_set", BINARY)
        strange = self.table.loc[self.table["dx"].notna() & ~self.table["dx"].isin(self.label_set.classes), "dx"]
        if len(strange):
            raise DataError(
                f"{self.root}: {len(strange)} records have a label that is not in {self.label_set}, the first "
                f"{strange.iloc[0]!r}.",
                "Read the data with their own label set (--labels).",
            )

    def __len__(self) -> int:
        return len(self.table)

    def __repr__(self) -> str:
        lesions = self.table["lesion_id"].nunique()
        return f"<Records {self.name}: {len(self):,} images of {lesions:,} lesions, {self.label_set.name}>"

    @property
    def roots(self) -> tuple[Path, ...]:
        """The folders and files that it was read from."""
        return tuple(source.root for source in self.sources) or (self.root,)

    @property
    def main(self) -> "Records":
        """The images of its first source, as if it had been read alone; all of them where there is only one."""
        if not self.sources:
            return self
        own = self.take(self.ids[self.source_numbers == 0])
        return replace(own, sources=(), links=self.sources[0].links, known_pairs=self.sources[0].known_pairs)

    @property
    def source_numbers(self) -> NDArray[np.int64]:
        """Position in `sources` of each image's data set [N]; zeros where there is only one."""
        if not self.sources:
            return np.zeros(len(self), np.int64)
        names = pd.Index([source.name for source in self.sources])
        return names.get_indexer(pd.Index(self.table["data_set"])).astype(np.int64)

    @property
    def ids(self) -> NDArray:
        """Image ids, object array [N]."""
        return self.table["image_id"].to_numpy(dtype=object)

    @property
    def labels(self) -> NDArray[np.int64]:
        """Positions of the diagnoses in `label_set`, int64 [N].

        Raises:
            DataError: some images have a diagnosis and others have none.
        """
        if self.table["dx"].notna().all():
            return self.label_set.index(self.table["dx"])
        if self.label_set == BINARY and self.table["malignant"].notna().all():
            return self.table["malignant"].to_numpy(dtype=np.int64)
        missing = int(self.table["dx"].isna().sum())
        raise DataError(
            f"{self.name}: {missing} of {len(self)} images have no diagnosis of {self.label_set}.", "Exclude them."
        )

    def mapped(self, mapping: LabelMapping) -> "Records":
        """The records with the labels of another set, as a mapping states; what has no place there is left out and
        reported.

        Raises:
            DataError: the mapping is from another label set, or leaves no image.
        """
        if mapping.source != self.label_set:
            raise DataError(
                f"{self.name} has the labels of {self.label_set}, and the mapping is for {mapping.source}.",
                "Give a mapping from its labels.",
            )
        before = [self.label_set.classes[label] for label in self.labels]
        after = np.array(mapping.ids(before), dtype=object)
        kept = np.array([label is not None for label in after], dtype=bool)
        if not kept.any():
            raise DataError(
                f"{self.name}: none of its {len(self)} labels has a target in {mapping.result}.", "Check the mapping."
            )
        kinds = {c: f"{c} has no target in {mapping.result.name}" for c in mapping.left_out}
        lost = zip(self.ids[~kept], np.array(before, dtype=object)[~kept], strict=True)
        problems = tuple(Problem(str(i), f"{c} is excluded by the mapping {mapping}", kinds[c]) for i, c in lost)
        table = make_table(
            self.table.assign(dx=after)[kept].drop(columns="malignant"),
            mapping.result,
        )
        return replace(self, table=table, problems=(*self.problems, *problems), label_set=mapping.result)

    def take(self, image_ids: Iterable[str]) -> "Records":
        """The records of some images, in the order given.

        Raises:
            DataError: an id is not among the records; the message names the first.
        """
        wanted = list(image_ids)
        position = pd.Index(self.table["image_id"]).get_indexer(pd.Index(wanted, dtype=object))
        if (position < 0).any():
            absent = wanted[int(np.flatnonzero(position < 0)[0])]
            raise DataError(
                f"{self.root}: no image {absent!r} among the {len(self)} records.",
                "Check the id, or read the data set that has it.",
            )
        return replace(self, table=self.table.iloc[position].reset_index(drop=True))

    def decode(self, path: str) -> NDArray[np.uint8]:
        """Decode the image of an entry of the column `path`, a file or a row of `pixels`: RGB, uint8 [H, W, 3].

        Raises:
            ImageError: it can't be read.
        """
        return decode(path if self.pixels is None else self.pixels[int(path.rpartition("#")[2])])

    def counts(self) -> dict[str, int]:
        """Images per label of the label set; those without a diagnosis are counted only where none has one."""
        if self.label_set == BINARY:
            found = np.bincount(self.labels, minlength=len(BINARY)).tolist()
            return dict(zip(self.label_set.classes, found, strict=True))
        each = self.table["dx"].value_counts()
        return {c: int(each.get(c, 0)) for c in self.label_set.classes}

    def problem_counts(self, severity: str | None = None) -> dict[str, int]:
        """Problems per kind, the most frequent first; of one severity alone where it is given."""
        return dict(Counter(p.kind for p in self.problems if severity in (None, p.severity)).most_common())

    def problem_summary(self) -> str:
        """What was skipped, ignored or kept with a problem, in one line; '' if nothing is wrong."""
        parts = []
        for severity, words in _SEVERITIES.items():
            kinds = self.problem_counts(severity)
            if kinds:
                listed = ", ".join(f"{kind} {n:,}" for kind, n in kinds.items())
                parts.append(f"{sum(kinds.values()):,} {words} ({listed})")
        return "; ".join(parts)


def make_table(rows: pd.DataFrame, label_set: LabelSet = HAM10000) -> pd.DataFrame:
    """Complete a reader's rows to `COLUMNS` with the right types.

    Args:
        rows: at least `image_id`, `path` and one of `dx` (ids of the label set) and `malignant`; `FURTHER_COLUMNS` are
            kept where they are.
        label_set: says which labels are malignant where the rows don't.
    """
    further = [c for c in FURTHER_COLUMNS if c in rows.columns]
    table = rows.reindex(columns=[*COLUMNS, *further]).reset_index(drop=True)
    text: Sequence[str] = ("image_id", "lesion_id", "dx", "dx_type", "sex", "site", "source", "path", *further)
    for column in text:
        table[column] = table[column].astype(object).where(table[column].notna(), None)
    table["lesion_id"] = table["lesion_id"].where(table["lesion_id"].notna(), table["image_id"])
    table["age"] = pd.to_numeric(table["age"], errors="coerce").astype(float)
    if "malignant" not in rows.columns:
        kinds = {label.id: label.malignant for label in label_set.labels}
        table["malignant"] = table["dx"].map(kinds)
    known = table["malignant"].notna().all()
    table["malignant"] = table["malignant"].astype(bool if known else "boolean")
    return table


def none_readable(records: Records, first: object = None) -> DataError:
    """The error for records of which no image can be read.

    Args:
        records: those that were tried.
        first: what is wrong with the first of them, where that is known.
    """
    said = str(first).rstrip(".") if first is not None else ""
    why = f"; the first: {said}." if said else "."
    return DataError(
        f"{records.root}: none of {len(records)} images can be read{why}", "Restore the files, or check the path."
    )
