"""A data set described before any model sees it: numbers, figures, and one page that says what they teach.

>>> from lentigo import data
>>> from lentigo.data.describe import describe
>>> describe(data.read("HAM10000/"), "ham10000-described").page
"""

from lentigo.data.describe.appearance import Appearance
from lentigo.data.describe.description import Description, describe
from lentigo.data.describe.findings import Finding
from lentigo.data.describe.summary import Summary

__all__ = ["Appearance", "Description", "Finding", "Summary", "describe"]
