"""What a model has learned from, its starting weights' data included: licences, and what to cite."""

from collections.abc import Iterator, Mapping
from typing import Any

from lentigo.runtime.metadata import BundleMetadata

__all__ = ["citations", "describe_start", "licences", "starts"]


def starts(start: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The weights that a training started from, then what those had started from, and so on, as recorded."""
    found: Any = start
    while found:
        yield dict(found)
        found = found.get("parent_start") or found.get("run", {}).get("start")


def describe_start(described: BundleMetadata) -> str:
    """The weights that a model's training started from, and what those had started from."""
    found = []
    for start in starts(described.start):
        sha256 = f" (sha256 {str(start['sha256'])[:12]})" if start.get("sha256") else ""
        run = start.get("run")
        learned = f", trained on {run['data']} (licence: {run['licence'] or 'not stated'})" if run else ""
        found.append(f"{start['source']}{sha256}{learned}")
    return "; these from ".join(found) or "random numbers"


def citations(citation: str, start: Mapping[str, Any]) -> str:
    """What to cite for a model's data: its own, and that of the runs that its weights started from."""
    found = [citation, *(one.get("run", {}).get("citation") or "" for one in starts(start))]
    found = [one for one in dict.fromkeys(found) if one]
    return " ".join(one for one in found if not any(one in other for other in found if other != one))


def licences(source: str, licence: str, start: Mapping[str, Any]) -> str:
    """The licence of all data that a model has learned from: one for all, or that of each; '' if none is stated."""
    of = {source: licence}
    for run in (one["run"] for one in starts(start) if one.get("run")):
        of.setdefault(str(run["data"]), str(run.get("licence") or ""))
    if len(set(of.values())) == 1:
        return licence
    return "; ".join(f"{name}: {stated or 'not stated'}" for name, stated in of.items())
