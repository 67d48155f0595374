"""Architectures. They know no data: pixels in, logits out."""

from lentigo.models import compact as _compact  # noqa: F401  importing a family registers it
from lentigo.models.registry import build, describe, names, register

__all__ = ["build", "describe", "names", "register"]
