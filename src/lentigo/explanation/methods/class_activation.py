"""Class-activation maps, which models with a pooled linear head give with their answers."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lentigo.errors import BundleError
from lentigo.explanation.methods.registry import register

__all__ = ["cam"]


@register("maps")
def cam(model: Any, image: NDArray[np.uint8], target: int) -> NDArray[np.float32]:
    """Class-activation map (Zhou et al., CVPR 2016): its mean plus a constant is the diagnosis' logit."""
    found = model.predict(image[None]).cam
    if found is None:
        raise BundleError(
            f"{model.name} has no class-activation maps.",
            "Use occlusion or rise, or a model with a pooled linear head.",
        )
    return found[0, target]
