"""results/flagships.md: the models that ship, their goals, what each ingredient gave, and their trainings.

    python benchmarks/flagships.py by-fold PREDICTIONS...      the part with each fold of each model and their means
    python benchmarks/flagships.py before REVISION             results/flagships_before.json: that revision's lentigo-s
    python benchmarks/flagships.py models [--reference NAME]   the part of the page on the models that ship
    python benchmarks/flagships.py ablation FILE.json          the part on ingredients, from folders of evaluated runs
    python benchmarks/flagships.py alternatives FILE.json      the same of what was tried and doesn't ship
    python benchmarks/flagships.py trainings NAME=RUN...       logs and recipes into results/NAME; the part on them,
                                                               which names this machine: call it where they trained

PREDICTIONS are tables of test parts that `lentigo evaluate` left, a fold each, or the folders with them; folds of
earlier calls stay. FILE.json is a list of {"name": ..., "differs": ..., "run": FOLDER, "against": NAME of another row
or null}. A figure is shown only where the file that it comes from measured the very bundle that ships, and a mean over
folds only where it is of one of them. Options: --out results, --replicates 1000.
"""

import argparse
import json
import shutil
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from common import machine
from flagships_figures import ROWS, figures
from flagships_folds import by_fold, predictions_of, shown
from flagships_goals import ALL, GOALS, Measured, judge
from flagships_parts import command, read_json, read_parts, write_part
from lentigo.atomic import write_text
from lentigo.errors import DataError, LentigoError, RunError
from lentigo.evaluation import Predictions, compare, measure
from lentigo.render.markdown import table
from lentigo.runtime import Bundle, shipped_models
from lentigo.training import Recipe
from lentigo.training.history import duration, kept_epoch
from lentigo.training.starting import data_name
from lentigo.training.students import portable

