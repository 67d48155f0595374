"""The diagnoses of a data set or a model as values: label sets, and explicit mappings between them.

>>> from lentigo import labels
>>> labels.HAM10000.classes
('akiec', 'bcc', 'bkl', 'df', 'mel', 'nv', 'vasc')
>>> labels.find_mapping("ham10000", labels.ISIC2019).target("AK")
'akiec'
"""

from lentigo.labels.files import read_label_set, read_mapping
from lentigo.labels.known import BINARY, HAM10000, ISIC2019, KNOWN, PAD_UFES_20, find_label_set
from lentigo.labels.label_set import Label, LabelSet
from lentigo.labels.mapping import LabelMapping, find_mapping

__all__ = [
    "BINARY",
    "HAM10000",
    "ISIC2019",
    "KNOWN",
    "PAD_UFES_20",
    "Label",
    "LabelMapping",
    "LabelSet",
    "find_label_set",
    "find_mapping",
    "read_label_set",
    "read_mapping",
]
