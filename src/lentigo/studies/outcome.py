"""The outcome of one training of a reproduction: metrics as the paper decides, ours beside them, and what it cost."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from scipy.special import softmax

from lentigo import training
from lentigo.atomic import write_text
from lentigo.errors import RunError
from lentigo.evaluation import Metrics, Predictions, measure, predict_part
from lentigo.evaluation.cost import measure as measure_cost
from lentigo.evaluation.result import Result
from lentigo.studies.budgets import Budget
from lentigo.studies.jobs import Job, target_epochs
from lentigo.studies.recorded import read_back, refuse_other_start
from lentigo.training.resume import refuse_other_split

__all__ = ["OUTCOME", "Finished", "Outcome", "describe_start", "native_predictions", "run_job"]


OUTCOME = "outcome.json"
"""In a training's folder, once it was measured."""


class Outcome(Result):
    """One system under one protocol, on one fold with one seed.

    Attributes:
        system, network, protocol, fold, seed: which.
        leaky: whether one lesion may be on two sides.
        task: 'diagnosis' or 'malignancy'.
        budget: name of the budget.
        train_images, validation_images, test_images: sizes of the parts; an epoch of an oversampled part has more.
        epochs, finetune_epochs: how many were run, in the first stage and in the second.
        target_epochs: how many the recipe would have without a budget.
        size: pixels a side.
        start: where the weights came from, and which parts started fresh; empty for random ones.
        seconds: of training, cached features included; epochs that were run on another machine count as they were
            there.
        milliseconds: median time of one image through the network, batch of one.
        machine: cores and versions.
        native: metrics of the network's own decisions, as the paper takes them; the view is called 'equal_prevalence'
            at the prevalence that the network learned.
        honest: metrics as lentigo reports them, calibrated, in both views.
    """

    system: str
    network: str
    protocol: str
    fold: int
    seed: int
    leaky: bool
    task: str
    budget: str
    train_images: int
    validation_images: int
    test_images: int
    epochs: int
    finetune_epochs: int
    target_epochs: int
    size: int
    start: dict[str, object]
    seconds: float
    milliseconds: float
    machine: dict[str, str]
    native: Metrics
    honest: Metrics

    @property
    def trained_epochs(self) -> str:
        """Epochs of the first stage, and of the second after a plus."""
        return f"{self.epochs}" + (f" + {self.finetune_epochs}" if self.finetune_epochs else "")


@dataclass(frozen=True)
class Finished:
    """A training that was measured, and the folder that it left."""

    outcome: Outcome
    folder: Path


def run_job(job: Job, budget: Budget, folder: Path) -> Outcome:
    """Train and measure, or go on where it was interrupted, or read what was measured before.

    Leaves outcome.json, test.parquet and the run in `folder`.

    Raises:
        RunError: the folder holds another training, also one of other images or weights, or a damaged outcome.
        DataError: the images can't be read or split.
    """
    path = folder / OUTCOME
    if path.exists():
        found = read_back(Outcome, path)
        if found.budget != budget.name:
            raise RunError(
                f"{folder}: this was run with the budget {found.budget}, not {budget.name}.", "Choose another folder."
            )
        run = training.load_run(folder / "run")
        refuse_other_split(run.path, run.split_sha256, job.split)
        refuse_other_start(run, job)
        return found
    split = job.split
    run = training.train(
        job.system.network,
        split,
        job.recipe,
        out=folder / "run",
        options=job.options,
        pretrained=job.download,
        weights=job.weights,
        resume=(folder / "run" / "recipe.json").exists(),
    )
    predictions = predict_part(run, "test")
    predictions.save(folder / "test.parquet")
    history = pd.read_csv(run.path / "log" / "metrics.csv")
    found = Outcome(
        system=job.system.name,
        network=job.system.network,
        protocol=split.protocol,
        fold=split.fold,
        seed=job.recipe.seed,
        leaky=split.leaky,
        task=job.system.task,
        budget=budget.name,
        train_images=len(split.train),
        validation_images=len(split.validation),
        test_images=len(predictions),
        epochs=int((history["stage"] != "tail").sum()),
        finetune_epochs=int((history["stage"] == "tail").sum()),
        target_epochs=target_epochs(job.system),
        size=job.recipe.size,
        start=dict(run.start),
        seconds=_seconds(run.path),
        milliseconds=_milliseconds(run, budget.timed),
        machine=dict(run.environment),
        native=measure(native_predictions(predictions, run), replicates=budget.replicates),
        honest=measure(predictions, replicates=budget.replicates),
    )
    write_text(path, found.to_json() + "\n")
    _drop_checkpoints(run.path)
    return found


def native_predictions(predictions: Predictions, run: training.Run) -> Predictions:
    """The predictions as the network itself makes them: uncalibrated, at the prevalence that it learned.

    That is how the papers decide. What `predict_part` returns is calibrated and at the balanced prior, so both are
    undone: log p times the temperature is the logit, up to a constant, and the class shares are added where the
    network learned them.
    """
    temperature = float(str(predictions.meta["temperature"]))
    logits = np.log(np.clip(predictions.probabilities, 1e-300, None)) * temperature
    if predictions.label_set != run.classes:
        raise RunError(f"{run.path}: its predictions are from an older lentigo.", "Run it again in another folder.")
    own = softmax(logits + run.logit_offset, axis=1)
    return predictions.replaced(own, training_prevalence=None, temperature=1.0)


def _seconds(run: Path) -> float:
    """Training time, with the share of cached features that this training needed."""
    log = run / "log"
    features = sum(float(path.read_text()) for path in log.glob("features_*.seconds"))
    return float(pd.read_csv(log / "seconds.csv")["seconds"].sum()) + features


def _milliseconds(run: training.Run, runs: int) -> float:
    threads = (torch.get_num_threads(),)
    measured = measure_cost(run.network(), run.recipe.size, batches=(1,), threads=threads, runs=runs)
    return measured.speeds[0].median_ms


def _drop_checkpoints(run: Path) -> None:
    """What only an unfinished training needs; with the optimizer's state it is three times the network."""
    for path in (run / "checkpoints").rglob("*.ckpt"):
        path.unlink()


def describe_start(start: Mapping[str, object]) -> str:
    """Where the weights came from, in words."""
    if not start:
        return "random weights"
    fresh = ", ".join(start.get("fresh", ()))  # type: ignore[arg-type]  # names, from JSON
    return f"{start['source']}" + (f", {fresh} fresh" if fresh else "")
