"""A paper as data: its systems, how they were trained, and what it printed, with the arithmetic beside it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from lentigo.errors import RunError

__all__ = ["Cell", "Check", "Figure", "Measured", "PublishedRecipe", "Study", "System", "Table", "Variant"]

Task = Literal["diagnosis", "malignancy"]
"""Seven diagnoses, or benign and malignant."""


@dataclass(frozen=True)
class PublishedRecipe:
    """How a paper trains a network; None where it doesn't say.

    Attributes:
        epochs: most passes over the training part.
        batch_size: images a step.
        optimizer: its name.
        learning_rate: at the start.
        loss: cross-entropy over the classes, or binary.
        schedule: 'constant', or 'plateau' (divide when the monitored value stops improving).
        plateau_patience, plateau_factor, plateau_floor: epochs to wait, factor, and lowest rate of 'plateau'.
        early_stopping: epochs without a better validation loss before it stops, with the best weights restored.
        class_weights: whether rare classes weigh more in the loss.
        oversampling: whether images of rare classes are repeated up to the largest class.
        augmentation: names of random changes, as the paper calls them.
        normalisation: 'training' for mean and standard deviation of the training images, 'unit' for 0 to 1.
        frozen_base: whether a pretrained base is frozen at first.
        unfrozen_later: whether its last layers then train too.
    """

    epochs: int | None = None
    batch_size: int | None = None
    optimizer: str = "adam"
    learning_rate: float | None = None
    loss: Literal["categorical", "binary"] = "categorical"
    schedule: Literal["constant", "plateau"] | None = None
    plateau_patience: int | None = None
    plateau_factor: float | None = None
    plateau_floor: float | None = None
    early_stopping: int | None = None
    class_weights: bool = False
    oversampling: bool = False
    augmentation: tuple[str, ...] = ()
    normalisation: Literal["training", "unit"] | None = None
    frozen_base: bool = False
    unfrozen_later: bool = False


@dataclass(frozen=True, eq=False)
class System:
    """One network of a paper.

    Attributes:
        name: what the paper calls it.
        network: its name in `lentigo.models`.
        recipe: how the paper trains it.
        task: what it distinguishes.
        pretrained: whether it starts from ImageNet weights.
        options: of the network's builder.
        size: pixels a side; the network's own where None.
        left_open: what the paper does not say, and what is taken here.
    """

    name: str
    network: str
    recipe: PublishedRecipe
    task: Task = "diagnosis"
    pretrained: bool = False
    options: Mapping[str, object] = field(default_factory=dict)
    size: int | None = None
    left_open: tuple[str, ...] = ()


@dataclass(frozen=True)
class Table:
    """A table as printed.

    Attributes:
        name: 'III'; 'text' for numbers that are in none.
        caption: what it shows.
        columns: names of the values.
        rows: values by row, None for an empty cell.
    """

    name: str
    caption: str
    columns: tuple[str, ...]
    rows: Mapping[str, tuple[float | None, ...]]

    def __post_init__(self) -> None:
        for row, values in self.rows.items():
            if len(values) != len(self.columns):
                raise ValueError(f"Table {self.name}: row {row!r} has {len(values)} values.")

    def __getitem__(self, cell: tuple[str, str]) -> float:
        """The value at (row, column)."""
        row, column = cell
        value = self.rows[row][self.columns.index(column)]
        if value is None:
            raise KeyError(cell)
        return value

    def column(self, name: str) -> dict[str, float]:
        """All values of a column by row, without empty cells."""
        position = self.columns.index(name)
        return {row: values[position] for row, values in self.rows.items() if values[position] is not None}  # type: ignore[misc]  # None is left out


@dataclass(frozen=True)
class Figure:
    """A figure of a paper, which the engine draws again from measured data.

    Attributes:
        name: '4'.
        shows: what kind of picture it is.
        system: name of the one system that it shows; empty for all.
    """

    name: str
    shows: Literal[
        "samples",
        "class_distribution",
        "augmented_samples",
        "accuracy_curve",
        "loss_curve",
        "confusion_matrix",
        "roc",
        "predictions",
        "heat_maps",
    ]
    system: str = ""


@dataclass(frozen=True)
class Check:
    """A printed number beside what arithmetic makes of it.

    Attributes:
        about: what the paper says the number is.
        where: the table or section that it is from.
        published: as printed.
        recompute: computes the number that follows from other printed numbers or from the network itself.
        tolerance: half a unit of the last printed digit, or what rounding of the inputs explains.
        because: how it is recomputed, and what a difference means.
        unit: of both numbers.
        decides: whether a difference contradicts the paper; otherwise the network here is another, as the paper
            doesn't print its own.
    """

    about: str
    where: str
    published: float
    recompute: Callable[[], float]
    because: str
    tolerance: float = 0.0
    unit: str = ""
    decides: bool = True

    @property
    def agrees(self) -> bool:
        """Whether arithmetic gives the printed number."""
        return abs(self.recompute() - self.published) <= self.tolerance


Cell = tuple[str, str, str]
"""A printed value: name of the table, row, column."""


@dataclass(frozen=True)
class Measured:
    """How a printed value is measured again.

    Attributes:
        system: name of the system that is measured.
        metric: a metric's name as in `lentigo.evaluation`, of the task that the system was trained for; or 'images'
            with the class after a dot; or 'seconds' of training, or 'milliseconds' of one image's inference.
        percent: whether the paper prints percent.
        saved_over: another system; the value is then by how much of that one's metric this one's is lower.
        variant: the compressed form of it that is measured in its place.
        note: what a reader must know.
    """

    system: str
    metric: str
    percent: bool = False
    saved_over: str = ""
    variant: str = ""
    note: str = ""


@dataclass(frozen=True, eq=False)
class Variant:
    """A system of a paper in a compressed form.

    Attributes:
        name: what the paper calls it.
        of: name of the system that it was made from.
        steps: of `lentigo.compression`, names or names with params; none for the system as it is exported.
        megabytes: as printed.
        same_footing: counts what the paper counted, in MiB; None where that is not counted but measured.
        counted: what that is, in words.
        accuracy: as printed.
    """

    name: str
    of: str
    steps: tuple[str | Mapping[str, object], ...]
    megabytes: float
    same_footing: Callable[[], float] | None
    counted: str
    accuracy: float


@dataclass(frozen=True)
class Study:
    """A published study.

    Attributes:
        id: short name.
        title, citation: of the paper.
        systems: its networks.
        protocols: names of its own ways to split, as lentigo reads them.
        honest: name of the protocol that asks the same question without a leak.
        tables, figures: what it printed.
        recomputed: what arithmetic makes of printed values.
        counted: which printed values are the data set's images of a diagnosis.
        measured: which printed values a run measures again.
        checks: what arithmetic reports for its numbers.
        variants: compressed forms of its networks, whose sizes are shown on one footing.
        remarks: contradictions that are not about a number.
    """

    id: str
    title: str
    citation: str
    systems: tuple[System, ...]
    protocols: tuple[str, ...]
    tables: tuple[Table, ...]
    figures: tuple[Figure, ...]
    checks: tuple[Check, ...]
    remarks: tuple[str, ...] = ()
    honest: str = "grouped"
    recomputed: Mapping[Cell, Callable[[], float]] = field(default_factory=dict)
    counted: Mapping[Cell, str] = field(default_factory=dict)
    measured: Mapping[Cell, Measured] = field(default_factory=dict)
    variants: tuple[Variant, ...] = ()

    def __post_init__(self) -> None:
        for table, row, column in (*self.recomputed, *self.counted, *self.measured):
            self.table(table)[row, column]
        for measured in self.measured.values():
            self.system(measured.system)
        for variant in self.variants:
            self.system(variant.of)

    def table(self, name: str) -> Table:
        """A table by its printed name.

        Raises:
            RunError: the paper has no such table.
        """
        for table in self.tables:
            if table.name == name:
                return table
        raise RunError(f"{self.id} has no table {name!r}.", f"Tables: {', '.join(t.name for t in self.tables)}.")

    def system(self, name: str) -> System:
        """A system by the paper's name for it.

        Raises:
            RunError: the paper has no such system.
        """
        for system in self.systems:
            if system.name == name:
                return system
        raise RunError(f"{self.id} has no system {name!r}.", f"Systems: {', '.join(s.name for s in self.systems)}.")

    @property
    def contradictions(self) -> tuple[Check, ...]:
        """Printed numbers that arithmetic doesn't bear out."""
        return tuple(check for check in self.checks if check.decides and not check.agrees)
