"""Steps of the network: weights or channels removed, a teacher's answers learnt, rounding trained for."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from lentigo.compression.soft_labels import build_soft_labels, check_teachers
from lentigo.compression.steps import STEPS, Model, Step
from lentigo.compression.structured import Importance, Scope, prune_structured
from lentigo.compression.targets import Meter, Target
from lentigo.evaluation.evaluate import open_model
from lentigo.evaluation.run_predictor import RunPredictor
from lentigo.training import Recipe, Run
from lentigo.training.finetune import fine_tune, gentler
from lentigo.training.named import Named

__all__: list[str] = []  # what is here is found in `STEPS`

Share = Annotated[float, Field(ge=0, le=1)]
Sparsity = Annotated[float, Field(ge=0, lt=1)]
Epochs = Annotated[int, Field(ge=1, le=10_000)] | None
Rate = Annotated[float, Field(gt=0, le=100)] | None
Positive = Annotated[float, Field(gt=0)] | None
PRUNED = ("magnitude_pruning", "keep_zeros")
"""Callbacks of runs whose weights are partly zero."""
VIEWS = 20
"""Most views of an image that teachers answer for where nothing is stated: later epochs repeat them."""
STORE = "soft_labels.safetensors"
ROUNDED = "quantization_aware"
"""Callback of quantization-aware training, which a later step does not repeat."""


@STEPS.register
def prune(
    initial: Sparsity = 0.85,
    final: Sparsity = 0.95,
    shares: tuple[Share, Share] = (0.27, 0.68),
    scope: Literal["layer", "global"] = "layer",
    epochs: Epochs = None,
    learning_rate: Rate = None,
) -> Step:
    """Fine-tune while the smallest weights become zero, by a polynomial schedule; see `training`'s `magnitude_pruning`.

    Args:
        initial, final: share of zeros at the beginning and at the end of the schedule.
        shares: where in the fine-tuning it begins and ends. The defaults are those of steps 2,000 to 5,000 in the 7,337
            steps of Cabrejos-Yalán and Rodriguez, 2024.
        scope: whether each layer is pruned to the same share, or all weights compete.
        epochs, learning_rate: of the fine-tuning; without them a quarter of the run's epochs, and its own rate: where
            most weights go, the others have much to learn.
    """

    def make(before: Model, parent: Model, out: Path) -> Run:
        params = {"initial": initial, "final": final, "shares": shares, "scope": scope}
        recipe = _fine_tuning(before.run, epochs, learning_rate or before.run.recipe.learning_rate)
        others = [callback for callback in recipe.callbacks if callback.name != "keep_zeros"]
        pruning = Named(name="magnitude_pruning", params=params)
        return fine_tune(before.run, recipe.replaced(callbacks=[*others, pruning]), out=out, device=before.run.device)

    return Step("network", make)


@STEPS.register
def structured(
    share: Annotated[float, Field(gt=0, lt=1)] = 0.5,
    macs: Positive = None,
    bytes: Positive = None,
    latency_ms: Positive = None,
    latency_ratio: Positive = None,
    importance: Importance = "magnitude",
    scope: Scope = "isomorphic",
    epochs: Epochs = None,
    learning_rate: Rate = None,
) -> Step:
    """Remove channels until a target is met, then fine-tune: the named limits, or else `share` of the MACs."""

    def make(before: Model, parent: Model, out: Path) -> Run:
        run, limits = before.run, (macs, bytes, latency_ms, latency_ratio)
        target = Target(*limits) if any(limits) else Target(macs=share * _macs(run))
        recipe = _fine_tuning(run, epochs, learning_rate)
        return prune_structured(
            run, out, target=target, recipe=recipe, importance=importance, scope=scope, device=run.device
        )

    return Step("network", make)


@STEPS.register
def distil(
    teachers: tuple[str, ...] = (),
    views: Annotated[int, Field(ge=1, le=10_000)] | None = None,
    temperature: Annotated[float, Field(gt=0, le=100)] = 2.0,
    soft: Share = 0.8,
    epochs: Epochs = None,
    learning_rate: Rate = None,
) -> Step:
    """Fine-tune on what teachers answer for augmented views: runs or bundles by name or path, or else the parent.

    Args:
        teachers: who answers.
        views: of each image; without it one an epoch, 20 at most.
        temperature, soft: of the loss.
        epochs, learning_rate: of the fine-tuning; without them a quarter of the run's epochs, a tenth of its rate.
    """

    def check(run: Run) -> None:
        if teachers:
            members = [open_model(teacher) for teacher in teachers]
            check_teachers(members, run.split, run.recipe, views or VIEWS, Path(STORE))

    def make(before: Model, parent: Model, out: Path) -> Run:
        members = [open_model(teacher) for teacher in teachers] or [RunPredictor(parent.run)]
        store = out.with_name(STORE)
        recipe = _fine_tuning(before.run, epochs, learning_rate)
        build_soft_labels(members, before.run.split, recipe, views or min(VIEWS, recipe.epochs), store)
        params = {"store": str(store), "temperature": temperature, "soft": soft}
        recipe = recipe.replaced(loss={"name": "distillation", "params": params})
        return fine_tune(before.run, recipe, out=out, device=before.run.device)

    return Step("network", make, check=check)


@STEPS.register
def qat(
    start: Annotated[int, Field(ge=0)] = 0,
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.99,
    epochs: Epochs = None,
    learning_rate: Rate = None,
) -> Step:
    """Fine-tune with the rounding of 8-bit integers; the file is in int8 after the step int8 or mixed alone.

    Args:
        start: epochs before rounding begins.
        momentum: share of an activation's range that a step of the training keeps.
        epochs, learning_rate: of the fine-tuning, as of distil.
    """

    def make(before: Model, parent: Model, out: Path) -> Run:
        recipe = _fine_tuning(before.run, epochs, learning_rate)
        rounding = Named(name=ROUNDED, params={"start": start, "momentum": momentum})
        return fine_tune(
            before.run, recipe.replaced(callbacks=[*recipe.callbacks, rounding]), out=out, device=before.run.device
        )

    return Step("network", make, needs=("int8", "mixed"))


def _macs(run: Run) -> int:
    """Multiply-accumulates of one image in the network as it answers."""
    network = run.trained_network().cpu()
    return Meter(network, run.recipe.size, run.recipe.flip_tta, timed=False)(network).macs


def _fine_tuning(run: Run, epochs: int | None, rate: float | None) -> Recipe:
    """The run's recipe, `gentler` where nothing is stated; what was pruned stays pruned."""
    stated = {"epochs": epochs, "learning_rate": rate}
    names = {callback.name for callback in run.recipe.callbacks}
    others = [callback for callback in run.recipe.callbacks if callback.name not in (*PRUNED, ROUNDED)]
    kept = [Named(name="keep_zeros")] if names & set(PRUNED) else []
    recipe = gentler(run.recipe).replaced(callbacks=[*others, *kept])
    return recipe.replaced(**{name: value for name, value in stated.items() if value is not None})
