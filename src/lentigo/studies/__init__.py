"""Published studies as data, and the engine that runs them again.

>>> from lentigo import studies
>>> studies.reproduce("compressed_cnn", "HAM10000/", "reproduced", budget="cpu")
"""

from lentigo.errors import MissingExtraError

try:
    from lentigo.studies.budgets import BUDGETS, Budget
    from lentigo.studies.engine import STUDIES, reproduce
    from lentigo.studies.search_spaces import SEARCH_SPACES, search_space
    from lentigo.studies.study import Check, Figure, Measured, PublishedRecipe, Study, System, Table, Variant
except (ModuleNotFoundError, MissingExtraError) as missing:  # the extra of what lies below may not be enough
    if isinstance(missing, ModuleNotFoundError) and (missing.name or "lentigo").startswith("lentigo"):
        raise
    raise MissingExtraError("lentigo.studies", "train") from missing

__all__ = [
    "BUDGETS",
    "SEARCH_SPACES",
    "STUDIES",
    "Budget",
    "Check",
    "Figure",
    "Measured",
    "PublishedRecipe",
    "Study",
    "System",
    "Table",
    "Variant",
    "reproduce",
    "search_space",
]
