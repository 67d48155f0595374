"""A run: the folder that a training leaves, which explains itself.

recipe.json          what was trained, how, on what, with which versions
split.csv            the manifest, under its hash
log/                 metrics.csv (a row an epoch) and TensorBoard's events
checkpoints/         last and best, to resume from
network.safetensors  the best weights; its presence means that the training finished
"""

import hashlib
import json
import os
import platform
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import ConfigDict, Field
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from lentigo import data, models
from lentigo.atomic import replacing, write_text
from lentigo.errors import RunError
from lentigo.labels import HAM10000, LabelSet, find_mapping
from lentigo.models.transfer import Transfer
from lentigo.models.weights import Undrawn
from lentigo.progress import track
from lentigo.runtime import IdSet
from lentigo.training.cached_features import cache_features
from lentigo.training.devices import Device, find_device
from lentigo.training.history import duration, kept_epoch
from lentigo.training.inputs import PixelInput
from lentigo.training.recipe import Recipe
from lentigo.training.sources import RunSource
from lentigo.training.start_record import started_from

__all__ = ["Run", "environment"]

PIXELS = 32 * 64 * 64
"""Pixels that are predicted at a time, so that memory doesn't depend on the size of the images; few, so that the maps
of a small network stay in the processor's cache."""
DAMAGED = "The run's description was changed or damaged: restore it, or train again."
Channels = tuple[float, float, float]
Positive = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(ge=0, le=1)]
PACKAGES = ("lentigo", "torch", "torchvision", "pytorch-lightning", "numpy", "pillow")


