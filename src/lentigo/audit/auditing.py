"""The audit of a data set and what it found."""

import json
import os
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import version
from typing import Literal, get_args

import pandas as pd
from numpy.typing import NDArray

from lentigo.arguments import checked
from lentigo.atomic import write_text
from lentigo.audit.duplicates import (
    Duplicate,
    Fingerprints,
    Recall,
    Search,
    find_duplicates,
    find_with_recall,
    take_fingerprints,
)
from lentigo.audit.duplicates.approximate import require_faiss
from lentigo.audit.metadata import find_contradictions, find_faults, find_missing
from lentigo.audit.page import render
from lentigo.data.groups import find_groups
from lentigo.data.outputs import output_folder
from lentigo.data.records import Problem, Records
from lentigo.errors import DataError, did_you_mean

__all__ = ["Audit", "Conflict", "audit"]

SCHEMA = "lentigo.audit/1"
MOST_EXACT = 50_000
"""Images up to which all pairs are compared unless another search is asked for: memory and time grow with their
square."""


@dataclass(frozen=True)
class Conflict:
    """Images of one lesion that carry different diagnoses.

    Attributes:
        group: name of the group, after its smallest lesion id.
        diagnoses: diagnosis, or 'benign' and 'malignant', of each image id.
    """

    group: str
    diagnoses: Mapping[str, str]


@dataclass(frozen=True)
class Audit:
    """What was found in a data set. Make one with `audit`.

    Attributes:
        records: the data set.
        duplicates: pairs of images that show one lesion, found from the pixels alone.
        groups: name of the group of each record, object array [N]: lesions joined by duplicates and published pairs.
        conflicts: lesions, joined by duplicates, with more than one diagnosis.
        faults: metadata that can't be true, or contradict each other inside a lesion.
        missing: number of records without a value, by column.
        unreadable: images that can't be decoded.
        search: how candidates for duplicates were found: 'exact' compares all pairs, 'approximate' misses some.
        recall: of an approximate search, how many copies made on purpose it found, of each kind.
    """

    records: Records = field(repr=False)
    duplicates: tuple[Duplicate, ...] = field(repr=False)
    groups: NDArray = field(repr=False)
    conflicts: tuple[Conflict, ...]
    faults: tuple[Problem, ...]
    missing: Mapping[str, int]
    unreadable: tuple[Problem, ...]
    search: Search = "exact"
    recall: tuple[Recall, ...] = ()

    @property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """Image ids of each duplicate: what `lentigo.data.split` takes as `pairs`."""
        return tuple((d.first, d.second) for d in self.duplicates)

    @property
    def across(self) -> tuple[Duplicate, ...]:
        """The duplicates whose images carry different lesion ids: what lesion ids alone let leak."""
        lesion = self.records.table.set_index("image_id")["lesion_id"]
        return tuple(d for d in self.duplicates if lesion[d.first] != lesion[d.second])

    @property
    def across_data_sets(self) -> tuple[Duplicate, ...]:
        """The duplicates whose images are of two of several data sets."""
        source = dict(zip(self.records.ids, self.records.source_numbers, strict=True))
        return tuple(d for d in self.duplicates if source[d.first] != source[d.second])

    @property
    def published(self) -> tuple[tuple[str, str], ...]:
        """The published pairs of which both images are here: of a part of a data set only these can be found."""
        here = set(self.records.ids)
        return tuple(pair for pair in self.records.known_pairs if here.issuperset(pair))

    @property
    def rediscovered(self) -> tuple[tuple[str, str], ...]:
        """The published pairs that the searches found by themselves."""
        found = {frozenset(pair) for pair in self.pairs}
        return tuple(pair for pair in self.published if frozenset(pair) in found)

    def summary(self) -> dict[str, object]:
        """The counts, ready for JSON."""
        sizes = pd.Series(self.groups).value_counts()
        lesions = self.records.table["lesion_id"].groupby(self.groups).nunique()
        return {
            "source": self.records.name,
            "images": len(self.records),
            "lesions": int(self.records.table["lesion_id"].nunique()),
            "groups": len(sizes),
            "largest_group": int(sizes.max()),
            "groups_of_several_lesions": int((lesions > 1).sum()),
            "search": self.search,
            **({"recall": {r.kind: {"made": r.made, "found": r.found} for r in self.recall}} if self.recall else {}),
            "duplicates": _kinds(self.duplicates),
            "duplicates_across_lesions": _kinds(self.across),
            **({"duplicates_across_data_sets": _kinds(self.across_data_sets)} if self.records.sources else {}),
            "published_pairs": len(self.published),
            "published_pairs_rediscovered": len(self.rediscovered),
            "label_conflicts": len(self.conflicts),
            "metadata_faults": dict(sorted(Counter(f.kind for f in self.faults).items())),
            "missing": dict(self.missing),
            "unreadable": len(self.unreadable),
            "reading_problems": dict(sorted(self.records.problem_counts().items())),
        }

    def __str__(self) -> str:
        counts, read = self.summary(), self.records.problem_summary()
        between = f"{len(self.across_data_sets):,} pairs join data sets; " if self.records.sources else ""
        return (
            f"{counts['source']}: {counts['images']:,} images of {counts['lesions']:,} lesions in {counts['groups']:,} "
            f"groups; {len(self.across):,} pairs of images join lesions with different ids; {between}"
            f"{counts['published_pairs_rediscovered']} of {counts['published_pairs']} published pairs rediscovered; "
            f"{len(self.conflicts)} label conflicts, {len(self.faults)} metadata problems, "
            f"{len(self.unreadable)} unreadable images\n{self.search_statement}"
            + (f"\nReading: {read}" if read else "")
        )

    @property
    def search_statement(self) -> str:
        """How duplicates were looked for, and how many are missed."""
        if self.search == "exact":
            return "Exact search: the hashes and words of all pairs of images were compared."
        copies = ", ".join(map(str, self.recall)) or "not measured"
        return (
            "Approximate search: some duplicates are missed. Of copies made of images of this data set it found: "
            f"{copies}."
        )

    def save(self, out: str | os.PathLike[str]) -> None:
        """Write `audit.json` (schema 'lentigo.audit/1', sorted) and `audit.html` (one file, with pictures).

        Raises:
            OutputError: the folder can't be written, or is inside the data set.
        """
        folder = output_folder(out, self.records)
        content = {
            "schema": SCHEMA,
            "lentigo": version("lentigo"),
            "summary": self.summary(),
            "duplicates": [asdict(d) for d in self.duplicates],
            "groups": dict(sorted(zip(self.records.ids.tolist(), self.groups.tolist(), strict=True))),
            "conflicts": [asdict(c) for c in self.conflicts],
            "faults": [asdict(f) for f in self.faults],
            "unreadable": [asdict(u) for u in self.unreadable],
            "reading": [asdict(p) for p in self.records.problems],
        }
        for name, text in (
            ("audit.json", json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False) + "\n"),
            ("audit.html", render(self)),
        ):
            write_text(folder / name, text)


