"""Named ways to split a data set into training, validation and test. The leaky ones say so in their names.

One file a family. To add one: write a maker as `base.Protocol` describes it, and list it here.
"""

from types import MappingProxyType

from lentigo.data.protocols.balanced import BALANCED_SUBSET, BALANCED_SUBSET_LEAKY
from lentigo.data.protocols.base import FOLDS, VALIDATION_SHARE, Protocol
from lentigo.data.protocols.dermamnist import DERMAMNIST_CORRECTED, DERMAMNIST_OFFICIAL_LEAKY
from lentigo.data.protocols.external import EXTERNAL
from lentigo.data.protocols.folds import GROUPED, IMAGE_LEVEL_LEAKY
from lentigo.data.protocols.oversampled import OVERSAMPLED_THEN_SPLIT_LEAKY

__all__ = ["FOLDS", "PROTOCOLS", "VALIDATION_SHARE", "Protocol"]

PROTOCOLS = MappingProxyType(
    {
        "grouped": GROUPED,
        "image_level_leaky": IMAGE_LEVEL_LEAKY,
        "oversampled_then_split_leaky": OVERSAMPLED_THEN_SPLIT_LEAKY,
        "balanced_subset": BALANCED_SUBSET,
        "balanced_subset_leaky": BALANCED_SUBSET_LEAKY,
        "dermamnist_official_leaky": DERMAMNIST_OFFICIAL_LEAKY,
        "dermamnist_corrected": DERMAMNIST_CORRECTED,
        "external": EXTERNAL,
    }
)
"""Every protocol by the name that `split` takes."""
