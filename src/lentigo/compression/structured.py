"""Structured pruning: whole channels go, and what stays is a smaller dense network that runs faster everywhere.

Torch-Pruning finds which channels of which layers depend on one another, and ranks them: Fang, Ma, Song, Mi, Wang,
'DepGraph: Towards any structural pruning', CVPR 2023; isomorphic ranking: Fang et al., ECCV 2024.
"""

import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lentigo import data, models
from lentigo.compression.targets import Meter, Reached, Target
from lentigo.errors import MissingExtraError, RunError
from lentigo.models.pruned import narrowed
from lentigo.progress import note
from lentigo.training import Recipe, Run
from lentigo.training.devices import Device
from lentigo.training.finetune import Changed, fine_tune
from lentigo.training.inputs import PixelInput

__all__ = ["IMPORTANCE", "Importance", "Scope", "prune_structured"]

Importance = Literal["magnitude", "taylor", "bn_scale", "lamp", "fpgm"]
Scope = Literal["isomorphic", "global", "layer"]

IMPORTANCE: Mapping[str, str] = MappingProxyType(
    {
        "magnitude": "GroupMagnitudeImportance",
        "taylor": "GroupTaylorImportance",
        "bn_scale": "BNScaleImportance",
        "lamp": "LAMPImportance",
        "fpgm": "FPGMImportance",
    }
)
"""Criteria by name, and Torch-Pruning's names for them; each ranks the channels that depend on one another."""
SCOPES: tuple[Scope, ...] = ("isomorphic", "global", "layer")
STEPS = 100
"""In which all channels would go, one per cent after another, ranked anew each time."""
TAYLOR_IMAGES = 512


def prune_structured(
    run: Run,
    out: str | os.PathLike[str],
    *,
    target: Target,
    recipe: Recipe | None = None,
    importance: Importance = "magnitude",
    scope: Scope = "isomorphic",
    round_to: int = 4,
    most: float = 0.9,
    device: Device = "auto",
) -> Run:
    """Remove channels from a run's network until it meets a target, then train the rest further.

    The least important channels go first; the number of outputs stays, and so do exact maps where the network has them.
    The result is a run like any other, whose `options` state the shapes under 'channels': it can be loaded, evaluated,
    exported and pruned again. Killed and called again with the same arguments it ends in the same files; what was
    decided by the clock is decided once.

    Args:
        run: a finished run.
        out: folder of the new run: new, empty, or of the same pruning, interrupted or finished.
        target: what the network must not exceed, at the size of the recipe.
        recipe: how to train what is left, with any loss; without it a quarter of the parent's epochs at a tenth of its
            rate.
        importance: 'magnitude' of weights (Li et al., ICLR 2017), 'taylor' (weight times gradient, on 512 training
            images; Molchanov et al., CVPR 2019), 'bn_scale' (Liu et al., ICCV 2017), 'lamp' (Lee et al., ICLR 2021) or
            'fpgm' (He et al., CVPR 2019); of a group of dependent layers the mean.
        scope: what competes: channels of layers with the same structure around them ('isomorphic'), of all layers
            ('global'), or of one layer, so that all lose the same share ('layer').
        round_to: channels of a pruned layer are a multiple of this.
        most: largest share of a layer's channels that may go.
        device: where to train: 'auto', 'cpu', 'cuda' or 'mps'.

    Raises:
        RunError: the target can't be met (it says what was reached) or is met already, the network can't be pruned,
            a parameter is out of range, or as `training.fine_tune`.
        MissingExtraError: Torch-Pruning is not installed.
    """
    if find_spec("torch_pruning") is None:
        raise MissingExtraError("Structured pruning", "compress")
    _check(importance, scope, round_to, most)
    asked = {"importance": importance, "scope": scope, "round_to": round_to, "most": most}

    def change(chosen: Recipe) -> Changed:
        network = run.trained_network().cpu()
        before, reached = _prune(network, target, run, chosen, importance, scope, round_to, most)
        note(f"Pruned {run.model} from {before} to {reached}.")
        options = {name: value for name, value in run.options.items() if name != "channels"}
        designed = models.build(run.model, num_classes=chosen.outputs(run.label_set), **options)
        shapes = {"channels": narrowed(network, designed)}
        return Changed(network, options | shapes, {"before": before.to_dict(), "reached": reached.to_dict()})

    step = {"pruning": {"target": target.to_dict(), **asked}}
    return fine_tune(run, recipe, out=Path(out), change=change, step=step, device=device)