def _kinds(duplicates: Iterable[Duplicate]) -> dict[str, int]:
    return dict(sorted(Counter(d.kind for d in duplicates).items()))


@checked
def audit(records: Records, prints: Fingerprints | None = None, *, search: Search | Literal["auto"] = "auto") -> Audit:
    """Search a data set for what would make a result wrong: some minutes for 10,000 images.

    Args:
        records: the images.
        prints: fingerprints that were taken before; without them every image is decoded once.
        search: 'exact' compares all pairs; 'approximate' takes candidates from indexes, which misses some, and measures
            how many on copies that it makes of 200 of the images; 'auto' is exact for up to 50,000 images.

    Raises:
        DataError: none of the images can be read, or there is no such search.
        MissingExtraError: the approximate search needs faiss, of the extra `cluster`.
    """
    if search not in ("auto", *get_args(Search)):
        raise DataError(f"Unknown search {search!r}.", did_you_mean(search, ("auto", *get_args(Search))))
    used: Search = ("exact" if len(records) <= MOST_EXACT else "approximate") if search == "auto" else search
    if used == "approximate":
        require_faiss()  # before hours of fingerprints
    prints = take_fingerprints(records) if prints is None else prints
    recall: tuple[Recall, ...] = ()
    if used == "exact":
        duplicates = find_duplicates(prints)
    else:
        duplicates, recall = find_with_recall(records, prints, used)
    pairs = [(d.first, d.second) for d in duplicates]
    # Other lesions of a patient are kept together, but may well have another diagnosis and site.
    lesions = find_groups(replace(records, table=records.table.drop(columns="patient_id", errors="ignore")), pairs)
    return Audit(
        records=records,
        duplicates=duplicates,
        groups=find_groups(records, pairs),
        conflicts=tuple(_find_conflicts(records, lesions)),
        faults=(*find_faults(records), *find_contradictions(records, lesions)),
        missing=find_missing(records),
        unreadable=prints.problems,
        search=used,
        recall=recall,
    )


def _find_conflicts(records: Records, lesions: NDArray) -> list[Conflict]:
    malignancy = records.table["malignant"].map({True: "malignant", False: "benign"}).fillna("not stated")
    diagnosis = records.table["dx"].where(records.table["dx"].notna(), malignancy)
    by_image = pd.Series(diagnosis.to_numpy(), index=records.ids)
    several = by_image.groupby(lesions).nunique()
    return [Conflict(str(name), dict(sorted(by_image[lesions == name].items()))) for name in several.index[several > 1]]