@dataclass(frozen=True)
class Run:
    """A finished or unfinished training.

    Attributes:
        path: its folder.
        model: name of the network.
        options: of its builder.
        start: where its weights started: nothing for random ones, as `models.Loaded`, as `fine_tune` records it, or
            with an entry `run` for a run that it was pretrained as; see `training.starting`.
        recipe: how it was trained.
        source: name of the data set, 'ham10000' for example.
        root: where the data set was.
        licence, citation: of the data set.
        split_sha256: hash of the split.
        mean, std: what pixels in 0..1 are normalised by, three values each.
        label_set: the diagnoses that the data set distinguishes.
        prior: share of each of them in the training part.
        environment: versions and machine.
        soft_labels: of a student, the hash of its store and who answered, as `SoftLabels.provenance`; else nothing.
        outside: whether the data set's table was allowed to name images outside its folder.
        sources: the data sets, where it was trained on several; of which the first is the one at `root`, with the
            validation and test parts, whose share of each diagnosis is `prior`.
        device: where it predicts; not recorded.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

    path: Path
    model: str
    recipe: Recipe
    source: str
    root: str
    licence: str
    citation: str
    split_sha256: str
    mean: Channels
    std: tuple[Positive, Positive, Positive]
    prior: tuple[Share, ...]
    environment: Mapping[str, str]
    options: Mapping[str, object] = field(default_factory=dict)
    start: Mapping[str, object] = field(default_factory=dict)
    soft_labels: Mapping[str, object] = field(default_factory=dict)
    label_set: LabelSet = HAM10000
    outside: bool = False
    sources: tuple[RunSource, ...] = ()
    device: Device = "auto"

    def __repr__(self) -> str:
        done = "finished" if self.finished else "unfinished"
        return f"<Run {self.path}: {self.model} at {self.recipe.size} pixels on {self.source}, {done}>"

    @property
    def classes(self) -> LabelSet:
        """What the network distinguishes: the data set's diagnoses, or benign and malignant."""
        return self.recipe.learned(self.label_set)

    @property
    def finished(self) -> bool:
        """Whether the training finished."""
        return (self.path / "network.safetensors").exists()

    @cached_property
    def records(self) -> data.Records:
        """The data set that it was trained on, read from where it was, or from where `load_run` was asked to look.

        Raises:
            RunError: nothing is there.
        """
        roots = [source.root for source in self.sources] or [self.root]
        if absent := [root for root in roots if not Path(root).exists()]:
            raise RunError(
                f"{self.path}: the images that it was trained on are not at {absent[0]}.",
                "Name it: evaluate --own-test --data FOLDER, export --data FOLDER, or load_run(path, data=FOLDER).",
            )
        if not self.sources:
            return data.read(self.root, labels=self.label_set, outside=self.outside)
        return data.read(
            roots,
            labels=[LabelSet.from_dict(dict(source.labels)) for source in self.sources],
            mapping=[source.mapping_to(self.label_set) for source in self.sources],
            outside=any(source.outside for source in self.sources),
        )

    @cached_property
    def split(self) -> data.Split:
        """The split that it was trained on."""
        return data.load_split(self.path / "split.csv", self.records, sha256=self.split_sha256)

    @property
    def taught(self) -> IdSet:
        """Ids of the images and lesions that its teachers have seen: a student knows of them at second hand."""
        return IdSet.decode(str(self.soft_labels["seen"])) if self.soft_labels else IdSet({})

    @property
    def started_from(self) -> tuple[IdSet, IdSet]:
        """Ids of the images and lesions that its starting weights were trained on, and trained or tuned on."""
        return started_from(self.start)

    @property
    def parent_sha256(self) -> str | None:
        """Hash of the weights that it was fine-tuned from; None for a training of its own."""
        sha256 = self.start.get("parent_sha256")
        return None if sha256 is None else str(sha256)

    @property
    def pruned_for(self) -> tuple[dict[str, object], ...]:
        """What its network and those that it was made from lost channels for, the first one first."""
        found = []
        start: Any = self.start
        while start:
            if "pruning" in start:
                found.append({"name": "structured", **start["pruning"]})
            start = start.get("parent_start")
        return tuple(reversed(found))

    @cached_property
    def network_sha256(self) -> str:
        """Hash of the file with the trained weights."""
        return hashlib.sha256((self.path / "network.safetensors").read_bytes()).hexdigest()

    def trained_network(self) -> nn.Module:
        """The trained network alone, ready for inference.

        Raises:
            RunError: the training has not finished, or the weights are damaged.
        """
        if not self.finished:
            raise RunError(f"{self.path}: this training has not finished.", "Resume with lentigo train --resume.")
        file = self.path / "network.safetensors"
        with Undrawn():
            network = models.build(self.model, num_classes=self.recipe.outputs(self.label_set), **self.options)
        try:
            network.load_state_dict(load_file(file))
        except (SafetensorError, RuntimeError) as error:
            raise RunError(f"{file}: not the weights of this run ({str(error).splitlines()[0]}).", DAMAGED) from error
        return network.eval()

    def network(self) -> nn.Module:
        """The trained network, ready for inference, with the flip test-time augmentation if the recipe has it.

        Raises:
            RunError: as `trained_network`.
        """
        network = self.trained_network()
        averaged = self.recipe.flip_tta and hasattr(network, "maps")
        return (models.FlipTTA(network) if averaged else network).eval()

    def placed_network(self) -> nn.Module:
        """As `network`, where it computes and in the order in memory that it computes in.

        Both are settled here, once: to change them replaces the weights, at which other threads may be reading.
        """
        return self._placed(self.network())

    def _placed(self, network: nn.Module) -> nn.Module:
        return network.to(find_device(self.device)).to(memory_format=torch.channels_last)

    def labelled(self, records: data.Records) -> data.Records:
        """Records of the data set with the labels that the network learns."""
        return records.mapped(find_mapping(self.classes, self.label_set))

    def labels(self, records: data.Records) -> NDArray[np.int64]:
        """What the network is to learn of some records, positions in `classes` [N]."""
        return self.labelled(records).labels

    @property
    def class_prior(self) -> tuple[float, ...]:
        """Share of each of `classes` in the training part; of several data sets, in that of the main one."""
        return self._of_classes(self.prior)

    def _of_classes(self, prior: tuple[float, ...]) -> tuple[float, ...]:
        if self.recipe.target == "diagnosis":
            return prior
        malignant = float(np.array(prior)[np.isin(self.label_set.classes, self.label_set.malignant)].sum())
        return 1 - malignant, malignant

    def class_shares(self, train: data.Records) -> dict[str, Any]:
        """What a `Learner` is given of some training images: their ids, and the prevalence that they have.

        Returns:
            Ids [N]; data set of each image [N]; share of each class in each data set [S, K], and of each data set in an
            epoch [S].
        """
        priors = [self._of_classes(source.prior) for source in self.sources] or [self.class_prior]
        return {
            "ids": train.ids,
            "sources": train.source_numbers,
            "prior": torch.tensor(priors),
            "shares": torch.tensor([source.share for source in self.sources] or [1.0]),
        }

    def unfrozen(self, stage: str, network: Transfer) -> int:
        """How many of the base's last blocks train in the stage 'head' or 'tail' of a frozen base.

        Parts that start fresh train from the first stage on: a frozen random layer would teach the head nothing.
        """
        fresh = network.features.last_blocks(self.start.get("fresh", ()))  # type: ignore[arg-type]  # names, from JSON
        return max(fresh, self.recipe.unfrozen_blocks) if stage == "tail" else fresh

    def logits_of(self, records: data.Records) -> tuple[data.Records, NDArray[np.float32]]:
        """The readable ones of some records of the split, and their logits, see `logits`."""
        pixels = data.load_pixels(self.split.records, self.recipe.size)
        readable = pixels.readable(records)
        network = self.network()
        if not isinstance(network, Transfer) or not self.recipe.frozen_base:
            return readable, self.logits(pixels.of(readable), network=self._placed(network))
        network.freeze(self.unfrozen("tail", network))
        colours = torch.tensor(self.mean), torch.tensor(self.std)
        kept = cache_features(network, self.recipe, *colours, pixels, readable, self.device).array
        rows, device = pixels.rows(readable), find_device(self.device)
        network.eval().to(device)
        blocks = (torch.from_numpy(kept[rows[i : i + 64]]).float().to(device) for i in range(0, len(rows), 64))
        return readable, self._all_logits(network.trainable_part, blocks)

    def logits(self, images: NDArray[np.uint8], *, network: nn.Module | None = None) -> NDArray[np.float32]:
        """Logits [N, K] of squares uint8 [N, S, S, 3], all of `classes` equally common, before calibration.

        Args:
            images: squares of the recipe's size.
            network: what `placed_network` returned, for callers with a few images at a time, which may be several
                threads; without it, it is loaded.
        """
        device = find_device(self.device)
        network = network or self.placed_network()
        inputs = PixelInput(self.recipe, torch.tensor(self.mean), torch.tensor(self.std)).to(device)
        count = max(8, PIXELS // self.recipe.size**2)

        def blocks() -> Iterator[Tensor]:
            starts = range(0, len(images), count)
            for start in track(starts, f"Predicting with {self.model}", len(starts)) if len(starts) > 1 else starts:
                yield inputs(torch.from_numpy(images[start : start + count]).to(device).permute(0, 3, 1, 2))

        return self._all_logits(network, blocks())

    @torch.inference_mode()
    def _all_logits(self, network: Callable[[Tensor], Tensor], blocks: Iterable[Tensor]) -> NDArray[np.float32]:
        """Logits [N, K] from the network's predictions for blocks of images."""
        logits = np.concatenate([network(block).cpu().numpy() for block in blocks])
        if self.recipe.outputs(self.label_set) == 1:
            logits = np.concatenate([np.zeros_like(logits), logits], axis=1)
        return logits - self.logit_offset

    @property
    def logit_offset(self) -> NDArray[np.float32]:
        """What to take from the network's logits to get rid of the training part's prevalence: one a class."""
        if self.recipe.balance == "none":
            mixed = np.sum([np.array(self._of_classes(s.prior)) * s.share for s in self.sources], axis=0)
            learned = mixed if self.sources else self.class_prior
            return np.log(np.clip(learned, 1e-6, None)).astype(np.float32)
        return np.zeros(len(self.class_prior), np.float32)

    def summary(self) -> str:
        """The outcome of a finished training, where it is, and what can be done next, for people."""
        row, epochs, seconds = kept_epoch(self.path, self.recipe.keep)
        return (
            f"Trained {self.model} in {duration(seconds)}: {epochs} of at most {self.most_epochs} epochs, best epoch "
            f"{int(row['epoch']) + 1}.\nValidation part (the test part was not touched): loss {row['val_loss']:.3f}, "
            f"balanced accuracy {row['val_balanced_accuracy']:.3f}, macro AUC {row['val_macro_auc']:.3f}.\n"
            f"Run: {self.path} (log/metrics.csv, network.safetensors)\nNext: lentigo evaluate {self.path}"
        )

    @property
    def most_epochs(self) -> int:
        """Epochs of all stages, if none is stopped early."""
        return self.recipe.epochs + self.recipe.finetune_epochs

    def save_description(self) -> None:
        """Write recipe.json."""
        kept = self.__dataclass_fields__.keys() - {"path", "device"}
        values = {name: value for name, value in self.__dict__.items() if name in kept}
        values |= {"recipe": self.recipe.to_dict(), "label_set": self.label_set.to_dict()}
        values |= {"sources": [asdict(source) for source in self.sources]}
        write_text(self.path / "recipe.json", json.dumps(values, indent=2) + "\n")

    def save_network(self, network: nn.Module) -> None:
        """Write the weights; from here on the run is finished."""
        with replacing(self.path / "network.safetensors") as partial:
            partial.write_bytes(save({k: v.contiguous().cpu() for k, v in network.state_dict().items()}))


def environment() -> dict[str, str]:
    """Versions and machine, for the record."""
    versions = {name: version(name) for name in PACKAGES}
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else f"{os.cpu_count()} CPU cores"
    return {**versions, "python": platform.python_version(), "machine": f"{platform.machine()}, {device}"}