def _check(importance: str, scope: str, round_to: int, most: float) -> None:
    for name, value, known in (("importance", importance, tuple(IMPORTANCE)), ("scope", scope, SCOPES)):
        if value not in known:
            raise RunError(f"Pruning knows no {name} {value!r}.", f"Use one of {', '.join(known)}.")
    if type(round_to) is not int or round_to < 1:
        raise RunError(f"Channels can't be rounded to {round_to!r}.", "Use a whole number of 1 or more.")
    if isinstance(most, bool) or not isinstance(most, int | float) or not 0 < most < 1:
        raise RunError(f"The largest share of a layer that may go is {most!r}.", "Use a number between 0 and 1.")


def _prune(
    network: nn.Module,
    target: Target,
    run: Run,
    recipe: Recipe,
    importance: str,
    scope: str,
    round_to: int,
    most: float,
) -> tuple[Reached, Reached]:
    """Prune a network in place; what it had before, and what it has then."""
    import torch_pruning

    meter = Meter(deepcopy(network), recipe.size, recipe.flip_tta, target.timed)
    before = meter.before
    if target.met_by(before):
        raise RunError(f"{run.path} has {before}, which meets the target of {target}.", "Set a lower target.")
    network.requires_grad_(True)  # the dependencies are found by following gradients
    if importance == "taylor":
        _backward(network, run, recipe)
    image = torch.zeros(1, 3, recipe.size, recipe.size)
    with _explained(run):
        pruner = torch_pruning.BasePruner(
            network,
            image,
            getattr(torch_pruning.importance, IMPORTANCE[importance])(),
            global_pruning=scope != "layer",
            isomorphic=scope == "isomorphic",
            pruning_ratio=1.0,
            max_pruning_ratio=most,
            iterative_steps=STEPS,
            round_to=round_to,
            ignored_layers=[_last_linear(network)],
            # Its defaults are dictionaries that all pruners share.
            in_channel_groups={},
            out_channel_groups={},
            num_heads={},
        )
        reached = _until_met(pruner, network, image, meter, target)
    network.zero_grad(set_to_none=True)
    if not target.met_by(reached):
        raise RunError(
            f"{run.path}: the target of {target} can't be met; the best that was reached is {reached}.",
            "Set a higher target or a lower round_to, let a larger share of a layer go, or prune a smaller network.",
        )
    return before, reached


def _until_met(pruner: Any, network: nn.Module, image: Tensor, meter: Meter, target: Target) -> Reached:
    """Prune until the target is met or nothing more can go: a group at a time where counting is enough."""
    reached = meter.before
    for _ in range(STEPS):
        changed = False
        for group in pruner.step(interactive=True):
            group.prune()
            changed = True
            if not target.timed and target.met_by(reached := meter(network)):
                break
        if changed:
            with torch.inference_mode():
                network(image)  # fails where layers don't fit together any more
            reached = meter(network)
            if target.met_by(reached):
                return reached
    return reached


def _last_linear(network: nn.Module) -> nn.Linear:
    """The layer that gives the logits, whose outputs stay."""
    return [module for module in network.modules() if isinstance(module, nn.Linear)][-1]


def _backward(network: nn.Module, run: Run, recipe: Recipe) -> None:
    """Leave the gradients of the cross-entropy of some training images in the weights."""
    pixels = data.load_pixels(run.split.records, recipe.size)
    train = pixels.readable(run.split.train)
    rows = np.sort(np.random.default_rng(recipe.seed).permutation(len(train))[:TAYLOR_IMAGES])
    images, labels = torch.from_numpy(pixels.of(train)[rows]), torch.from_numpy(run.labels(train)[rows])
    inputs = PixelInput(recipe, torch.tensor(run.mean), torch.tensor(run.std))
    shares = run.class_shares(train.take(train.ids[rows]))
    priors = shares["prior"][shares["sources"]]
    offset = priors.clamp(min=1e-6).log() * (run.recipe.balance == "logit_adjustment")
    for start in range(0, len(rows), 32):
        logits = network(inputs(images[start : start + 32].permute(0, 3, 1, 2)))
        both = F.pad(logits, (1, 0)) if logits.shape[1] == 1 else logits
        F.cross_entropy(both + offset[start : start + 32], labels[start : start + 32], reduction="sum").backward()


@contextmanager
def _explained(run: Run) -> Iterator[None]:
    """What Torch-Pruning says of networks that it doesn't understand, as an error with a next step."""
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="(?s).*Unwrapped parameters.*")  # `narrowed` refuses them by name
            yield
    except (RuntimeError, IndexError, ValueError, AssertionError, KeyError, AttributeError, TypeError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise RunError(
            f"{run.path}: {run.model} can't be pruned by channels ({reason}).", "Prune it by magnitude."
        ) from error
