"""The JSON schema of what `classify --format json` writes, one object a line."""

import json
from pathlib import Path

__all__ = ["verdict_schema"]


def verdict_schema() -> dict[str, object]:
    """The schema (JSON Schema 2020-12), from `verdict.schema.json` in this package."""
    found: dict[str, object] = json.loads(Path(__file__).with_name("verdict.schema.json").read_text(encoding="utf-8"))
    return found
