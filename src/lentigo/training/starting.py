"""Where a network's weights start: from a file of a library, or from a finished run, whose images are then known."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import nn

from lentigo import data, models
from lentigo.data.members import part_ids
from lentigo.data.overlaps import refuse_renumbered
from lentigo.errors import RunError
from lentigo.normalisation import Normalisation
from lentigo.progress import note
from lentigo.runtime.origins import starts
from lentigo.training.loading import load_run
from lentigo.training.recipe import Recipe
from lentigo.training.run import Run
from lentigo.training.soft_labels import refuse_leak
from lentigo.training.start_record import started_from

__all__ = ["Start", "data_name", "find_parent", "recorded_start", "start"]


@dataclass(frozen=True)
class Start:
    """What a network starts from.

    Attributes:
        record: plain values for `Run.start`; nothing for random weights.
        colours: the normalisation that the weights were trained with, where a run says so.
    """

    record: Mapping[str, object] = field(default_factory=dict)
    colours: Normalisation | None = None


def find_parent(weights: Path | None) -> Run | None:
    """The run that weights are of: its folder, or the file in it; None for a library's.

    Raises:
        RunError: the run is damaged.
    """
    if weights is None:
        return None
    folder = weights if weights.is_dir() else weights.parent
    named = weights.is_dir() or weights.name == "network.safetensors"
    return load_run(folder) if named and (weights.is_dir() or (folder / "recipe.json").is_file()) else None


def recorded_start(old: Run) -> Start:
    """What an interrupted run started from; its weights of now are in its checkpoint.

    Raises:
        RunError: they aren't, so that those of the start are needed again.
    """
    if old.finished or (not old.recipe.frozen_base and any(old.path.glob("checkpoints/*/last.ckpt"))):
        return Start(old.start, Normalisation(old.mean, old.std))
    # Neither before the end of the first epoch, nor where a head alone is trained: the base is in no checkpoint.
    raise RunError(
        f"{old.path}: to resume this run, the weights that it started from are needed: {old.start['source']}.",
        "Name them again: --weights FILE_OR_RUN, or --pretrained for those of the network's library.",
    )


def start(
    network: nn.Module,
    model: str,
    options: Mapping[str, object],
    recipe: Recipe,
    split: data.Split,
    *,
    weights: Path | None,
    pretrained: bool,
) -> Start:
    """Load the weights that a training starts from, in place.

    Args:
        network: freshly built.
        model, options: what builds it.
        recipe: of the training.
        split: of the training.
        weights: a safetensors file in the key names of the backbone's library, or a finished run.
        pretrained: whether to load the library's ImageNet weights where no file is named.

    Raises:
        RunError: the weights don't fit, or it is unknown what they have seen.
        LeakError: the run has seen images of the split's test part, or was trained on some of its validation part; or
            it learned from a data set with the same images under ids that can't be compared.
    """
    parent = find_parent(weights)
    if parent is not None:
        return _from_run(network, parent, model, options, recipe, split)
    if weights is None and not pretrained:
        return Start()
    if weights is not None:
        _refuse_unknown(network, weights)
    loaded = models.load_weights(network, weights)
    if loaded.dropped:
        note(f"{loaded.source}: the network was cut short, so it does without {', '.join(loaded.dropped)}.")
    return Start(loaded.to_dict())


def _from_run(
    network: nn.Module, parent: Run, model: str, options: Mapping[str, object], recipe: Recipe, split: data.Split
) -> Start:
    """All weights of a run but those of the outputs where it learned other classes."""
    if not parent.finished:
        raise RunError(f"{parent.path}: this training has not finished.", "Resume with lentigo train --resume.")
    try:
        before = parent.split
    except RunError as error:
        raise RunError(
            f"{parent.path}: what it has seen is unknown. {error.message}", "Put the images back there."
        ) from None
    earlier = started_from(parent.start)
    learned = part_ids(before.train) | parent.taught | earlier[0]
    seen = learned | part_ids(before.validation) | earlier[1]
    named = f"{parent.path}, the starting run"
    refuse_leak(named, learned, seen, split)
    comparable = bool((seen | part_ids(before.test)).contains(split.records.ids).any())
    for source in (parent.source, *(one["run"]["data"] for one in starts(parent.start) if one.get("run"))):
        refuse_renumbered(
            named, source, split.records, comparable=comparable, instead="Or start from a run on other images."
        )
    file = parent.path / "network.safetensors"
    given, own = load_file(file), network.state_dict()
    same = parent.recipe.outputs(parent.label_set) == recipe.outputs(split.records.label_set) and (
        parent.classes == recipe.learned(split.records.label_set)
    )
    shorter = _shorter(parent, model, options)
    outputs = set() if same and not shorter else _output_layer(model, options, recipe.outputs(split.records.label_set))
    used = {key: value for key, value in given.items() if key not in outputs and (key in own or not shorter)}
    wrong = sorted({k for k in own if k not in outputs} ^ used.keys())
    wrong = wrong or sorted(k for k, v in used.items() if v.shape != own[k].shape)
    if wrong:
        raise RunError(
            f"{file}: these are weights of {_named(parent.model, parent.options)}, which don't fit "
            f"{_named(model, options)}: {wrong[0]}{f' and {len(wrong) - 1} more' if len(wrong) > 1 else ''}.",
            "Start from a run of the same network with the same options, or with more blocks.",
        )
    network.load_state_dict(used, strict=False)
    if outputs:
        why = "its outputs see another block" if shorter else f"it learned {parent.classes.name}"
        note(f"{parent.path}: {why}; {', '.join(sorted(outputs))} starts from random weights instead.")
    record = {
        "source": parent.path.resolve().name,
        "sha256": parent.network_sha256,
        "tensors": len(used),
        "fresh": [],
        "left_out": len(given) - len(used),
        "run": {
            "model": parent.model,
            "data": data_name(parent.source, parent.root),
            "labels": parent.classes.name,
            "licence": parent.licence,
            "citation": parent.citation,
            "split": {"protocol": before.protocol, "fold": before.fold, "sha256": before.hash},
            "learned": learned.encode(),
            "seen": seen.encode(),
            "start": dict(parent.start),
        },
    }
    return Start(record, Normalisation(parent.mean, parent.std))


def data_name(source: str, root: str) -> str:
    """What a run's data set is called: a table, which has no name of its own, by its folder's."""
    path = Path(root)
    return source if source != "table" else (path.parent if path.suffix else path).name


def _shorter(parent: Run, model: str, options: Mapping[str, object]) -> bool:
    """Whether a network is that of a run with fewer blocks, and nothing else."""
    before, now = dict(parent.options), dict(options)
    had, has = before.pop("blocks", None), now.pop("blocks", None)
    fewer = isinstance(has, int) and (had is None or (isinstance(had, int) and has < had))
    return parent.model == model and before == now and fewer


def _output_layer(model: str, options: Mapping[str, object], outputs: int) -> set[str]:
    """Tensors whose shape depends on the number of outputs."""
    with torch.random.fork_rng(devices=[]):
        pair = [models.build(model, num_classes=n, **options).state_dict() for n in (outputs, outputs + 1)]
    return {key for key, value in pair[0].items() if pair[1][key].shape != value.shape}


def _refuse_unknown(network: nn.Module, file: Path) -> None:
    """Refuse a run's weights without the run: nobody knows which images they have seen."""
    try:
        with safe_open(file, framework="pt") as opened:
            keys = set(opened.keys())
    except (OSError, SafetensorError):
        return  # loading says what is wrong with it
    if keys and keys <= network.state_dict().keys():
        raise RunError(
            f"{file}: these are the weights of a run, and which images they have seen is unknown without it.",
            "Name the run's folder.",
        )


def _named(model: str, options: Mapping[str, object]) -> str:
    said = ", ".join(f"{name}={value}" for name, value in options.items() if name != "channels")
    return f"{model} ({said})" if said else model
