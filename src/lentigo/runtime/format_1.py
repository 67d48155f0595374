"""Reading bundles of format 1, the first one: old names, and one set of hashes for all ids that were learned from.

Nothing writes this format any more. `tests/fixtures/format_1.onnx` holds the reading to it.
"""

import base64
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lentigo.labels import HAM10000

__all__ = ["OUTPUTS", "HashedIds", "as_format_2"]

OUTPUTS = {"probabilities": "probabilities", "cam": "cam", "ood_score": "oddness"}
"""Names of the graph's outputs, by those of format 2."""
_BYTES = 5


class HashedIds:
    """The first five bytes of the SHA-256 of each id that was learned from."""

    def __init__(self, text: str) -> None:
        known = np.frombuffer(base64.b64decode(text), np.uint8).reshape(-1, _BYTES)
        self._known = {row.tobytes() for row in known}

    def __len__(self) -> int:
        return len(self._known)

    def contains(self, ids: Iterable[str]) -> NDArray[np.bool_]:
        """Whether each id is a member: bool [N]."""
        return np.array([hashlib.sha256(i.encode()).digest()[:_BYTES] in self._known for i in ids], dtype=bool)


def as_format_2(values: Mapping[str, Any]) -> dict[str, Any]:
    """Metadata of format 1 under the names of format 2; the hashed ids stay under 'seen'. Its labels are HAM10000's.

    Raises:
        KeyError, TypeError: not metadata of format 1, or classes that HAM10000 doesn't have.
    """
    new = dict(values)
    limit = new.pop("oddness")
    new["ood_score"] = {
        "threshold": limit["threshold"],
        "target_fpr": limit["wanted_false_flags"],
        "validation_images": limit["validation_images"],
    }
    new["operating_points"] = [
        {
            "target": point["target"],
            "view": "equal_prevalence",
            "target_sensitivity": point["wanted_sensitivity"],
            "threshold": point["threshold"],
            "validation_images": point["validation_images"],
        }
        for point in new["operating_points"]
    ]
    labels = {"name": HAM10000.name, "labels": [asdict(HAM10000[c]) for c in new.pop("classes")], "melanoma": "mel"}
    new["heads"] = [{"name": "diagnosis", "output": "probabilities", "label_set": labels}]
    new["fingerprints"] = {"train": "", "validation": "", "test": ""}
    new["split"] = {"folds": 5, **new["split"]}
    return new
