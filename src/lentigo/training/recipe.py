"""How a network is trained: one frozen record, saved with the run."""

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from lentigo.errors import RunError

__all__ = ["Recipe"]


@dataclass(frozen=True)
class Recipe:
    """Everything that decides the outcome of a training, besides network, split and code.

    Attributes:
        size: side of the square that the network sees, in pixels.
        epochs: most passes over the training part.
        batch_size: images a step.
        learning_rate: peak of the one-cycle schedule (Smith and Topin, 2019).
        weight_decay: AdamW's decay, for convolutions and linear weights alone.
        label_smoothing: share of the target spread over the classes as they are common, 0 to 1.
        balance: 'logit_adjustment' adds the log class share to the logits while training (Menon et al., ICLR 2021),
            so that the plain logits treat all diagnoses as equally common; 'none' leaves the imbalance in.
        rotation: largest rotation in degrees.
        zoom: smallest and largest magnification.
        shift: largest shift as a share of the side.
        brightness, contrast, cast: largest relative changes of colour.
        patience: epochs without a lower validation loss before training stops early.
        mirror_average: whether the trained network answers with the mean over an image and its three mirror images.
        seed: seed of weights, order and augmentation; the same seed gives the same run on the same machine.
    """

    size: int = 64
    epochs: int = 60
    batch_size: int = 64
    learning_rate: float = 4e-3
    weight_decay: float = 0.05
    label_smoothing: float = 0.05
    balance: Literal["logit_adjustment", "none"] = "logit_adjustment"
    rotation: float = 180.0
    zoom: tuple[float, float] = (0.85, 1.25)
    shift: float = 0.06
    brightness: float = 0.2
    contrast: float = 0.2
    cast: float = 0.06
    patience: int = 20
    mirror_average: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("size", "epochs", "batch_size", "learning_rate", "patience"):
            if getattr(self, name) <= 0:
                raise RunError(f"The recipe's {name} is {getattr(self, name)}.", "It must be above zero.")
        if self.balance not in ("logit_adjustment", "none"):
            raise RunError(f"Unknown balance {self.balance!r}.", "Known: logit_adjustment, none.")
        object.__setattr__(self, "zoom", tuple(self.zoom))

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
