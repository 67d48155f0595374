"""Numbers as papers' tables show them, and what the networks of these tables cost."""

from functools import cache

from lentigo.evaluation.cost import Cost, cost
from lentigo.evaluation.result import Estimate

__all__ = ["network_cost", "number", "printed", "shown_estimate"]


@cache
def network_cost(network: str, size: int | None = None, num_classes: int | None = None, **options: bool) -> Cost:
    """What a registered network costs, as `cost` counts it; counted once, for tables ask again and again."""
    return cost(network, size, num_classes, **options)


def number(value: float | None) -> str:
    """Whole numbers with commas, others with the significant digits; nothing for None."""
    if value is None:
        return ""
    if value == int(value) and abs(value) >= 10:
        return f"{int(value):,}"
    return f"{value:,.1f}" if abs(value) >= 10_000 else f"{value:.2f}" if abs(value) >= 10 else f"{value:.3f}"


def printed(value: float) -> str:
    """A published number with all the digits that it was printed with."""
    return f"{value:,.10g}"


def shown_estimate(value: Estimate | None) -> str:
    """A measured value with its interval, or why there is none."""
    if value is None or value.value is None:
        return "not run" if value is None else f"undefined ({value.note})"
    interval = "" if value.low is None else f" ({number(value.low)} to {number(value.high)})"
    return number(value.value) + interval
