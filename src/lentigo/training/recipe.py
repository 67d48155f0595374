"""How a network is trained: one frozen record, saved with the run."""

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from lentigo.errors import RunError
from lentigo.labels import BINARY, LabelSet, find_mapping

__all__ = ["Recipe"]


_CHOICES: dict[str, tuple[str, ...]] = {
    "target": ("diagnosis", "malignancy"),
    "loss": ("categorical", "binary"),
    "optimizer": ("adamw", "adam", "sgd", "rmsprop"),
    "schedule": ("one_cycle", "constant", "plateau"),
    "plateau_monitor": ("val_loss", "val_accuracy"),
    "balance": ("logit_adjustment", "class_weights", "oversampling", "none"),
    "normalisation": ("training", "unit", "imagenet"),
    "keep": ("best", "last"),
    "precision": ("float32", "bfloat16"),
}


@dataclass(frozen=True)
class Recipe:
    """Everything that decides the outcome of a training, besides network, split and code.

    Attributes:
        size: side of the square that the network sees, in pixels.
        target: what is learnt: the diagnoses of the label set, or benign and malignant.
        loss: cross-entropy over the classes, or, of 'malignancy' alone, binary cross-entropy of one output.
        epochs: most passes over the training part.
        batch_size: images a step.
        optimizer: 'adamw', or Keras' Adam, SGD with momentum 0.9, or RMSprop, which take no weight decay.
        learning_rate: peak of the one-cycle schedule (Smith and Topin, 2019), else the rate at the start.
        schedule: 'one_cycle', 'constant', or 'plateau' (multiply by a factor when the monitored value stands still).
        plateau_monitor, plateau_patience, plateau_factor, plateau_floor: what 'plateau' watches, epochs that it waits,
            its factor, and its lowest rate.
        weight_decay: AdamW's decay, for convolutions and linear weights alone.
        label_smoothing: share of the target spread over the classes as they are common, 0 to 1.
        balance: 'logit_adjustment' adds the log class share to the logits while training (Menon et al., ICLR 2021),
            so that the plain logits treat all diagnoses as equally common; 'class_weights' weighs the loss by inverse
            class share; 'oversampling' repeats training images of rare classes; 'none' leaves the imbalance in.
        normalisation: mean and deviation of the training part, plain 0 to 1, or those of ImageNet.
        rotation: largest rotation in degrees.
        zoom: smallest and largest magnification.
        shift: largest shift as a share of the side.
        mirror: whether images are mirrored at random, left to right; with rotations every mirror image comes up.
        brightness, contrast, channel_jitter: largest relative changes of colour.
        patience: epochs without a lower validation loss before training stops early.
        keep: whether the epoch with the lowest validation loss is kept, or the last.
        flip_tta: whether the trained network answers with the mean over an image and its three mirror images.
        frozen_base: of a network with a backbone, train the head on features that the frozen base gave once. There is
            no augmentation then.
        unfrozen_blocks: last blocks of the base that train too once the head has been trained, for `finetune_epochs`
            more.
        finetune_epochs, finetune_learning_rate: of this second stage.
        precision: 'bfloat16' computes the network in mixed precision.
        seed: seed of weights, order and augmentation; the same seed gives the same run on the same machine.
    """

    size: int = 64
    target: Literal["diagnosis", "malignancy"] = "diagnosis"
    loss: Literal["categorical", "binary"] = "categorical"
    epochs: int = 60
    batch_size: int = 64
    optimizer: Literal["adamw", "adam", "sgd", "rmsprop"] = "adamw"
    learning_rate: float = 4e-3
    schedule: Literal["one_cycle", "constant", "plateau"] = "one_cycle"
    plateau_monitor: Literal["val_loss", "val_accuracy"] = "val_loss"
    plateau_patience: int = 2
    plateau_factor: float = 0.5
    plateau_floor: float = 1e-5
    weight_decay: float = 0.05
    label_smoothing: float = 0.05
    balance: Literal["logit_adjustment", "class_weights", "oversampling", "none"] = "logit_adjustment"
    normalisation: Literal["training", "unit", "imagenet"] = "training"
    rotation: float = 180.0
    zoom: tuple[float, float] = (0.85, 1.25)
    shift: float = 0.06
    mirror: bool = True
    brightness: float = 0.2
    contrast: float = 0.2
    channel_jitter: float = 0.06
    patience: int = 20
    keep: Literal["best", "last"] = "best"
    flip_tta: bool = True
    frozen_base: bool = False
    unfrozen_blocks: int = 0
    finetune_epochs: int = 0
    finetune_learning_rate: float = 1e-4
    precision: Literal["float32", "bfloat16"] = "float32"
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("size", "epochs", "batch_size", "learning_rate", "patience", "finetune_learning_rate"):
            if getattr(self, name) <= 0:
                raise RunError(f"The recipe's {name} is {getattr(self, name)}.", "It must be above zero.")
        for name, known in _CHOICES.items():
            if getattr(self, name) not in known:
                raise RunError(f"Unknown {name} {getattr(self, name)!r}.", f"Known: {', '.join(known)}.")
        if self.loss == "binary" and self.target != "malignancy":
            raise RunError("Binary cross-entropy tells two classes apart.", "Set the target to malignancy.")
        if self.unfrozen_blocks and not self.frozen_base:
            raise RunError("Only blocks of a frozen base can be unfrozen.", "Set frozen_base, or unfrozen_blocks to 0.")
        if bool(self.unfrozen_blocks) != bool(self.finetune_epochs):
            raise RunError("unfrozen_blocks and finetune_epochs go together.", "Give both, or neither.")
        object.__setattr__(self, "zoom", tuple(self.zoom))

    def learned(self, label_set: LabelSet) -> LabelSet:
        """What is learnt from images with these labels: the labels themselves, or benign and malignant.

        Raises:
            DataError: malignancy is to be learnt, and the label set doesn't know it of each label.
        """
        return label_set if self.target == "diagnosis" else find_mapping(BINARY, label_set).result

    def outputs(self, label_set: LabelSet) -> int:
        """How many numbers the network gives for images with these labels."""
        return 1 if self.loss == "binary" else len(self.learned(label_set))

    @property
    def augments(self) -> bool:
        """Whether training images are changed at random."""
        still = self.rotation == self.shift == self.brightness == self.contrast == self.channel_jitter == 0
        return not (still and tuple(self.zoom) == (1.0, 1.0) and not self.mirror)

    def to_dict(self) -> dict[str, object]:
        """As plain values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: dict) -> "Recipe":
        """From plain values.

        Raises:
            RunError: a name that is no part of a recipe.
        """
        known = {field.name for field in dataclasses.fields(cls)}
        if unknown := set(values) - known:
            raise RunError(
                f"Unknown recipe entries: {', '.join(sorted(unknown))}.", f"Known: {', '.join(sorted(known))}."
            )
        return cls(**values)

    @classmethod
    def load(cls, path: Path | None = None, **overrides: object) -> "Recipe":
        """Read a JSON file that holds any of the entries; the others keep their defaults.

        Args:
            path: the file; without it only defaults.
            overrides: entries that replace those of the file, unless they are None.

        Raises:
            RunError: absent, not JSON, or with an unknown entry.
        """
        values = {}
        try:
            if path is not None:
                values = dict(json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError) as error:
            raise RunError(f"{path}: not a recipe ({error}).", "Give a JSON object of recipe entries.") from None
        return cls.from_dict(values | {k: v for k, v in overrides.items() if v is not None})
