"""What the flagships are to reach, and whether a measurement does."""

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["ALL", "GOALS", "Goal", "Measured", "judge"]

FOLDS = 3
"""Goals of accuracy are means over at least so many folds."""


@dataclass(frozen=True)
class Measured:
    """A figure with what it rests on.

    Attributes:
        value: None where it was not measured.
        text: as it is shown, or why there is no value.
        folds: that it is the mean of; None for figures of the file itself.
    """

    value: float | None
    text: str
    folds: int | None = None


@dataclass(frozen=True)
class Goal:
    """One figure and its bound.

    Attributes:
        key: of the figure.
        what: in words.
        bound: largest or smallest value; or the key of another figure that is the bound.
        most: whether the figure may be at most the bound, rather than at least.
        strict: whether it must lie beyond the bound.
    """

    key: str
    what: str
    bound: float | str
    most: bool = False
    strict: bool = False

    def limit(self, figures: Mapping[str, Measured]) -> float | None:
        """The bound as a number; None where it was not measured."""
        return figures[self.bound].value if isinstance(self.bound, str) else self.bound


def judge(goal: Goal, figures: Mapping[str, Measured]) -> str:
    """'held', 'not held', or why neither can be said."""
    found, limit = figures[goal.key], goal.limit(figures)
    if found.value is None:
        return "not measured"
    if limit is None:
        return "not measured: what it is to be compared with"
    gap = (limit - found.value) if goal.most else (found.value - limit)
    held = gap > 0 or (gap == 0 and not goal.strict)
    if found.folds is not None and found.folds < FOLDS:
        side = "reached" if held else "missed"
        return f"open: {side} on {found.folds} fold{'s' if found.folds > 1 else ''}, asked for of {FOLDS} at least"
    return "held" if held else "not held"


ACCURACY = "balanced accuracy, balanced prior"
AREA = "macro AUC, training prevalence"


def _accuracy(balanced: float, area: float) -> tuple[Goal, ...]:
    return (Goal("balanced_accuracy", ACCURACY, balanced), Goal("auc", AREA, area))


GOALS: Mapping[str, tuple[Goal, ...]] = {
    "lentigo-n": (Goal("bytes", "bytes on disk", 100_000, most=True), *_accuracy(0.70, 0.95)),
    "lentigo-s": (
        Goal("bytes", "bytes on disk", 390_000, most=True),
        Goal("macs", "MACs of the whole graph", 30_000_000, most=True),
        *_accuracy(0.76, 0.965),
        Goal("balanced_accuracy", "balanced accuracy of the reference on the same folds", "reference"),
    ),
    "lentigo-m": (Goal("bytes", "bytes on disk", 4_000_000, most=True), *_accuracy(0.82, 0.975)),
}
"""By model."""
ALL: tuple[Goal, ...] = (
    Goal("ece", "ECE, training prevalence", 0.03, most=True, strict=True),
    Goal("ece_balanced", "ECE, balanced prior", 0.03, most=True, strict=True),
    Goal("ood_auroc", "OOD: mean AUROC over kinds of wrong images, that of before", "ood_auroc_before"),
    Goal("ood_rejected", "OOD: mean share of wrong images not graded, that of before", "ood_rejected_before"),
    Goal("cast", "balanced accuracy lost to the strongest colour cast, half of before", "cast_half", most=True),
    Goal("blur", "balanced accuracy lost to the strongest blur, half of before", "blur_half", most=True),
    Goal(
        "behind",
        "groups over 8 points behind in melanoma sensitivity and not named on the first screen",
        0,
        most=True,
    ),
)
"""Of every model."""
