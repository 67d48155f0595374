"""Numbers in plain words."""

from lentigo.evaluation.result import Estimate

__all__ = ["in_brackets", "natural_frequency", "number", "plural", "points", "versus"]


def natural_frequency(estimate: Estimate, *, complement: bool = False) -> str:
    """A share as a count of a hundred with its interval: '73 (64 to 80)'; or why there is none.

    Args:
        estimate: a share.
        complement: count the others instead.
    """
    if estimate.value is None:
        return f"an unknown number ({estimate.note})"
    value, low, high = (None if v is None else 100 * v for v in (estimate.value, estimate.low, estimate.high))
    if complement:
        value, low, high = 100 - (value or 0), None if high is None else 100 - high, None if low is None else 100 - low
    if low is None or high is None:
        return _round(value or 0) + (f" ({estimate.note})" if estimate.note else "")
    return f"{_round(value or 0)} ({_round(low)} to {_round(high)})"


def in_brackets(estimate: Estimate, *, complement: bool = False) -> str:
    """The same as `natural_frequency`, to be put beside a count: '(73 of 100; 64 to 80)'."""
    value, _, interval = natural_frequency(estimate, complement=complement).partition(" (")
    if estimate.value is None:
        return f"({value} ({interval}"
    interval = interval.removesuffix(")")
    return f"({value} of 100; {interval})" if interval else f"({value} of 100)"


def _round(value: float) -> str:
    """To whole numbers, but nothing short of all is called all, and nothing above none is called none."""
    whole = f"{value:.0f}"
    if whole == "100" and value < 100:
        return f"{min(value, 99.9):.1f}"
    return f"{max(value, 0.1):.1f}" if whole in ("0", "-0") and value > 0 else whole


def points(estimate: Estimate) -> str:
    """A share as percentage points with its interval: '7.5 percentage points (0.0 to 9.6)'."""
    if estimate.value is None:
        return f"an unknown amount ({estimate.note})"
    interval = "" if estimate.low is None or estimate.high is None else f" ({estimate.low:.1%} to {estimate.high:.1%})"
    return f"{100 * estimate.value:.1f} percentage points{interval.replace('%', '')}"


def number(estimate: Estimate) -> str:
    """As in a table's cell: the value and its interval, or a dash and why."""
    if estimate.value is None:
        return f"– ({estimate.note})"
    return str(estimate)


def versus(estimate: Estimate, baseline: float) -> str:
    """How a share compares with a fixed one, as far as its interval tells."""
    if estimate.value is None or estimate.low is None or estimate.high is None:
        return "not comparable without an interval"
    if estimate.low > baseline:
        return "better"
    return "worse" if estimate.high < baseline else "not distinguishable on these images"


def plural(name: str) -> str:
    """More than one of a diagnosis: 'melanomas', 'nevi', 'malignant lesions'."""
    if name.endswith("nevus"):
        return f"{name[:-2]}i"
    if name.endswith(("lesion", "oma", "keratosis")):
        return f"{name[:-2]}es" if name.endswith("sis") else f"{name}s"
    return f"{name} lesions"
