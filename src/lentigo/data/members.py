"""What a part of a split consists of, as ids that travel with a model."""

from lentigo.data.records import Records
from lentigo.runtime.fingerprints import IdSet

__all__ = ["part_ids"]


def part_ids(records: Records) -> IdSet:
    """The image and lesion ids of a part of a split."""
    return IdSet.of(dict.fromkeys([*records.ids, *records.table["lesion_id"].dropna()]))
