"""The leakage experiment: how much of a published accuracy is leak, measured three ways.

A 1-NN baseline without training; one network of a paper under that paper's possible splits and the leak-proof one; and
the paired design of `same_lesion`, on the networks of two papers.
"""

import json
import os
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lentigo import data, training
from lentigo.atomic import write_text
from lentigo.audit import nearest_neighbour_study
from lentigo.errors import RunError, reason
from lentigo.evaluation import Predictions, predict_part
from lentigo.evaluation.result import Estimate, Result
from lentigo.evaluation.statistics.estimates import estimate
from lentigo.evaluation.statistics.intervals import bootstrap
from lentigo.studies.budgets import Budget
from lentigo.studies.budgets import budget as find_budget
from lentigo.studies.compressed_cnn import STUDY as COMPRESSED_CNN
from lentigo.studies.efficient_cnn import STUDY as EFFICIENT_CNN
from lentigo.studies.engines import Engine, check_engine, train_ahead
from lentigo.studies.jobs import Start, images_an_epoch, plan, recipe_for, subsample, target_epochs
from lentigo.studies.leakage_page import write_leakage
from lentigo.studies.outcome import OUTCOME, Outcome, native_predictions, run_job
from lentigo.studies.recorded import read_back
from lentigo.studies.same_lesion import pair_arms
from lentigo.studies.study import System
from lentigo.training.resume import refuse_other_split

__all__ = ["Leakage", "Paired", "leakage"]

PAIRED = (COMPRESSED_CNN.systems[0], EFFICIENT_CNN.systems[1])
"""The networks of the paired design: at 28 and at 64 pixels."""
PAIR = "paired.json"
"""In the folder of a pair, once both arms were measured."""


class Paired(Result):
    """One network in both arms of the paired design.

    Attributes:
        system, network: which.
        epochs, target_epochs: how many were run, and how many without a budget.
        train_images, exchanged, test_images: images; each test image is of another lesion.
        present, absent: accuracy of the network's own decisions in either arm.
        difference: present less absent, on the same images.
        gained, lost: test images that only the arm with same-lesion images, or only the other, classified correctly.
    """

    system: str
    network: str
    epochs: int
    target_epochs: int
    train_images: int
    exchanged: int
    test_images: int
    present: Estimate
    absent: Estimate
    difference: Estimate
    gained: int
    lost: int


class Leakage(Result):
    """All three parts.

    Attributes:
        command, budget: what made it.
        data: the data set, its images and lesions.
        one_nn: the summary that `audit.nearest_neighbour_study` writes of its study.
        networks: the 28x28 network under each protocol.
        published: the accuracy that the paper claims of it.
        paired: the paired design.
    """

    command: str
    budget: str
    data: dict[str, str | int]
    one_nn: dict[str, object]
    networks: tuple[Outcome, ...]
    published: float
    paired: tuple[Paired, ...]


def leakage(
    root: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    budget: str = "cpu",
    engine: Engine = "local",
    address: str | None = None,
) -> Path:
    """Run the experiment and write leakage.md, leakage.json and leakage.svg; what was finished is not run again.

    The network's runs are those of the study compressed_cnn under the same `out`, and are shared with it.

    Args:
        root: the data set.
        out: folder to write into; the experiment's own is `out`/leakage.
        budget: 'quick', 'cpu' or 'full'.
        engine: as in `reproduce`.
        address: as in `reproduce`.

    Returns:
        leakage.md.

    Raises:
        RunError: unknown budget, or `out` holds runs of another, or of another data set.
        DataError: the data set can't be read, or has no lesions with several images.
    """
    limits, records, folder = find_budget(budget), data.read(root), Path(out) / "leakage"
    study = COMPRESSED_CNN
    check_engine(engine, address)
    jobs = plan(study, records, limits, (*study.protocols, study.honest), Start({}))
    places = [Path(out) / study.id / "runs" / job.folder for job in jobs]
    pairs = {folder / "paired" / system.network / PAIR: system for system in PAIRED}
    calls: dict[Path, Callable[[], object]] = {
        place / OUTCOME: partial(run_job, job, limits, place) for job, place in zip(jobs, places, strict=True)
    }
    calls |= {file: partial(_pair, system, records, limits, file.parent.parent) for file, system in pairs.items()}
    train_ahead(calls, engine, address)
    networks = [run_job(job, limits, place) for job, place in zip(jobs, places, strict=True)]
    found = Leakage(
        command=f"lentigo reproduce leakage --data ROOT --out DIR --budget {budget}",
        budget=f"{limits.name}: {limits.summary}",
        data={"name": records.name, "images": len(records), "lesions": int(records.table["lesion_id"].nunique())},
        one_nn=_one_nn_study(records, limits, folder / "one_nn"),
        networks=tuple(networks),
        published=study.table("8")[study.systems[0].name, "accuracy"],
        paired=tuple(_pair(system, records, limits, folder / "paired") for system in PAIRED),
    )
    return write_leakage(found, folder)


