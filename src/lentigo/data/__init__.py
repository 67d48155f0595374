"""Records, pixels and splits, independent of any model.

>>> from lentigo import data
>>> records = data.read("HAM10000/")
>>> fold = data.split(records, "grouped", fold=0)
>>> more = data.read(["HAM10000/", "ISIC2019/"])  # the first is split, the second only adds to the training part
"""

from lentigo.errors import needs_extra

with needs_extra("lentigo.data", "data"):
    from lentigo.data.fetch import fetch
    from lentigo.data.groups import find_groups
    from lentigo.data.pairs import Pairs, read_pairs
    from lentigo.data.pixels import Pixels, load_pixels
    from lentigo.data.protocols import PROTOCOLS
    from lentigo.data.reading import LabelMap, Root, read
    from lentigo.data.records import COLUMNS, Problem, Records, Source
    from lentigo.data.sources import Labels
    from lentigo.data.sources.packed import pack
    from lentigo.data.splits import Split, freeze, load_split, split, write_split

__all__ = [
    "COLUMNS",
    "PROTOCOLS",
    "LabelMap",
    "Labels",
    "Pairs",
    "Pixels",
    "Problem",
    "Records",
    "Root",
    "Source",
    "Split",
    "fetch",
    "find_groups",
    "freeze",
    "load_pixels",
    "load_split",
    "pack",
    "read",
    "read_pairs",
    "split",
    "write_split",
]
