"""Bundles of format 1, whose metadata and outputs bore other names."""

import json

__all__ = ["OUTPUTS", "current_names"]

OUTPUTS = ("probabilities", "cam", "oddness")
"""Outputs of the graph in format 1."""

_NAMES = {"oddness": "ood_score", "wanted_sensitivity": "target_sensitivity", "wanted_false_flags": "target_fpr"}


def current_names(text: str) -> str:
    """The metadata of a bundle of format 1 under the names of today; other texts as they are."""
    try:
        values = json.loads(text)
    except ValueError:
        return text
    return json.dumps(_renamed(values)) if isinstance(values, dict) and values.get("format") == 1 else text


def _renamed(value: object) -> object:
    if isinstance(value, dict):
        return {_NAMES.get(k, k): _renamed(v) for k, v in value.items()}
    return [_renamed(v) for v in value] if isinstance(value, list) else value
