"""What compression does, in which order, and what it may lose: one frozen record, checked before anything runs."""

from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field

from lentigo.compression import file_steps, network_steps  # noqa: F401  importing registers what they define
from lentigo.compression.gate import Gate
from lentigo.compression.steps import STEPS, Step
from lentigo.errors import RunError, did_you_mean, reason
from lentigo.training.checked import Checked
from lentigo.training.named import Named
from lentigo.written import read_json

__all__ = ["CompressionRecipe"]


class CompressionRecipe(Checked):
    """Steps and the gate behind each of them.

    Attributes:
        steps: names, or `{"name": "int8", "params": {"calibration": "entropy"}}`, in the order in which they run: first
            steps of the network, then steps of the file.
        gate: what each step may lose, see `Gate`.
    """

    subject: ClassVar[str] = "compression recipe"

    steps: tuple[Named, ...] = Field(min_length=1)
    gate: Gate = Gate()

    @classmethod
    def of(cls, recipe: "str | Path | Mapping[str, Any] | CompressionRecipe") -> "CompressionRecipe":
        """From a short name such as 'prune+int8', a JSON file, or plain values.

        Raises:
            RunError: no such step or parameter, steps that don't go together, or not a JSON file.
        """
        if isinstance(recipe, CompressionRecipe):
            return recipe
        if isinstance(recipe, Mapping):
            return cls.model_validate(recipe)
        if isinstance(recipe, Path) or recipe.endswith(".json"):
            return cls._load(Path(recipe))
        return cls.model_validate({"steps": [name.strip() for name in recipe.split("+")]})

    @classmethod
    def _load(cls, path: Path) -> "CompressionRecipe":
        try:
            values = read_json(path)
        except (OSError, ValueError) as error:
            raise RunError(
                f"{path}: not a compression recipe ({reason(error)}).",
                'Write a JSON object such as {"steps": ["int8"]}.',
            ) from None
        try:
            return cls.model_validate(values)
        except RunError as error:
            raise RunError(f"{path}: {error.message}", error.hint) from None

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the steps."""
        return tuple(step.name for step in self.steps)

    def made(self) -> tuple[Step, ...]:
        """The steps, ready to run."""
        return tuple(STEPS.make(step) for step in self.steps)

    def stating(self, **params: Any) -> "CompressionRecipe":
        """With parameters such as `epochs` in every step that has them and doesn't state them; None is left out."""
        known = {name: value for name, value in params.items() if value is not None}
        steps = []
        for step in self.steps:
            open_ones = {name: known[name] for name in STEPS.parameters(step.name) if name in known}
            steps.append({"name": step.name, "params": open_ones | step.params})
        return CompressionRecipe.of({"steps": steps, "gate": self.gate})

    def __str__(self) -> str:
        return "+".join(self.names)

    def _check(self, recorded: bool) -> None:
        for name in self.names:
            if name not in STEPS.names:
                raise RunError(f"Unknown compression step {name!r}.", did_you_mean(name, STEPS.names))
        faults = (*self._repeated(), *self._out_of_order(), *self._unfinished())
        if faults:
            message, hint = faults[0]
            raise RunError(f"The recipe {self}: {message}", hint)

    def _repeated(self) -> Iterator[tuple[str, str]]:
        """A step twice, or two that decide the same."""
        for name in dict.fromkeys(name for name in self.names if self.names.count(name) > 1):
            yield f"{name} stands in it twice.", "Name each step once."
        precisions = [name for name, step in zip(self.names, self.made(), strict=True) if step.precision]
        if len(precisions) > 1:
            yield f"{' and '.join(precisions)} both decide the precision of the weights.", "Keep one of them."

    def _out_of_order(self) -> Iterator[tuple[str, str]]:
        """A step that comes too late."""
        for (name, step), (following, after) in pairwise(zip(self.names, self.made(), strict=True)):
            if step.last:
                yield f"{following} comes after {name}.", f"Put {name} last."
            elif step.of == "file" and after.of == "network":
                yield f"{following} trains a network, {name} has already changed its file.", f"Put {following} first."

    def _unfinished(self) -> Iterator[tuple[str, str]]:
        """A step without the one that it prepares."""
        for position, (name, step) in enumerate(zip(self.names, self.made(), strict=True)):
            if step.needs and not set(step.needs) & set(self.names[position + 1 :]):
                yield f"{name} only prepares a network for {' or '.join(step.needs)}.", f"Add that after {name}."
