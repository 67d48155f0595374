"""Everything that is chosen on the validation part of a run, once: the temperature. Kept beside the run."""

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lentigo.atomic import write_text
from lentigo.evaluation.calibration.scaling import fit_temperature

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
    """Fit a run's temperature on its validation part, or read what was fitted before."""
    path = run.path / "calibration.json"
    if path.exists():
        return Calibration(**json.loads(path.read_text(encoding="utf-8")))
    validation, logits = run.logits_of(run.split.validation)
    fitted = Calibration(
        fit_temperature(logits, run.labels(validation), prevalence=np.array(run.class_prior)), len(validation)
    )
    write_text(path, json.dumps(fitted.__dict__, indent=2) + "\n")
    return fitted
