"""Published studies as data, and the engine that runs them again.

>>> from lentigo import studies
>>> studies.reproduce("compressed_cnn", "HAM10000/", "reproduced", budget="cpu")
"""

from lentigo.errors import needs_extra

with needs_extra("lentigo.studies", "train"):
    from lentigo.studies.budgets import BUDGETS, Budget
    from lentigo.studies.engine import STUDIES, reproduce
    from lentigo.studies.search_spaces import SEARCH_SPACES, search_space
    from lentigo.studies.study import Check, Figure, Measured, PublishedRecipe, Study, System, Table, Variant

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
