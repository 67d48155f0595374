"""Everything that is chosen on the validation part of a run, once: the temperature. Kept beside the run."""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lentigo.atomic import write_text
from lentigo.errors import RunError, reason
from lentigo.evaluation.calibration.scaling import fit_temperature
from lentigo.written import read_json

if TYPE_CHECKING:
    from lentigo.training import Run

__all__ = ["Calibration", "calibrate"]


@dataclass(frozen=True)
class Calibration:
    """What validation decided.

    Attributes:
        temperature: the logits are divided by it.
        images: validation images that it rests on.
    """

    temperature: float
    images: int


def calibrate(run: "Run") -> Calibration:
    """Fit a run's temperature on its validation part, or read what was fitted before.

    Raises:
        RunError: what was fitted before can't be read, or can't be right.
    """
    path = run.path / "calibration.json"
    if path.exists():
        return _read(path)
    validation, logits = run.logits_of(run.split.validation)
    fitted = Calibration(
        fit_temperature(logits, run.labels(validation), prevalence=np.array(run.class_prior)), len(validation)
    )
    write_text(path, json.dumps(fitted.__dict__, indent=2) + "\n")
    return fitted


def _read(path: Path) -> Calibration:
    """A temperature is a positive number, and rests on images: every probability of the run is computed with it."""
    try:
        found = Calibration(**read_json(path))
        temperature, images = found.temperature, found.images
        if type(images) is not int or images < 1:
            raise ValueError(f"images is {images!r}, not a whole number of 1 or more")
        if type(temperature) not in (int, float) or not (math.isfinite(temperature) and temperature > 0):
            raise ValueError(f"temperature is {temperature!r}, not a positive number")
    except (OSError, ValueError, TypeError) as error:
        why = "not an object with temperature and images" if isinstance(error, TypeError) else reason(error)
        raise RunError(f"{path}: not a calibration ({why}).", "Delete the file: it is fitted again.") from None
    return found
