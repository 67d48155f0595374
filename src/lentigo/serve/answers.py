"""The answer for one image: as a worker makes it, and as it crosses to the service."""

import json
from dataclasses import dataclass

__all__ = ["Answer", "fault"]


@dataclass(frozen=True)
class Answer:
    """What a worker answers for one image.

    Attributes:
        status: 200 for a verdict, else the status of a request of which no image could be read.
        decision: of the verdict; empty if there is none.
        fault: whether the whole request fails: `body` then has `detail` and `next_step`.
        body: JSON of the result, or a PNG.
    """

    status: int
    decision: str
    fault: bool
    body: bytes


def fault(status: int, detail: str, next_step: str) -> Answer:
    """An answer that fails the whole request."""
    return Answer(status, "", True, json.dumps({"detail": detail, "next_step": next_step}).encode())
