"""Groups of images that must never be separated: connected components of lesions and duplicates."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from lentigo.data.records import Records
from lentigo.runtime.fingerprints import image_identity

__all__ = ["find_groups"]


def find_groups(records: Records, pairs: Iterable[tuple[str, str]] = ()) -> NDArray:
    """Name the group of each image: object array [N].

    Two images share a group when they show one lesion, when a pair in `pairs`, `known_pairs` or `links` joins them,
    when they are of one patient where the source knows its patients, when one is the other reduced by ISIC's archive,
    or when a chain of such links does. A group is named after the smallest lesion id in it. Pairs with
    an image that is not among the records are passed over.

    Args:
        records: the images.
        pairs: image ids that show the same lesion, such as near-duplicates found by the audit.
    """
    from scipy.sparse import coo_array  # only here: it takes a third of a second to import
    from scipy.sparse.csgraph import connected_components

    position = {image_id: i for i, image_id in enumerate(records.ids)}
    lesions, lesion_of = np.unique(records.table["lesion_id"].to_numpy(dtype=str), return_inverse=True)
    links = [
        (lesion_of[position[a]], lesion_of[position[b]])
        for a, b in [*pairs, *records.known_pairs, *records.links]
        if a in position and b in position
    ]
    # Each image is linked to the first one of its identity, and of its patient; without a patient to nothing.
    ids = records.table["image_id"]
    for same in (ids.map(image_identity), records.table.get("patient_id", ids)):
        first = ids.groupby(same).transform("first")
        links += [
            (lesion_of[position[a]], lesion_of[position[b]])
            for a, b in zip(ids, first, strict=True)
            if a != b and b in position
        ]
    left, right = np.array(links, dtype=np.int64).reshape(-1, 2).T
    graph = coo_array((np.ones(len(links)), (left, right)), shape=(len(lesions), len(lesions)))
    _, component = connected_components(graph, directed=False)
    # `lesions` is sorted, so the first lesion of a component is its smallest.
    _, first = np.unique(component, return_index=True)
    return lesions[first][component[lesion_of]].astype(object)
