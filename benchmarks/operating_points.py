"""Should operating points be set at the balanced prior or as common as in training? On validation alone.

    python benchmarks/operating_points.py results/lentigo-s/validation.parquet [--halves 300]
        [--out results/lentigo-s/operating_points.txt]

A threshold is chosen on the lesions of a random half of the validation part and applied to those of the other half; the
same halves serve both views. The spread is that over halves, which share lesions: it is no interval.
"""

import argparse
from pathlib import Path

import numpy as np

from common import machine, publish
from lentigo.errors import LeakError
from lentigo.evaluation import Predictions
from lentigo.evaluation.clinical import operating_points
from lentigo.evaluation.tasks import VIEWS

TARGETS = (0.90, 0.95)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("validation", type=Path)
    parser.add_argument("--halves", type=int, default=300)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    validation = Predictions.load(options.validation)
    if validation.meta.get("part") != "validation":
        raise LeakError("This is decided on the validation part.", "Give validation.parquet.")
    lines = [
        f"{validation.meta['model']}: {len(validation):,} validation images, {len(set(validation.groups)):,} lesions; "
        f"{options.halves} random halves",
        f"{'task':12}{'wanted':>7}  {'view':22}{'sensitivity':>12}{'specificity':>12}",
    ]
    for task in ("melanoma", "malignancy"):
        for target in TARGETS:
            found = {view: on_other_halves(validation, task, target, view, options.halves) for view in VIEWS}
            for view, shares in found.items():
                sensitivity, specificity = shares.mean(axis=0)
                lines.append(f"{task:12}{target:7.2f}  {view:22}{sensitivity:12.3f}{specificity:12.3f}")
            gain = found[VIEWS[1]] - found[VIEWS[0]]
            low, high = np.quantile(gain[:, 1], [0.025, 0.975])
            lines.append(
                f"{'':12}{'':7}  {'second less first':22}{gain[:, 0].mean():+12.3f}{gain[:, 1].mean():+12.3f}"
                f"   95 % of the halves: specificity {low:+.3f} to {high:+.3f}"
            )
    publish([*lines, machine()], options.out)


def on_other_halves(validation: Predictions, task: str, target: float, view: str, halves: int) -> np.ndarray:
    """Sensitivity and specificity [H, 2] on the halves that the threshold wasn't chosen on."""
    rng, found = np.random.default_rng(0), []
    score, positive = operating_points.scores(validation, task, view)
    lesions, of = np.unique(validation.groups.astype(str), return_inverse=True)
    for _ in range(halves):
        chosen = np.zeros(len(lesions), dtype=bool)
        chosen[rng.permutation(len(lesions))[: len(lesions) // 2]] = True
        here = chosen[of]
        half = Predictions(validation.table[here].reset_index(drop=True), validation.meta)
        flagged = score >= operating_points.choose(half, task, target, at=view).threshold
        found.append([flagged[~here & positive].mean(), (~flagged)[~here & ~positive].mean()])
    return np.array(found)


if __name__ == "__main__":
    main()
