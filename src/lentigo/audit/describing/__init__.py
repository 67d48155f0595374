"""A data set described before any model sees it: numbers, figures, and one page that says what they teach.

>>> from lentigo import audit, data
>>> audit.describe(data.read("HAM10000/"), "ham10000-described").page
"""

from lentigo.audit.describing.appearance import Appearance
from lentigo.audit.describing.description import Description
from lentigo.audit.describing.findings import Finding
from lentigo.audit.describing.making import describe
from lentigo.audit.describing.summary import Summary

__all__ = ["Appearance", "Description", "Finding", "Summary", "describe"]
