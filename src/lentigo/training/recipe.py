"""How a network is trained: one frozen record, saved with the run."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from lentigo.data import augment
from lentigo.errors import DataError, RunError, reason
from lentigo.labels import BINARY, LabelSet, find_mapping
from lentigo.training import callbacks as _callbacks  # noqa: F401  importing registers what it defines
from lentigo.training import distillation as _distillation  # noqa: F401
from lentigo.training import pruning as _pruning  # noqa: F401
from lentigo.training import quantization_aware as _quantization_aware  # noqa: F401
from lentigo.training.checked import Checked
from lentigo.training.hooks import CALLBACKS, LOSSES
from lentigo.training.losses import ONE_OUTPUT
from lentigo.training.named import Named
from lentigo.training.old_names import with_new_names
from lentigo.written import read_json

__all__ = ["Augment", "Recipe"]

Rate = Annotated[float, Field(gt=0, le=100)]
Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1, le=1_000_000)]
Zoom = Annotated[float, Field(gt=0, le=10)]
_PREPROCESSING = ("RemoveHair", "ShadesOfGrey")


class Augment(Named):
    """An augmentation by name, one of `data.augment.names()`.

    Attributes:
        name: of the class.
        params: its arguments.
        probability: chance that it changes an image.
    """

    probability: Share = 1.0

    def make(self) -> augment.Augmentation | augment.Mixing:
        """The augmentation.

        Raises:
            RunError: no such name or argument, or a value out of range.
        """
        try:
            return augment.make(self.name, probability=self.probability, **self.params)
        except (DataError, TypeError) as error:
            raise RunError(f"The recipe's augmentations: {error}") from None


class Recipe(Checked):
    """Everything that decides the outcome of a training, besides network, split and code.

    Attributes:
        size: side of the square that the network sees, in pixels.
        target: what is learnt: the diagnoses of the label set, or benign and malignant.
        loss: name of a registered loss, with params if need be: 'cross_entropy' over the classes, 'focal', or, of
            'malignancy' alone, 'binary_cross_entropy' of one output.
        epochs: most passes over the training part.
        batch_size: images that the network sees at a time.
        accumulate: batches whose gradients make one step of the optimizer.
        gradient_clip: largest norm of a step's gradient; 0 for any.
        optimizer: 'adamw', or Keras' Adam, SGD with momentum 0.9, or RMSprop, which take no weight decay.
        learning_rate: peak of the one-cycle schedule (Smith and Topin, 2019) or of the cosine, else the rate at the
            start.
        schedule: 'one_cycle', 'cosine' (down to zero along half a cosine, after `warmup_epochs`; Loshchilov and
            Hutter, ICLR 2017), 'constant', or 'plateau' (multiply by a factor when the monitored value stops
            improving).
        warmup_epochs: of the cosine, epochs in which the rate rises linearly from nothing.
        plateau_monitor, plateau_patience, plateau_factor, plateau_floor: what 'plateau' watches, epochs that it waits,
            its factor, and its lowest rate.
        weight_decay: AdamW's decay, for convolutions and linear weights alone.
        label_smoothing: share of the target spread over the classes as they are common, 0 to below 1.
        balance: 'logit_adjustment' adds the log class share to the logits while training (Menon et al., ICLR 2021),
            so that the plain logits treat all diagnoses as equally common; 'class_weights' weighs the loss by inverse
            class share; 'oversampling' repeats training images of rare classes; 'none' leaves the imbalance in.
        source_shares: of several data sets, the share of an epoch's images that each gives, by its name: the main one's
            images come once an epoch, and of the others as many as make up their shares. Without it each image comes
            once.
        normalisation: mean and deviation of the 'training' part, plain 0 to 1 ('unit'), those of 'imagenet', those that
            the 'network' was pretrained with, or 'auto': the network's own if it starts from trained weights and
            they are known, else the training part's.
        rotation: largest rotation in degrees.
        zoom: smallest and largest magnification.
        shift: largest shift as a share of the side.
        mirror: whether images are mirrored at random, left to right; with rotations every mirror image comes up.
        brightness, contrast, channel_jitter: largest relative changes of colour.
        augmentations: more of them, in this order, after those of the entries above: names of `data.augment.names()`,
            or `{"name": "AddHair", "params": {}, "probability": 0.5}`. MixUp and CutMix mix the targets as well.
        ema: decay of the moving average of weights that is validated and kept; 0 for the weights themselves. Short for
            a callback 'ema'.
        callbacks: names of registered callbacks, with params if need be.
        patience: epochs without a lower validation loss before training stops early.
        keep: whether the epoch with the lowest validation loss is kept, or the last.
        flip_tta: whether the trained network answers with the mean over an image and its three mirror images.
        frozen_base: of a network with a backbone, train the head on features that the frozen base gave once. There is
            no augmentation then.
        unfrozen_blocks: last blocks of the base that train too once the head has been trained, for `finetune_epochs`
            more.
        finetune_epochs, finetune_learning_rate: of this second stage.
        precision: 'bfloat16' computes the network in mixed precision.
        compile: whether torch compiles the network first: slow to start, faster on large networks.
        workers: processes that gather batches; 0 gathers them in this one, which is best where memory holds the pixels.
        seed: seed of weights, order and augmentation; the same seed gives the same run on the same machine.

    Raises:
        RunError: an unknown entry, a value of another type or out of range, or values that don't go together.
    """

    subject: ClassVar[str] = "recipe"

    size: Annotated[int, Field(ge=8, le=4096)] = 64
    target: Literal["diagnosis", "malignancy"] = "diagnosis"
    loss: Named = Named(name="cross_entropy")
    epochs: Count = 60
    batch_size: Count = 64
    accumulate: Count = 1
    gradient_clip: Annotated[float, Field(ge=0)] = 0.0
    optimizer: Literal["adamw", "adam", "sgd", "rmsprop"] = "adamw"
    learning_rate: Rate = 4e-3
    schedule: Literal["one_cycle", "cosine", "constant", "plateau"] = "one_cycle"
    warmup_epochs: Annotated[int, Field(ge=0)] = 0
    plateau_monitor: Literal["val_loss", "val_accuracy"] = "val_loss"
    plateau_patience: Count = 2
    plateau_factor: Annotated[float, Field(gt=0, lt=1)] = 0.5
    plateau_floor: Annotated[float, Field(ge=0, le=100)] = 1e-5
    weight_decay: Annotated[float, Field(ge=0, le=10)] = 0.05
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.05
    balance: Literal["logit_adjustment", "class_weights", "oversampling", "none"] = "logit_adjustment"
    source_shares: dict[str, Annotated[float, Field(gt=0, lt=1)]] = Field(default_factory=dict)
    normalisation: Literal["auto", "training", "unit", "imagenet", "network"] = "auto"
    rotation: Annotated[float, Field(ge=0, le=180)] = 180.0
    zoom: tuple[Zoom, Zoom] = (0.85, 1.25)
    shift: Share = 0.06
    mirror: bool = True
    brightness: Share = 0.2
    contrast: Share = 0.2
    channel_jitter: Share = 0.06
    augmentations: tuple[Augment, ...] = ()
    ema: Annotated[float, Field(ge=0, lt=1)] = 0.0
    callbacks: tuple[Named, ...] = ()
    patience: Count = 20
    keep: Literal["best", "last"] = "best"
    flip_tta: bool = True
    frozen_base: bool = False
    unfrozen_blocks: Annotated[int, Field(ge=0)] = 0
    finetune_epochs: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    finetune_learning_rate: Rate = 1e-4
    precision: Literal["float32", "bfloat16"] = "float32"
    compile: bool = False
    workers: Annotated[int, Field(ge=0, le=256)] = 0
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0

    @classmethod
    def _prepare(cls, values: Mapping[str, Any]) -> Mapping[str, Any]:
        return super()._prepare(with_new_names(values, cls.model_fields))

    def _check(self, recorded: bool) -> None:
        for wrong, message, hint in self._conflicts():
            if wrong:
                raise RunError(message, hint)
        if not recorded:  # a run may have been trained with what another package registers
            LOSSES.make(self.loss)
            for callback in self.all_callbacks:
                CALLBACKS.make(callback)
            for augmentation in self.augmentations:
                augmentation.make()

    def _conflicts(self) -> list[tuple[bool, str, str]]:
        """What doesn't go together, why, and what to do."""
        always = [a.name for a in self.augmentations if a.name in _PREPROCESSING and a.probability == 1]
        return [
            (
                self.loss.name == ONE_OUTPUT and self.target != "malignancy",
                "Binary cross-entropy separates two classes.",
                "Set the target to malignancy.",
            ),
            (
                bool(self.unfrozen_blocks) and not self.frozen_base,
                "Only blocks of a frozen base can be unfrozen.",
                "Set frozen_base, or unfrozen_blocks to 0.",
            ),
            (
                bool(self.unfrozen_blocks) != bool(self.finetune_epochs),
                "unfrozen_blocks and finetune_epochs go together.",
                "Set both, or neither.",
            ),
            (
                bool(self.source_shares) and abs(sum(self.source_shares.values()) - 1) > 1e-6,
                f"The recipe's source_shares sum to {sum(self.source_shares.values()):g}.",
                "Let them sum to 1.",
            ),
            (
                bool(self.source_shares) and self.balance == "oversampling",
                "Oversampling and source_shares both say how often an image comes.",
                "Set balance to logit_adjustment, or remove source_shares.",
            ),
            (
                self.zoom[0] > self.zoom[1],
                f"The recipe's zoom is {self.zoom}.",
                "Put the smaller magnification first.",
            ),
            (
                self.frozen_base and bool(self.augmentations),
                "A frozen base sees each image only once, so augmentations would have no effect.",
                "Remove augmentations, or frozen_base.",
            ),
            (
                bool(self.warmup_epochs) and self.schedule != "cosine",
                f"The schedule {self.schedule!r} takes no warmup_epochs.",
                "Set the schedule to cosine, or warmup_epochs to 0.",
            ),
            (
                self.warmup_epochs >= self.epochs and bool(self.warmup_epochs),
                f"A warm-up of {self.warmup_epochs} epochs leaves none of {self.epochs}.",
                "Set warmup_epochs below epochs.",
            ),
            (
                bool(self.ema) and any(callback.name == "ema" for callback in self.callbacks),
                "The moving average (EMA) is specified twice.",
                "Set ema, or name a callback ema.",
            ),
            (
                bool(always),
                f"{', '.join(always)} on every training image would be missing at inference.",
                "Give it a probability below 1.",
            ),
        ]

    def learned(self, label_set: LabelSet) -> LabelSet:
        """What is learnt from images with these labels: the labels themselves, or benign and malignant.

        Raises:
            DataError: malignancy is to be learnt, and the label set doesn't know it of each label.
        """
        return label_set if self.target == "diagnosis" else find_mapping(BINARY, label_set).result

    def outputs(self, label_set: LabelSet) -> int:
        """How many numbers the network gives for images with these labels."""
        return 1 if self.loss.name == ONE_OUTPUT else len(self.learned(label_set))

    @property
    def augments(self) -> bool:
        """Whether training images are changed at random."""
        return self.moves or bool(self.augmentations)

    @property
    def moves(self) -> bool:
        """Whether rotation to `channel_jitter` change anything."""
        still = self.rotation == self.shift == self.brightness == self.contrast == self.channel_jitter == 0
        return not (still and self.zoom == (1.0, 1.0) and not self.mirror)

    @property
    def all_callbacks(self) -> tuple[Named, ...]:
        """The callbacks, with the moving average of `ema`."""
        return (Named(name="ema", params={"decay": self.ema}), *self.callbacks) if self.ema else self.callbacks

    def to_dict(self) -> dict[str, Any]:
        """As plain values."""
        return self.model_dump()

    def replaced(self, **entries: object) -> "Recipe":
        """The same recipe with other values for some entries.

        Raises:
            RunError: as `Recipe`.
        """
        return Recipe.from_dict(self.to_dict() | entries)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], *, recorded: bool = False) -> "Recipe":
        """From plain values, such as JSON has, under today's names or older ones.

        Args:
            values: entries by name; the others keep their defaults.
            recorded: whether a run was trained so: losses and callbacks that aren't registered here are let pass.

        Raises:
            RunError: as `Recipe`.
        """
        return cls.model_validate(values, context={"recorded": recorded})

    @classmethod
    def load(cls, path: Path | None = None, **overrides: object) -> "Recipe":
        """Read a JSON file that holds any of the entries; the others keep their defaults.

        Args:
            path: the file; without it only defaults.
            overrides: entries that replace those of the file, unless they are None.

        Raises:
            RunError: absent, not a JSON object, or as `Recipe`; it names the file.
        """
        values = {}
        try:
            if path is not None:
                values = dict(read_json(path))
        except (OSError, ValueError, TypeError) as error:
            raise RunError(
                f"{path}: not a recipe ({reason(error)}).", "Write a JSON object of recipe entries."
            ) from None
        try:
            return cls.from_dict(values | {k: v for k, v in overrides.items() if v is not None})
        except RunError as error:
            raise RunError(f"{path}: {error.message}" if path else error.message, error.hint) from None
