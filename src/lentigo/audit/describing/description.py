"""What is found in a data set, and where it is written."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from numpy.typing import NDArray

from lentigo.audit.describing.appearance import Appearance
from lentigo.audit.describing.findings import Finding
from lentigo.audit.describing.summary import Summary
from lentigo.audit.describing.wording import count

__all__ = ["SHORT", "Description", "Samples"]

SHORT = ("classes", "images_per_lesion", "source", "dx_type", "shortcut", "missing")
"""Figures whose headlines say in short what most often spoils a study."""

Samples = Mapping[str, list[tuple[str, NDArray]]]
"""Image ids and pictures, uint8 [H, W, 3], by class."""


@dataclass(frozen=True)
class Description:
    """What was found and written.

    Attributes:
        folder: where everything is.
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
