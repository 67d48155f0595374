"""What a run records of the weights that it started from: which images these have seen, at first hand or before."""

from collections.abc import Mapping
from typing import Any

from lentigo.runtime import IdSet

__all__ = ["public_start", "started_from"]


def started_from(start: Mapping[str, Any]) -> tuple[IdSet, IdSet]:
    """Ids of images and lesions that weights were trained on, and trained or tuned on, as `Run.start` records them."""
    learned = seen = IdSet({})
    if "run" in start:
        learned, seen = (IdSet.decode(str(start["run"][name])) for name in ("learned", "seen"))
    if "parent_start" in start:
        earlier = started_from(start["parent_start"])
        learned, seen = learned | earlier[0], seen | earlier[1]
    return learned, seen


def public_start(start: Mapping[str, Any]) -> dict[str, Any]:
    """What a file that travels says of it: all but the ids, which are among its fingerprints."""
    found = {name: value for name, value in start.items() if name not in ("learned", "seen")}
    return {name: public_start(v) if name in ("run", "parent_start", "start") else v for name, v in found.items()}
