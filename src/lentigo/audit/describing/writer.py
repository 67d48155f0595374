"""The files of a description: figures, their numbers, and the page."""

import json
import tempfile
from collections.abc import Mapping, Set
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray

import lentigo
from lentigo.audit.describing.description import SHORT, Description, Samples
from lentigo.audit.describing.figures import LETTERS, figures, sample_figure
from lentigo.audit.describing.findings import class_text
from lentigo.audit.describing.page import THUMBNAIL, Card, Gallery, Section, inline_svg, render
from lentigo.audit.describing.summary import UNKNOWN, Summary
from lentigo.audit.describing.wording import percent
from lentigo.data.records import Problem, Records
from lentigo.render.plots import drawing, save
from lentigo.render.thumbnails import thumbnail

__all__ = ["write"]

SECTIONS = {
    "Classes and images per lesion": ("classes", "images_per_lesion"),
    "Patients": ("age", "sex", "site"),
    "Sources and labels": ("source", "dx_type", "sizes"),
    "Metadata shortcuts: what the table alone gives away": ("shortcut", "missing"),
    "Light and colour": ("means", "colours"),
}
"""Headings of the page and the figures under each; what the data set has no numbers for is left out."""

SAMPLES = "samples_"
"""How the names of the sheets of sample pictures begin; the class follows."""
SUFFIXES = (".png", ".svg")


def write(records: Records, found: Description, pictures: Samples) -> None:
    """Write `index.html`, `numbers.json` and `figures/NAME.png` and `.svg` into the description's folder.

    All are made in a hidden folder first and moved into place when they are complete; figures of an earlier description
    that this one lacks are then removed.
    """
    drawn = figures(found.summary, found.appearance)
    sheets = {
        f"{SAMPLES}{label}": sample_figure(str(found.summary.classes.loc[label, "name"]), dict(shown))
        for label, shown in pictures.items()
        if shown
    }
    found.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=found.folder, prefix=".unfinished-") as unfinished:
        draft = Path(unfinished)
        _save_figures(drawn | sheets, draft / "figures")
        numbers = json.dumps(_numbers(records, found), indent=1, allow_nan=False)
        (draft / "numbers.json").write_text(f"{numbers}\n", encoding="utf-8")
        (draft / "index.html").write_text(_page(records, found, drawn, pictures), encoding="utf-8")
        for path in sorted(p for p in draft.rglob("*") if p.is_file()):
            target = found.folder / path.relative_to(draft)
            target.parent.mkdir(exist_ok=True)
            path.replace(target)
    _remove_stale(found.folder / "figures", drawn.keys() | sheets.keys())


def _remove_stale(folder: Path, current: Set[str]) -> None:
    """Remove figures that bear a description's name but are not of this one; other files are not ours to touch."""
    ours = {name for names in SECTIONS.values() for name in names}
    for path in sorted(folder.iterdir()):
        is_figure = path.suffix in SUFFIXES and (path.stem in ours or path.stem.startswith(SAMPLES))
        if is_figure and path.stem not in current:
            path.unlink()


def _save_figures(drawn: Mapping[str, Figure], folder: Path) -> None:
    folder.mkdir()
    with drawing(LETTERS):
        for name, figure in drawn.items():
            save(figure, folder / f"{name}.png", dpi=200)
            save(figure, folder / f"{name}.svg")


def _numbers(records: Records, found: Description) -> dict[str, object]:
    """What the figures show, as JSON types."""
    values = found.summary.numbers() | found.appearance.numbers()
    return {
        "name": records.name,
        "licence": records.licence,
        "citation": records.citation,
        "lentigo": lentigo.__version__,
        "images": found.summary.images,
        "lesions": found.summary.lesions if found.summary.lesions_known else None,
        "problems": {kind: len(problems) for kind, problems in _problems(records, found).items()},
        "figures": {
            name: {"title": finding.title, "text": finding.text, "numbers": values[name]}
            for name, finding in found.findings.items()
        },
    }


def _page(records: Records, found: Description, drawn: Mapping[str, Figure], pictures: Samples) -> str:
    cards = {
        name: Card(name, finding.title, finding.text, inline_svg(drawn[name], finding.title))
        for name, finding in found.findings.items()
    }
    sections = [Section(title, tuple(cards[n] for n in names if n in cards)) for title, names in SECTIONS.items()]
    problems = _problems(records, found)
    return render(
        name=records.name,
        facts=_facts(found.summary),
        short=[cards[name] for name in SHORT if name in cards],
        sections=[s for s in sections if s.cards],
        galleries=[_gallery(records, found, label, pictures[label]) for label in found.summary.classes.index],
        problems=[(kind, len(of_kind), of_kind[0]) for kind, of_kind in problems.items()],
        citation=records.citation,
        licence=records.licence,
        version=lentigo.__version__,
    )


def _problems(records: Records, found: Description) -> dict[str, list[Problem]]:
    """What was wrong with the table and the pictures, by kind."""
    kinds: dict[str, list[Problem]] = {}
    for problem in (*records.problems, *found.appearance.problems):
        kinds.setdefault(problem.kind, []).append(problem)
    return kinds


def _facts(summary: Summary) -> list[tuple[str, str]]:
    """What is in the boxes at the top."""
    malignant = summary.classes.loc[summary.classes["malignant"], "images"].sum() / summary.images
    rows = [("images", f"{summary.images:,}"), ("classes", f"{len(summary.classes)}")]
    if summary.lesions_known:
        rows.insert(1, ("lesions", f"{summary.lesions:,}"))
    rows.append(("malignant", percent(malignant)))
    if len(summary.ages):
        rows.append(("median age", f"{summary.median_age:.0f}"))
    if "source" in summary.fields:
        rows.append(("sources", f"{len(summary.fields['source'].index.drop(UNKNOWN, errors='ignore'))}"))
    return rows


def _gallery(records: Records, found: Description, label: str, shown: list[tuple[str, NDArray]]) -> Gallery:
    """Sample pictures of one class, each with what is known of its patient."""
    row = found.summary.classes.loc[label]
    known = records.table.set_index("image_id")
    return Gallery(
        title=str(row["name"]),
        kind=row["kind"],
        text=class_text(found.summary, found.appearance, label),
        pictures=tuple((thumbnail(pixels, THUMBNAIL), _caption(known.loc[image_id])) for image_id, pixels in shown),
    )


def _caption(row: pd.Series) -> str:
    """Image id, then age, sex and site as far as they are known."""
    age = None if pd.isna(row["age"]) else f"{row['age']:.0f}"
    known = [age, *(None if row[c] == UNKNOWN else row[c] for c in ("sex", "site"))]
    return ", ".join([str(row.name), *(str(value) for value in known if value is not None)])
