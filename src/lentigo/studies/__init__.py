"""Published studies as data. A study knows what was printed and what arithmetic says of it."""

from types import MappingProxyType

from lentigo.studies import binary_melanoma, compressed_cnn, efficient_cnn, explainable_cnn
from lentigo.studies.study import Check, Figure, PublishedRecipe, Study, System, Table

__all__ = ["STUDIES", "Check", "Figure", "PublishedRecipe", "Study", "System", "Table"]

STUDIES = MappingProxyType(
    {module.STUDY.id: module.STUDY for module in (efficient_cnn, binary_melanoma, compressed_cnn, explainable_cnn)}
)
"""All studies by id."""
