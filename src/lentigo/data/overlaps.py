"""Which public data sets are made of the same images, whatever they call them: measured on its own images in another
wrapping a model looks better than it is.

Sources: Tschandl, Rosendahl, Kittler, Scientific Data 5:180161, 2018 (HAM10000 is the training part of ISIC 2018);
Yang et al., Scientific Data 10:41, 2023 (DermaMNIST is HAM10000, reduced); Abhishek, Jain, Hamarneh, Scientific Data
12:196, 2025 (its corrected version, and the extended one with the validation and test images of ISIC 2018); Combalia et
al., arXiv:1908.02288, 2019 (ISIC 2019 is HAM10000, BCN20000 and MSK); Cassidy et al., Medical Image Analysis 75:102305,
2022 (duplicates within and between the ISIC challenges of 2016 to 2020, which no table here lists one by one).
"""

from types import MappingProxyType

from lentigo.data.records import Records
from lentigo.errors import LeakError

__all__ = ["numbered_by_row", "refuse_renumbered", "shared_images"]

_HAM10000 = "HAM10000"
_ISIC2018_VALIDATION = "the validation images of ISIC 2018"
_ISIC2018_TEST = "the test images of ISIC 2018"

PARTS = MappingProxyType(
    {
        "ham10000": frozenset({_HAM10000}),
        "isic2018": frozenset({_HAM10000, _ISIC2018_VALIDATION, _ISIC2018_TEST}),
        "isic2018_test": frozenset({_ISIC2018_TEST}),
        "isic2019": frozenset({_HAM10000, "BCN20000", "MSK"}),
        "pixel_csv": frozenset({_HAM10000}),
        "dermamnist": frozenset({_HAM10000}),
        "dermamnist_c": frozenset({_HAM10000}),
        "dermamnist_e": frozenset({_HAM10000, _ISIC2018_VALIDATION, _ISIC2018_TEST}),
    }
)
"""What the data sets that lentigo knows by name are made of."""
ARRAYS = frozenset({"pixel_csv", "dermamnist", "dermamnist_c", "dermamnist_e"})
"""Those of them that number their images by row, unless a table of ids lies beside them."""


def shared_images(first: str, second: str) -> tuple[str, ...]:
    """What two data sets, by `Records.name`, have in common: names of the collections, sorted; () for none known.

    Variants such as 'dermamnist_224' are their data set at another size; 'one+other' are several read as one.
    """
    return tuple(sorted(_parts(first) & _parts(second)))


def numbered_by_row(records: Records) -> bool:
    """Whether images bear their row's number alone, as in a bare array: such ids say nothing of what they are."""
    return records.pixels is not None and all(str(i).startswith(f"{records.root.stem}_") for i in records.ids)


def refuse_renumbered(
    model: str, trained_on: str, records: Records, *, comparable: bool, instead: str
) -> tuple[str, ...]:
    """Stop where a model is known to have learned from these images, but under ids that can't be compared.

    Args:
        model: its name.
        trained_on: `Records.name` of the data set that it learned from.
        records: the images that it must not have seen.
        comparable: whether it knows one of their ids at all, from whatever part of its data set.
        instead: what to do then, as sentences.

    Returns:
        What both are made of, as `shared_images`.

    Raises:
        LeakError: they share images, and one of them numbers its images by row.
    """
    shared = shared_images(trained_on, records.name)
    numbered = numbered_by_row(records)
    if shared and not comparable and (numbered or any(_plain(name) in ARRAYS for name in trained_on.split("+"))):
        raise LeakError(
            f"{records.root}: {records.name} contains images of {' and '.join(shared)}, which {model} was trained on "
            f"({trained_on}), {'' if numbered else 'there '}under numbers instead of their ids: which of them it has "
            "seen is unknown.",
            f"Put the table of ids beside {'it' if numbered else 'that data set, and train again'}. {instead}",
        )
    return shared


def _plain(name: str) -> str:
    """A data set's name without the size of a variant."""
    return name.rstrip("0123456789").rstrip("_") if name not in PARTS else name


def _parts(name: str) -> frozenset[str]:
    if "+" in name:
        return frozenset().union(*map(_parts, name.split("+")))
    return PARTS.get(_plain(name), frozenset())