def _one_nn_study(records: data.Records, budget: Budget, folder: Path) -> dict[str, object]:
    """The 1-NN baseline's summary; it takes minutes, so what was written before is read."""
    path = folder / "leakage.json"
    seeds = (0,) if budget.images else (0, 1, 2)
    if not path.exists():
        print("leakage: a 1-NN baseline", file=sys.stderr)
        command = "lentigo reproduce leakage --data ROOT --out DIR"
        nearest_neighbour_study(records, 28, seeds=seeds).save(folder, command)
    return _one_nn_summary(path, records, seeds)


def _one_nn_summary(path: Path, records: data.Records, seeds: tuple[int, ...]) -> dict[str, object]:
    """What the baseline wrote.

    Raises:
        RunError: it is damaged, or of other images or seeds.
    """
    hint = f"Remove {path.parent}: the same command measures again; or choose another --out."
    try:
        found: dict[str, object] = json.loads(path.read_text(encoding="utf-8"))
        before = (found["source"], found["images"], sorted({run["seed"] for run in found["runs"]}))  # type: ignore[attr-defined]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(f"{path}: not a 1-NN baseline that lentigo wrote ({reason(error)}).", hint) from None
    if before != (now := (records.name, len(records), list(seeds))):
        raise RunError(f"{path}: source, images and seeds: {before} recorded, {now} requested.", hint)
    return found


def _pair(system: System, records: data.Records, budget: Budget, folder: Path) -> Paired:
    place = folder / system.network
    done = place / PAIR
    arms = pair_arms(records)
    if done.exists():
        for name, whole in arms.splits.items():
            recorded = training.load_run(place / name).split_sha256
            refuse_other_split(place / name, recorded, subsample(whole, budget))
        return read_back(Paired, done)
    native: list[Predictions] = []
    for name, whole in arms.splits.items():
        split = subsample(whole, budget)
        recipe = recipe_for(system, name, budget, images_an_epoch(system, split))
        print(f"leakage: {system.network}, {name}, {recipe.epochs} epochs", file=sys.stderr)
        run = training.train(
            system.network,
            split,
            recipe,
            out=place / name,
            options=system.options,
            resume=(place / name / "recipe.json").exists(),
        )
        native.append(native_predictions(predict_part(run, "test"), run))
    # Both arms hold the test images in the same order.
    present, absent = (predictions.correct.astype(np.float64) for predictions in native)
    means = _means({"present": present, "absent": absent, "difference": present - absent}, native[0], budget)
    found = Paired(
        system=system.name,
        network=system.network,
        epochs=recipe.epochs,
        target_epochs=target_epochs(system),
        train_images=len(split.train),
        exchanged=arms.exchanged,
        test_images=len(present),
        present=means["present"],
        absent=means["absent"],
        difference=means["difference"],
        gained=int((present > absent).sum()),
        lost=int((present < absent).sum()),
    )
    write_text(done, found.to_json() + "\n")
    return found


def _means(values: Mapping[str, NDArray[np.float64]], test: Predictions, budget: Budget) -> dict[str, Estimate]:
    """Means over the test images, each of another lesion, with intervals from the same resamples."""
    columns = np.stack(list(values.values()), axis=1)
    drawn = bootstrap(lambda weights: weights @ columns / len(columns), test.labels, test.groups, budget.replicates, 0)
    many_of = [None] * len(values) if drawn is None else list(drawn.T)
    return {
        name: estimate(of.mean(), many, [len(columns)], scale="difference" if name == "difference" else "share")
        for (name, of), many in zip(values.items(), many_of, strict=True)
    }
