"""What an earlier reproduction left in a folder: taken up only where it is of the same images and the same start."""

import hashlib
from pathlib import Path
from typing import TypeVar

from lentigo.errors import RunError, reason
from lentigo.evaluation.result import Result
from lentigo.studies.jobs import Job
from lentigo.training import Run

__all__ = ["read_back", "refuse_other_start"]

ELSEWHERE = "Choose another --out, or remove this folder to train again."
R = TypeVar("R", bound=Result)


def read_back(kind: type[R], path: Path) -> R:
    """A result that was written before.

    Raises:
        RunError: the file is damaged, or of another version of lentigo.
    """
    try:
        return kind.from_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        why = reason(error).strip().splitlines()[0]
        raise RunError(
            f"{path}: not what a reproduction wrote ({why}).", "Remove this file: the same command measures again."
        ) from None


def refuse_other_start(run: Run, job: Job) -> None:
    """See that a finished training began with the weights that are asked for now.

    Raises:
        RunError: it began at random, or with other weights.
    """
    start = run.start
    if bool(start) != bool(job.weights or job.download):
        before, now = ("pretrained weights", "random ones")[:: 1 if start else -1]
        raise RunError(f"{run.path}: this training began with {before}, not {now}.", ELSEWHERE)
    if job.weights and start.get("sha256") != hashlib.sha256(job.weights.read_bytes()).hexdigest():
        raise RunError(f"{run.path}: this training began with other weights than {job.weights}.", ELSEWHERE)
