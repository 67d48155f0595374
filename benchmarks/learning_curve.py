"""What fewer training images cost: a run's training again on shares of its lesions, in as many steps.

python benchmarks/learning_curve.py RUN --weights FILE --share 0.25 0.5 --work FOLDER

RUN is the whole one, whose split, recipe and options are taken; smaller shares are parts of larger ones, and each
diagnosis keeps its share of lesions. Validation and test parts stay. FILE is what RUN started from. Each training goes
to FOLDER/share-S and is evaluated there; an interrupted one continues. `limits.py` makes the page.
"""

import argparse
from pathlib import Path

import numpy as np

from lentigo import data, training
from lentigo.evaluation import predict_part


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--share", type=float, nargs="+", default=[0.25, 0.5])
    parser.add_argument("--work", type=Path, required=True)
    options = parser.parse_args()
    whole = training.load_run(options.run)
    for share in options.share:
        folder = options.work / f"share-{share:g}"
        done = trained(whole, share, options.weights, folder)
        print(f"{folder}: {len(done.split.train):,} training images")


def trained(whole: training.Run, share: float, weights: Path, folder: Path) -> training.Run:
    """The run of a share; its predictions of the test part beside it."""
    recipe = whole.recipe.model_copy(update={"epochs": round(whole.recipe.epochs / share)})
    split = thinned(whole.split, share)
    begun = (folder / "recipe.json").is_file()
    run = training.train(whole.model, split, recipe, out=folder, options=whole.options, weights=weights, resume=begun)
    predict_part(run, "test").save(folder / "predictions.parquet")
    return run


def thinned(split: data.Split, share: float) -> data.Split:
    """The split with a share of the training lesions of each diagnosis; the others are unused."""
    manifest = split.manifest.copy()
    dx = split.records.take(manifest["image_id"]).table["dx"].to_numpy()
    rng = np.random.default_rng(0)
    training_part = (manifest["part"] == "train").to_numpy()
    kept: set[str] = set()
    for name in sorted(set(dx)):
        groups = rng.permutation(manifest.loc[training_part & (dx == name), "group"].unique())
        kept.update(groups[: round(share * len(groups))])
    dropped = training_part & ~manifest["group"].isin(kept).to_numpy()
    manifest.loc[dropped, "part"] = "unused"
    return data.freeze(split.records, manifest, split.protocol, split.leaky, split.fold, split.folds, split.seed)


if __name__ == "__main__":
    main()
