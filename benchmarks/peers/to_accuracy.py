"""How long trainings took to reach a validation balanced accuracy, read from their logs; nothing is trained here.

    python benchmarks/peers/to_accuracy.py 0.60 runs/published runs/ours --out results/speed/to_accuracy.txt

Time is that of training and validation in log/seconds.csv, and of the frozen base's features where there are any
(log/features_*.seconds). Compare runs of one split that were trained alone on one machine: the script refuses others.
"""

import argparse
import json
import sys
from pathlib import Path

import pandas as pd

sys.path.insert(0, str(Path(__file__).parents[1]))

from common import machine

SCORE = "val_balanced_accuracy"


def history(run: Path) -> pd.DataFrame:
    """A row an epoch: score, and seconds from the start to its end."""
    log = run / "log"
    scores, seconds = pd.read_csv(log / "metrics.csv"), pd.read_csv(log / "seconds.csv")
    rows = scores.merge(seconds, on=["stage", "epoch"], validate="one_to_one")
    rows["seconds"] = rows["seconds"].cumsum()
    for file in log.glob("features_*.seconds"):
        stage = file.stem.removeprefix("features_")
        rows.loc[rows["epoch"] >= rows.loc[rows["stage"] == stage, "epoch"].min(), "seconds"] += float(file.read_text())
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("target", type=float, nargs="?", help="balanced accuracy; without it what every run reaches")
    parser.add_argument("published", type=Path, help="folder of the run that the others are held against")
    parser.add_argument("others", type=Path, nargs="+")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    runs = [options.published, *options.others]
    about = [json.loads((run / "recipe.json").read_text()) for run in runs]
    for key in ("split_sha256", "environment"):
        if any(a[key] != about[0][key] for a in about):
            raise SystemExit(f"The runs differ in {key}; their times can't be compared.")
    histories = [history(run) for run in runs]
    target = options.target if options.target is not None else min(rows[SCORE].max() for rows in histories)
    lines = [f"Seconds to the first epoch with a validation balanced accuracy of {target:.4f} or more", ""]
    first = None
    for run, description, rows in zip(runs, about, histories, strict=True):
        reached = rows[rows[SCORE] >= target]
        best = f"best {rows[SCORE].max():.4f} in {len(rows)} epochs, {rows['seconds'].iloc[-1]:.1f} s"
        recipe = description["recipe"]
        label = f"{run.name}: {description['model']}, {recipe['size']} px, seed {recipe['seed']}"
        if reached.empty:
            lines.append(f"{label}: not reached ({best})")
            continue
        seconds = float(reached["seconds"].iloc[0])
        first = seconds if run == options.published else first
        ratio = (
            f"; {seconds / first:.2f} of {options.published.name}'s time" if first and run != options.published else ""
        )
        lines.append(f"{label}: {seconds:.1f} s, epoch {int(reached['epoch'].iloc[0])}{ratio} ({best})")
    lines += [
        "",
        f"n = 1 training each, split {about[0]['split_sha256'][:12]}. Scores of the validation part.",
        f"Trained with {', '.join(f'{k} {v}' for k, v in about[0]['environment'].items())}. Read with {machine()}.",
    ]
    print("\n".join(lines))
    if options.out:
        options.out.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
