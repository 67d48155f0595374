"""Entries of a recipe under the names that they had before, so that old recipe.json files are read."""

from collections.abc import Mapping
from typing import Any

__all__ = ["with_new_names"]

_ENTRIES = {
    "cast": "channel_jitter",
    "mirror_average": "flip_tta",
    "tail_epochs": "finetune_epochs",
    "tail_learning_rate": "finetune_learning_rate",
}
_LOSSES = {"categorical": "cross_entropy", "binary": "binary_cross_entropy"}


def with_new_names(values: Mapping[str, Any], known: Mapping[str, Any]) -> dict[str, Any]:
    """A recipe's entries under the names of today.

    Args:
        values: the entries, under old names or new ones.
        known: the entries of today, by name.
    """
    named = {_ENTRIES[n] if n not in known and _ENTRIES.get(n) in known else n: v for n, v in values.items()}
    loss = named.get("loss")
    return named | ({"loss": _LOSSES[loss]} if isinstance(loss, str) and loss in _LOSSES else {})
