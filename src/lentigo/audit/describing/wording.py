"""Numbers and lists as people write them."""

from collections.abc import Sequence

__all__ = ["count", "listed", "percent"]


def percent(share: float) -> str:
    """A share of 0 to 1 as '37 %', '0.6 %' where it is small, and never a rounded 0 % or 100 %; the space stays put."""
    if 0.995 <= share < 1:
        return f"{min(share, 0.999) * 100:.1f} %"
    if 0 < share < 0.0005:
        return "less than 0.1 %"
    return f"{share * 100:.1f} %" if 0 < share < 0.095 else f"{share * 100:.0f} %"


def count(number: int, noun: str) -> str:
    """'1 image' or '1,113 images'."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def listed(words: Sequence[str]) -> str:
    """'a', 'a and b', or 'a, b and c'."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