ROOT = Path(__file__).parent.parent
SHOWN = ("balanced_accuracy", "auc", "melanoma")
"""Figures of the ablation."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("before", *PARTS))
    parser.add_argument("given", nargs="*")
    parser.add_argument("--reference", default="resnet50_tl", help="whose folds lentigo-s is compared with")
    parser.add_argument("--replicates", type=int, default=1000)
    parser.add_argument("--out", type=Path, default=Path("results"))
    options = parser.parse_args()
    line = command("benchmarks/flagships.py", sys.argv[1:])
    try:
        if options.what == "before":
            print(keep_before(options.given[0], options.out))
        else:
            data, text = PARTS[options.what](options)
            print(write_part(options.out, options.what, data, text, line))
    except LentigoError as error:
        sys.exit(f"Error: {error.message}\n       {error.hint}")


def keep_before(revision: str, results: Path) -> Path:
    """What the model of an earlier revision did with wrong and degraded images, from the repository's history."""

    def then(name: str) -> Any:
        asked = ["git", "show", f"{revision}:results/lentigo-s/{name}.json"]
        done = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode:
            raise DataError(f"{revision}: {done.stderr.strip()}", "Name a revision with results of lentigo-s.")
        return json.loads(done.stdout)

    shown = ["git", "rev-parse", "--short", revision]
    named = subprocess.run(shown, cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()
    out = results / "flagships_before.json"
    kept = {"revision": named, "ood": then("ood"), "robustness": then("robustness")}
    write_text(out, json.dumps(kept, indent=1) + "\n")
    return out


def models(options: argparse.Namespace) -> tuple[dict[str, Any], str]:
    """The table of the models that ship, and their goals."""
    bundles = {name: Bundle(path, threads=1) for name, path in shipped_models().items()}
    found = {n: figures(b, options.out, ROOT / "docs", options.reference) for n, b in bundles.items()}
    rows = [(title, *(found[name][key].text for name in found)) for key, title in ROWS.items()]
    goals = "\n\n".join(f"### Goals of {name}\n\n{goal_table(name, found.get(name))}" for name in GOALS)
    kept = read_json(options.out / "flagships_before.json")
    relative = f"'Before' is the lentigo-s of revision {kept['revision']}. " if kept else ""
    kinds = ", ".join(f"[{n}]({n}/ood.md)" for n in bundles if (options.out / n / "ood.md").is_file())
    wrong = f"Each kind of wrong images: {kinds}. " if kinds else ""
    text = (
        f"{table(['', *found], rows)}\n\n"
        "Accuracy is of HAM10000's folds grouped by lesion, with intervals of 95 %: of several folds that of their "
        "mean, widened for the training images that they share, of one fold by bootstrap over lesions. Areas under the "
        "curve "
        "are best read at the training prevalence: against images at their natural mix, the posterior at that mix is "
        f"the optimal ranking. {relative}{wrong}{machine()}.\n\n{goals}"
    )
    data = {name: {key: asdict(one) for key, one in of.items()} for name, of in found.items()}
    return {"models": data, "sha256": {name: b.sha256 for name, b in bundles.items()}}, text


def goal_table(name: str, found: dict[str, Measured] | None) -> str:
    if found is None:
        return "Does not ship."
    rows = []
    for goal in (*GOALS[name], *ALL):
        limit = goal.limit(found)
        side = ("under" if goal.strict else "at most") if goal.most else "at least"
        bound = "not measured" if limit is None else f"{side} {limit:,.{0 if limit > 1000 else 3}f}"
        rows.append((goal.what, bound, found[goal.key].text, judge(goal, found)))
    return table(("figure", "goal", "measured", ""), rows)


def ablation(options: argparse.Namespace) -> tuple[dict[str, Any], str]:
    """A row for each run: what differs, validation and test, and the paired difference from another row."""
    listed = json.loads(Path(options.given[0]).read_text(encoding="utf-8"))
    tables = {row["name"]: predictions_of(Path(row["run"])) for row in listed}
    rows, data = [], []
    for row in listed:
        folder, own = Path(row["run"]), tables[row["name"]]
        parts = {"test": own}
        if (folder / "validation.parquet").is_file():
            parts = {"validation": predictions_of(folder, "validation.parquet"), **parts}
        measured = {part: measure(p, replicates=options.replicates) for part, p in parts.items()}
        values = {part: {key: shown(metrics, key) for key in SHOWN} for part, metrics in measured.items()}
        gained = difference(tables, row["name"], row.get("against"), options.replicates)
        cells = [values.get(part, {}).get(key, "not measured") for part in ("validation", "test") for key in SHOWN]
        split = str(own.meta.get("split_sha256"))[:12]
        rows.append((row["name"], row["differs"], *cells, row.get("against") or "–", gained))
        data.append({**row, "run": folder.name, "split": split, "images": len(own), **values, "difference": gained})
    splits = ", ".join(sorted({row["split"] for row in data}))
    head = [f"{part}: {ROWS[key]}" for part in ("validation", "test") for key in SHOWN]
    text = (
        f"{table(('run', 'what differs', *head, 'against', 'difference in balanced accuracy, test'), rows)}\n\n"
        f"One training each: differences are paired on the same test images (split {splits}), with intervals of 95 % "
        f"from {options.replicates:,} resamples of lesions, and say nothing of another training. "
        f"n by row: {', '.join(str(r['images']) for r in data)}. {machine()}."
    )
    return {"rows": data}, text


def difference(tables: dict[str, Predictions], name: str, against: str | None, replicates: int) -> str:
    """Balanced accuracy less that of another row, on the same images; or why there is none."""
    if against is None:
        return "–"
    if against not in tables:
        raise DataError(f"{name}: there is no row {against!r} to compare with.", f"Name one of: {', '.join(tables)}.")
    try:
        found = compare({name: tables[name], against: tables[against]}, replicates=replicates)
    except DataError as error:
        return f"not comparable: {error.message}"
    wanted = ("equal_prevalence", "diagnosis", "balanced_accuracy")
    return next(str(d.difference) for d in found.pairs[0].differences if (d.view, d.task, d.metric) == wanted)


def trainings(options: argparse.Namespace) -> tuple[dict[str, Any], str]:
    """Keep logs and recipes, and say how long each training was and whether it ran to its end."""
    known = {row["name"]: row for row in read_parts(options.out).get("trainings", {}).get("data", {}).get("rows", [])}
    for pair in options.given:
        name, _, run = pair.partition("=")
        known[name] = kept(name, Path(run), options.out / name)
    rows = list(known.values())
    columns = ("name", "network", "data", "epochs", "time", "machine", "validation")
    head = ("training", "network", "data, split", "epochs", "time", "machine", "validation, of the kept epoch")
    logs = ", ".join(f"[{name}]({name}/training.csv)" for name in known)
    said = (
        "A time is the training's own on its machine, beside whatever else that did. Rows of earlier calls stay; the "
        "command is of the last one."
    )
    cells = [[row[column] for column in columns] for row in rows]
    return {"rows": rows}, f"{table(head, cells)}\n\nLogs, an epoch a row: {logs}. {said}"


def kept(name: str, run: Path, out: Path) -> dict[str, str]:
    """Copy a run's log, and describe the training."""
    log = run / "log" / "metrics.csv"
    if not log.is_file():
        raise RunError(f"{run}: there is no log of a training.", "Name NAME=RUN, the folder that was trained into.")
    out.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(log, out / "training.csv")
    described = read_json(run / "recipe.json")
    recipe, finished = described["recipe"], (run / "network.safetensors").is_file()
    travelling = portable(Recipe.from_dict(recipe, recorded=True))
    write_text(out / "recipe.json", json.dumps(travelling, indent=2) + "\n")
    row, done, seconds = kept_epoch(run, recipe["keep"])
    asked = recipe["epochs"] + recipe.get("finetune_epochs", 0)
    ended = "" if finished else "; not finished"
    if finished and done < asked:
        ended = "; stopped early, as its recipe allows"
    source = data_name(described.get("source", "unknown"), described.get("root", ""))
    split = f"{source}, {described.get('protocol', '')}".rstrip(", ")
    return {
        "name": name,
        "network": described["model"],
        "data": split,
        "epochs": f"{done} of {asked}{ended}",
        "time": duration(seconds),
        "machine": machine().partition(";")[0],
        "validation": f"balanced accuracy {row['val_balanced_accuracy']:.3f}, macro AUC {row['val_macro_auc']:.3f}, "
        f"loss {row['val_loss']:.3f}",
    }


PARTS = {
    "models": models,
    "by-fold": by_fold,
    "ablation": ablation,
    "alternatives": ablation,
    "trainings": trainings,
}
"""What writes each part of the page."""

if __name__ == "__main__":
    main()
