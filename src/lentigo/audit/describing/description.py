"""What is found in a data set, and where it is written."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from numpy.typing import NDArray

from lentigo.audit.describing.appearance import Appearance, examine, samples
from lentigo.audit.describing.findings import Finding, findings
from lentigo.audit.describing.summary import Summary, summarise
from lentigo.audit.describing.wording import count
from lentigo.data.outputs import output_folder
from lentigo.data.records import Records
from lentigo.errors import MissingExtraError, OutputError

__all__ = ["SHORT", "Description", "Samples", "describe"]

SAMPLES = 8
"""Pictures shown of each class."""

SHORT = ("classes", "images_per_lesion", "source", "dx_type", "shortcut", "missing")
"""Figures whose headlines say in short what most often spoils a study."""

Samples = Mapping[str, list[tuple[str, NDArray]]]
"""Image ids and pictures, uint8 [H, W, 3], by class."""


@dataclass(frozen=True)
class Description:
    """What was found and written.

    Attributes:
        folder: where everything lies.
        summary: what the table says.
        appearance: what the pictures say.
        findings: headline and text by the figure's name.
    """

    folder: Path
    summary: Summary
    appearance: Appearance
    findings: Mapping[str, Finding]

    @property
    def page(self) -> Path:
        """The HTML page."""
        return self.folder / "index.html"

    def __str__(self) -> str:
        lines = [f"- {self.findings[name].title}" for name in SHORT if name in self.findings]
        if unread := self.appearance.problems:
            lines.append(f"- {count(len(unread), 'picture')} can't be read, such as {unread[0]}")
        return "\n".join([*lines, f"Wrote {self.page}"])


def describe(records: Records, out: str | os.PathLike[str], *, seed: int = 0) -> Description:
    """Describe a data set and write a page, the figures and their numbers.

    Every picture is decoded once. What a source doesn't know (ages, sites, lesions, diagnoses) is said to be missing,
    and its figure is left out. The same records give the same files.

    Args:
        records: the data set.
        out: folder to write `index.html`, `numbers.json` and `figures/NAME.png` and `.svg` into; made if absent.
        seed: seed of the choice of sample pictures.

    Raises:
        DataError: there are no records, or none of the pictures can be read.
        OutputError: the folder can't be written, or lies inside the data set.
        MissingExtraError: the packages that draw are not installed.
    """
    try:
        # Only here, so that reading a data set doesn't wait for the packages that draw.
        from lentigo.audit.describing.writer import write
    except ModuleNotFoundError as missing:
        raise MissingExtraError("Describing a data set", "data") from missing
    folder = output_folder(out, records)
    summary = summarise(records)
    appearance = examine(records, summary.labels)
    found = Description(folder, summary, appearance, findings(summary, appearance))
    pictures = samples(records, summary.labels, SAMPLES, seed)
    try:
        write(records, found, pictures)
    except OSError as error:
        raise OutputError.of(folder, error) from error
    return found
