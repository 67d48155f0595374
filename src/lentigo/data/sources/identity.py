"""Whether images are those of a published data set: its layout alone, which anybody can copy, doesn't say so.

ISIC numbered the images of HAM10000 and of the challenge of 2018 in one run, so that their ids tell.

Sources: the id lists of HAM10000's metadata and of the ground truth of ISIC 2018 task 3.
"""

import re
from collections.abc import Iterable

from lentigo.data.sources.manifest import Manifest, find_manifest

__all__ = ["HAM10000_COUNTS", "is_ham10000", "is_isic", "is_isic2018", "published_in"]

HAM10000_IDS = range(24_306, 34_321)
"""Numbers of the 10,015 training images, without a gap."""
HAM10000_COUNTS = {"nv": 6705, "mel": 1113, "bkl": 1099, "bcc": 514, "akiec": 327, "vasc": 142, "df": 115}
"""Images of each diagnosis, for copies that have lost their ids."""
ISIC2018_IDS = range(24_306, 36_065)
"""Those, then the validation and the test images of the challenge's task 3."""

BCN20000_IDS = range(53_453, 73_255)
"""The part of ISIC 2019 that no other challenge has."""
MSK_IDS = range(16_073)
"""Its part from the first challenges, of which some images are in those of 2016 and 2017, too."""

_ID = re.compile(r"ISIC_(\d{7})(?:_downsampled)?")


def is_ham10000(ids: Iterable[str]) -> bool:
    """Whether image ids are all ids of HAM10000."""
    return _within(ids, HAM10000_IDS)


def is_isic2018(ids: Iterable[str]) -> bool:
    """Whether image ids are all in the range of ISIC 2018 task 3."""
    return _within(ids, ISIC2018_IDS)


def is_isic(ids: Iterable[str]) -> bool:
    """Whether image ids are all in the form of ISIC's archive."""
    return all(_ID.fullmatch(image_id) for image_id in ids)


def published_in(ids: Iterable[str]) -> Manifest | None:
    """The data set that image ids are all from, whoever copied its images: its licence and citation hold for them.

    HAM10000, or ISIC 2019 where some are of its part that only it has; None for all others.
    """
    known = list(ids)
    if is_ham10000(known):
        return find_manifest("ham10000")
    numbers = [int(match.group(1)) if (match := _ID.fullmatch(image_id)) else -1 for image_id in known]
    inside = all(any(n in part for part in (HAM10000_IDS, BCN20000_IDS, MSK_IDS)) for n in numbers)
    return find_manifest("isic2019") if inside and any(n in BCN20000_IDS for n in numbers) else None


def _within(ids: Iterable[str], numbers: range) -> bool:
    found = [_ID.fullmatch(image_id) for image_id in ids]
    return bool(found) and all(match is not None and int(match.group(1)) in numbers for match in found)
