"""Random seeds."""

from lentigo.errors import DataError

__all__ = ["check_seed"]


def check_seed(seed: int) -> None:
    """Refuse a seed that scikit-learn and NumPy don't take.

    Raises:
        DataError: it is below 0, or has more than 32 bits.
    """
    if not 0 <= seed < 2**32:
        raise DataError(f"Seed {seed} is out of range.", "Seeds are 0 to 4,294,967,295.")
