"""Is the map on the lesion? `Explanation.on_lesion` gives the share of it, the energy-based pointing game.

Agreement with a mask is no proof that a map is right: a model may look elsewhere, and a faithful map shows it.
"""

import numpy as np
from numpy.typing import NDArray

from lentigo.explanation.result import Explanation

__all__ = ["pointing_game"]


def pointing_game(explanation: Explanation, mask: NDArray) -> bool | None:
    """Whether the strongest point of the map is on the lesion (Zhang et al., IJCV 2018); None if the map is empty.

    Args:
        explanation: of the image.
        mask: where the lesion is, [H, W] of the image.

    Raises:
        DataError: a mask of another size than the image, or an empty one.
    """
    explanation.on_lesion(mask)  # refuses masks that do not fit
    if explanation.empty:
        return None
    return bool((np.asarray(mask) > 0).flat[explanation.heat().argmax()])
