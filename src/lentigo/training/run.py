"""A run: the folder that a training leaves, which explains itself.

recipe.json          what was trained, how, on what, with which versions
split.csv            the manifest, under its hash
log/                 metrics.csv (a row an epoch) and TensorBoard's events
checkpoints/         last and best, to resume from
network.safetensors  the best weights; its presence means that the training finished
"""

import json
import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import nn

from lentigo import data, models
from lentigo.errors import RunError
from lentigo.training.recipe import Recipe

__all__ = ["Run", "load_run"]

PACKAGES = ("lentigo", "torch", "torchvision", "pytorch-lightning", "numpy", "pillow")


@dataclass(frozen=True)
class Run:
    """A finished or unfinished training.

    Attributes:
        path: its folder.
        model: name of the network.
        recipe: how it was trained.
        source: name of the data set, 'ham10000' for example.
        root: where the data set lay.
        licence, citation: of the data set.
        split_sha256: hash of the split.
        mean, std: of the training part's pixels in 0..1, three values each.
        prior: share of each of the seven diagnoses in the training part.
        environment: versions and machine.
    """

    path: Path
    model: str
    recipe: Recipe
    source: str
    root: str
    licence: str
    citation: str
    split_sha256: str
    mean: tuple[float, ...]
    std: tuple[float, ...]
    prior: tuple[float, ...]
    environment: Mapping[str, str]

    @property
    def finished(self) -> bool:
        """Whether the training came to its end."""
        return (self.path / "network.safetensors").exists()

    @cached_property
    def records(self) -> data.Records:
        """The data set that it was trained on, read from where it lay."""
        return data.read(self.root)

    @cached_property
    def split(self) -> data.Split:
        """The split that it was trained on."""
        return data.load_split(self.path / "split.csv", self.records)

    def network(self) -> nn.Module:
        """The trained network, ready for inference, with the mirror average if the recipe has it.

        Raises:
            RunError: the training has not finished.
        """
        if not self.finished:
            raise RunError(f"{self.path}: this training has not finished.", "Go on with lentigo train --resume.")
        network = models.build(self.model)
        network.load_state_dict(load_file(self.path / "network.safetensors"))
        averaged = self.recipe.mirror_average and hasattr(network, "maps")
        return (models.MirrorAverage(network) if averaged else network).eval()

    @torch.inference_mode()
    def logits(self, images: NDArray[np.uint8], batch_size: int = 256) -> NDArray[np.float32]:
        """Logits [N, 7] of squares uint8 [N, S, S, 3], as if all diagnoses were equally common, before calibration."""
        network = self.network().to(memory_format=torch.channels_last)
        mean, std = (torch.tensor(v, dtype=torch.float32).view(1, 3, 1, 1) for v in (self.mean, self.std))
        out = []
        for start in range(0, len(images), batch_size):
            x = torch.from_numpy(images[start : start + batch_size]).permute(0, 3, 1, 2).float() / 255
            out.append(network((x - mean) / std).numpy())
        return np.concatenate(out) - self.logit_offset

    @property
    def logit_offset(self) -> NDArray[np.float32]:
        """What to take from the network's logits to get rid of the training part's prevalence: [7]."""
        if self.recipe.balance == "none":
            return np.log(np.clip(self.prior, 1e-6, None)).astype(np.float32)
        return np.zeros(len(self.prior), np.float32)

    def save_description(self) -> None:
        """Write recipe.json."""
        values = {k: v for k, v in self.__dict__.items() if k in self.__dataclass_fields__ and k != "path"}
        values["recipe"] = self.recipe.to_dict()
        write_text(self.path / "recipe.json", json.dumps(values, indent=2) + "\n")

    def save_network(self, network: nn.Module) -> None:
        """Write the weights; from here on the run is finished."""
        partial = self.path / "network.partial"
        save_file({k: v.contiguous().cpu() for k, v in network.state_dict().items()}, partial)
        partial.replace(self.path / "network.safetensors")


def load_run(path: str | os.PathLike[str]) -> Run:
    """Read a run's folder.

    Raises:
        RunError: not a run.
    """
    folder = Path(path)
    try:
        values = json.loads((folder / "recipe.json").read_text(encoding="utf-8"))
        values["recipe"] = Recipe.from_dict(values["recipe"])
        for name in ("mean", "std", "prior"):
            values[name] = tuple(values[name])
        return Run(path=folder, **values)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(f"{folder}: not a run of lentigo ({error}).", "Give a folder that lentigo train made.") from None


def environment() -> dict[str, str]:
    """Versions and machine, for the record."""
    versions = {name: version(name) for name in PACKAGES}
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else f"{os.cpu_count()} CPU cores"
    return {**versions, "python": platform.python_version(), "machine": f"{platform.machine()}, {device}"}


def write_text(path: Path, text: str) -> None:
    """Write a whole file or nothing."""
    partial = path.with_name(path.name + ".partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)
