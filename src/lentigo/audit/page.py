"""The audit as one self-contained HTML page with pictures of the pairs: no script, nothing fetched."""

from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING

import pandas as pd

from lentigo.audit.duplicates import Duplicate
from lentigo.data.records import Problem, Records
from lentigo.errors import ImageError
from lentigo.render.html import fill
from lentigo.render.thumbnails import thumbnail

if TYPE_CHECKING:
    from lentigo.audit.auditing import Audit

__all__ = ["render"]

MOST_ACROSS = 200
"""Pairs across lesions that get a picture; all are in audit.json."""
MOST_WITHIN = 12
"""Pairs inside lesions that get a picture, as examples."""
WIDTH = 300
"""Longest side of a picture on the page, in pixels."""

KINDS = {
    "identical": "identical files",
    "copy": "copies of one image: rotated, mirrored, rescaled or recompressed",
    "view": "other photographs of the same lesion",
}
FACTS = {
    "images": "images",
    "lesions": "lesions, by id",
    "groups": "groups that must stay together",
    "groups_of_several_lesions": "groups of several lesion ids",
    "largest_group": "images in the largest group",
}


SEVERITIES = {"dropped": "skipped", "ignored": "ignored (no matching row)", "kept": "kept unchanged"}
"""What reading did about a problem."""
EXAMPLES = 5
"""Problems of a kind that the page names; all are in audit.json."""


@dataclass(frozen=True)
class Pair:
    """Two pictures with their captions.

    Attributes:
        alert: what is alarming about them, or nothing.
        note: how they were found.
        pictures: data URL and caption of each; no URL for an image that can't be read.
    """

    alert: str
    note: str
    pictures: tuple[tuple[str | None, str], ...]


def render(audit: "Audit") -> str:
    """The page as text."""
    summary = audit.summary()
    table = audit.records.table.set_index("image_id")
    present = [pair for pair in audit.records.known_pairs if set(pair) <= set(table.index)]
    missed = [pair for pair in present if pair not in audit.rediscovered]
    # Different diagnoses first: they are either the gravest finding or a wrong pair.
    across = sorted(audit.across, key=lambda d: (_conflict(table, d.first, d.second) == "", -d.score))
    within = sorted(set(audit.duplicates) - set(across), key=lambda d: (d.first, d.second))
    examples = within[:: max(len(within) // MOST_WITHIN, 1)][:MOST_WITHIN]
    galleries = [
        ("Pairs that join different lesion ids", len(across), [_found(audit, table, d) for d in across[:MOST_ACROSS]]),
        ("Published pairs that the searches missed", len(missed), [_card(audit, table, *pair, "") for pair in missed]),
        ("Examples of pairs inside one lesion", len(within), [_found(audit, table, d) for d in examples]),
    ]
    return fill(
        "lentigo.audit",
        "page.html.jinja",
        audit=audit,
        summary=summary,
        facts=[(label, f"{summary[key]:,}") for key, label in FACTS.items()],
        kinds=[
            (meaning, *(sum(d.kind == kind for d in pairs) for pairs in (audit.duplicates, across)))
            for kind, meaning in KINDS.items()
        ],
        reading=_by_kind(audit.records.problems),
        galleries=galleries,
        version=version("lentigo"),
    )


def _by_kind(problems: tuple[Problem, ...]) -> list[tuple[str, str, int, list[Problem]]]:
    """Problems of reading: what was done about them, kind, number and examples; the gravest and most frequent first."""
    kinds: dict[tuple[str, str], list[Problem]] = {}
    for problem in problems:
        kinds.setdefault((problem.severity, problem.kind), []).append(problem)
    order = sorted(kinds.items(), key=lambda item: (list(SEVERITIES).index(item[0][0]), -len(item[1])))
    return [(SEVERITIES[severity], kind, len(found), found[:EXAMPLES]) for (severity, kind), found in order]


def _found(audit: "Audit", table: pd.DataFrame, d: Duplicate) -> Pair:
    score = {"identical": "", "copy": f", correlation {d.score:.3f}", "view": f", {d.score:.0f} local features agree"}
    published = {frozenset(pair) for pair in audit.records.known_pairs}
    known = "; published" if frozenset((d.first, d.second)) in published else ""
    return _card(audit, table, d.first, d.second, f"{d.kind}{score[d.kind]}{known}")


def _card(audit: "Audit", table: pd.DataFrame, first: str, second: str, note: str) -> Pair:
    pictures = tuple((_picture(audit.records, table, i), _caption(table, i)) for i in (first, second))
    return Pair(_conflict(table, first, second), note, pictures)


def _conflict(table: pd.DataFrame, first: str, second: str) -> str:
    same = all(
        table.loc[first, column] == table.loc[second, column]
        for column in ("dx", "malignant")
        if not (pd.isna(table.loc[first, column]) and pd.isna(table.loc[second, column]))
    )
    return "" if same else "different diagnoses"


def _caption(table: pd.DataFrame, image_id: str) -> str:
    row = table.loc[image_id]
    age = None if pd.isna(row["age"]) else f"{row['age']:.0f} years"
    known = [row["lesion_id"], row["dx"], age, row["sex"], row["site"]]
    return ", ".join([image_id, *(str(value) for value in known if not pd.isna(value))])


def _picture(records: Records, table: pd.DataFrame, image_id: str) -> str | None:
    """The image as a data URL, or None where it can't be read: a published pair may well name such an image."""
    try:
        return thumbnail(records.decode(table.loc[image_id, "path"]), WIDTH)
    except ImageError:
        return None
