"""Compressed forms of a paper's network: made from each training, measured on its test part, sized on one footing."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from pydantic import Field

from lentigo import training
from lentigo.atomic import write_text
from lentigo.compression.pipeline import run_steps
from lentigo.compression.recipe import CompressionRecipe
from lentigo.compression.steps import Model, exported
from lentigo.errors import BundleError
from lentigo.evaluation import Metrics, measure
from lentigo.evaluation.cost import account
from lentigo.evaluation.result import Result
from lentigo.export import Parity
from lentigo.export.refit import predict_part_of
from lentigo.runtime import Bundle
from lentigo.studies.budgets import Budget
from lentigo.studies.outcome import Finished, native_predictions
from lentigo.studies.recorded import read_back
from lentigo.studies.study import Study, Variant

__all__ = ["VariantOutcome", "run_variants"]


class VariantOutcome(Result):
    """One compressed form under one protocol, on one fold with one seed.

    Attributes:
        variant, of: its name in the paper, and that of the system that it was made from.
        protocol, fold, seed, task, budget: as of the training.
        steps: what was done, in order.
        sha256: of the file; empty where there is none.
        size: bytes by footing.
        native: metrics of the network's own decisions, as the paper takes them; None where there is no file.
        honest: metrics as lentigo reports them, calibrated, in both views.
        outside: in what the file violates lentigo's policy for its precision, by which it would not be written.
        fault: why there is no file.
    """

    variant: str
    of: str
    protocol: str
    fold: int
    seed: int
    task: str
    budget: str
    steps: tuple[str, ...]
    sha256: str = ""
    size: dict[str, int] = Field(default_factory=dict)
    native: Metrics | None = None
    honest: Metrics | None = None
    outside: tuple[str, ...] = ()
    fault: str = ""


def run_variants(study: Study, finished: Finished, budget: Budget) -> Iterator[VariantOutcome]:
    """Make and measure the compressed forms of one training, or read what was measured before.

    There is no gate: what the paper shipped is measured, whatever it lost.
    """
    variants = [variant for variant in study.variants if variant.of == finished.outcome.system]
    if not variants or (finished.outcome.leaky and not budget.leaky_variants):
        return
    run = training.load_run(finished.folder / "run")
    place = finished.folder / "variants"
    parent = Model(run, exported(run, place / "fp32", run.model))
    for variant in variants:
        path = place / f"{re.sub(r'[^a-z0-9]+', '-', variant.name.lower()).strip('-')}.json"
        if path.exists():
            yield read_back(VariantOutcome, path)
            continue
        try:
            made = run_steps(_recipe(variant, run), parent, place) if variant.steps else parent
        except BundleError as error:  # it differs too much from what it was made from
            yield _outcome(variant, finished, fault=error.message.split(": ", 1)[-1])
            continue
        found = _measure(variant, made, finished, budget)
        write_text(path, found.to_json() + "\n")
        yield found


def _recipe(variant: Variant, run: training.Run) -> CompressionRecipe:
    """Its steps; what trains does so half as long as the network was trained, at the same rate."""
    epochs, rate = max(1, run.recipe.epochs // 2), run.recipe.learning_rate
    return CompressionRecipe.of({"steps": variant.steps}).stating(epochs=epochs, learning_rate=rate)


def _measure(variant: Variant, model: Model, finished: Finished, budget: Budget) -> VariantOutcome:
    bundle = Bundle(model.bundle, threads=1)
    predictions = predict_part_of(model.run, bundle, "test")
    return _outcome(
        variant,
        finished,
        sha256=bundle.sha256,
        size=dict(account(bundle).sizes),
        outside=tuple(Parity(**bundle.metadata.parity).faults),
        native=measure(native_predictions(predictions, model.run), replicates=budget.replicates),
        honest=measure(predictions, replicates=budget.replicates),
    )


def _outcome(variant: Variant, finished: Finished, **found: Any) -> VariantOutcome:
    of = finished.outcome
    return VariantOutcome(
        variant=variant.name,
        of=of.system,
        protocol=of.protocol,
        fold=of.fold,
        seed=of.seed,
        task=of.task,
        budget=of.budget,
        steps=tuple(step if isinstance(step, str) else str(step["name"]) for step in variant.steps),
        **found,
    )


def of_variant(outcomes: Sequence[VariantOutcome], variant: str, protocol: str) -> list[VariantOutcome]:
    """The outcomes of one compressed form under one protocol: a fold or seed each."""
    return [o for o in outcomes if o.variant == variant and o.protocol == protocol]
