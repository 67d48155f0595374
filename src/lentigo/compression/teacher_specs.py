"""Which teachers to train: what is declared of each, and the list of them as a file."""

import os
from typing import Annotated, Any, ClassVar

from pydantic import Field

from lentigo.errors import RunError, reason
from lentigo.training import Recipe
from lentigo.training.checked import Checked
from lentigo.written import read_json

__all__ = ["TeacherSpec", "load_teachers"]


class TeacherSpec(Checked):
    """A teacher to train.

    Attributes:
        name: of its folder.
        model: name of the network.
        recipe: how to train it.
        weights: name of a safetensors file to start from; '' for random weights.
        options: of the network's builder.
        turns: whether it answers with the mean over an image and its quarter turn, each with the recipe's mirrors.
    """

    subject: ClassVar[str] = "teacher"

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    model: str
    recipe: Recipe = Recipe()
    weights: str = ""
    options: dict[str, Any] = Field(default_factory=dict)
    turns: bool = False

    def declared(self) -> dict[str, Any]:
        """As the folder keeps it; without `turns` where it is unset, as folders of before it."""
        return self.model_dump(mode="json", exclude=None if self.turns else {"turns"})


def load_teachers(path: str | os.PathLike[str]) -> tuple[TeacherSpec, ...]:
    """Read a list of teachers: JSON, a list of objects with the entries of `TeacherSpec`.

    Raises:
        RunError: absent, not such a list, or an entry that is wrong; the message names the file.
    """
    try:
        values = read_json(path)
    except (OSError, ValueError) as error:
        raise RunError(f"{path}: not a list of teachers ({reason(error)}).", "Write a JSON list of objects.") from None
    if not isinstance(values, list):
        raise RunError(f"{path}: not a list of teachers.", "Write a JSON list of objects.")
    try:
        return tuple(TeacherSpec.model_validate(value) for value in values)
    except RunError as error:
        raise RunError(f"{path}: {error.message}", error.hint) from None
