"""The parts of results/flagships.json, each written by its own command, and the page that shows them all."""

import json
import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lentigo.atomic import write_text

__all__ = ["command", "fold_means", "read_json", "read_parts", "write_part"]

TITLES = {
    "models": "The models that ship",
    "by-fold": "Fold by fold",
    "ablation": "What each ingredient gave",
    "alternatives": "What was tried and doesn't ship",
    "limits": "What holds them back",
    "trainings": "Trainings",
    "peers": "Beside other networks",
}
"""Heads of the page, in its order."""


def command(script: str, arguments: list[str]) -> str:
    """A command line as the page shows it: paths outside the repository by their last part."""
    shown = [re.sub(r"(^|=)/(?:\S*/)?([^/\s]+)", r"\1\2", argument) for argument in arguments]
    return shlex.join(["python", script, *shown])


def read_json(path: Path) -> Any:
    """The content of a file; None where there is none."""
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


def read_parts(results: Path) -> dict[str, dict[str, Any]]:
    """All parts by name."""
    return read_json(results / "flagships.json") or {}


def fold_means(results: Path) -> dict[str, dict[str, Any]]:
    """What `flagships.py by-fold` kept of each model with several folds: their number, files, and means by figure."""
    return read_parts(results).get("by-fold", {}).get("data", {}).get("means", {})


def write_part(results: Path, name: str, data: Mapping[str, Any], text: str, command: str) -> Path:
    """Write one part, and the page with it and the others as they are.

    Args:
        results: the folder.
        name: of `TITLES`.
        data: plain values.
        text: the part in Markdown, with heads of the third level at most.
        command: that made it.

    Returns:
        The page.
    """
    parts = {**read_parts(results), name: {"command": command, "data": dict(data), "text": text}}
    write_text(results / "flagships.json", json.dumps(parts, indent=1) + "\n")
    sections = [
        f"## {title}\n\n```\n{parts[key]['command']}\n```\n\n{parts[key]['text'].strip()}\n"
        if key in parts
        else f"## {title}\n\nNot measured yet.\n"
        for key, title in TITLES.items()
    ]
    page = results / "flagships.md"
    write_text(page, "\n".join(["# The flagships", "", *sections]))
    return page
