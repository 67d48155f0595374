"""explain(image, method, target): any method on any model, one result."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lentigo.errors import ImageError
from lentigo.explanation.methods import find_method
from lentigo.explanation.opening import check_fits, open_model
from lentigo.explanation.result import Explanation
from lentigo.runtime.gradability import rejection_reasons
from lentigo.runtime.heat import central
from lentigo.runtime.images import ImageSource
from lentigo.runtime.predictor import Outputs
from lentigo.runtime.sources import name_of, read_source
from lentigo.runtime.verdict import Verdict

__all__ = ["explain", "of_verdict"]


def explain(
    image: ImageSource,
    method: str = "cam",
    target: str | None = None,
    *,
    model: Any = None,
    ungradable: bool = False,
    **parameters: Any,
) -> Explanation:
    """Explain a model's answer for one image.

    Args:
        image: a path, the bytes of a file, an open file, a Pillow image, or an array uint8 [H, W, 3].
        method: name of one of `METHODS`.
        target: id or name of the diagnosis; None is the most probable one at balanced prior.
        model: as for `open_model`; None is the default model.
        ungradable: explain images that are not gradable too, for research: their maps say nothing of a lesion.
        parameters: of the method.

    Raises:
        ImageError: the image can't be read, is a picture drawn by lentigo, or is not gradable.
        BundleError: unknown model, or one without what the method needs.
        RunError: not a finished run, no layer with spatial maps, or a method that looks inside a bundle.
        DataError: no such method, parameter or diagnosis.
        MissingExtraError: the method needs torch or captum.
    """
    found = find_method(method)
    settings = found.settings(parameters)
    opened = open_model(model)
    check_fits(found, opened)
    label = None if target is None else opened.labels.find(target)
    name, (_, pixels) = name_of(image), read_source(image)
    outputs = opened.predict(pixels[None])
    if not ungradable:
        _refuse_ungradable(opened, pixels, outputs, name)
    k = int(outputs.probabilities[0].argmax()) if label is None else opened.labels.classes.index(label.id)
    if method == "cam" and outputs.cam is not None:
        values = outputs.cam[0, k]  # it came with the answer
    else:
        values = found.function(opened, pixels, k, **settings)
    return _explanation(opened, name, pixels, k, method, settings, values)


def of_verdict(verdict: Verdict, target: str | None = None) -> Explanation:
    """The class-activation map of any diagnosis from a verdict, which already has all of them: no further prediction.

    Args:
        verdict: on a gradable image.
        target: id or name of the diagnosis; None is the most probable one.

    Raises:
        ImageError: the image is not gradable.
        BundleError: the model has no class-activation maps.
        DataError: not a diagnosis of this model.
    """
    values, chosen = verdict.evidence(target), verdict.chosen(target)
    height, width = verdict.shape
    return Explanation(
        map=values,
        target=chosen,
        method="cam",
        parameters={},
        size=(height, width),
        square=central(width, height),
        source=verdict.source,
        model=verdict.model,
        model_sha256=verdict.model_sha256,
        name=verdict.name(chosen),
    )


def _explanation(
    model: Any,
    source: str,
    pixels: NDArray[np.uint8],
    k: int,
    method: str,
    settings: dict[str, Any],
    values: NDArray[np.float32],
) -> Explanation:
    height, width = pixels.shape[:2]
    label = model.labels.labels[k]
    return Explanation(
        map=values,
        target=label.id,
        method=method,
        parameters=settings,
        size=(height, width),
        square=central(width, height),
        source=source,
        model=model.name,
        model_sha256=model.sha256,
        name=label.name,
    )


def _refuse_ungradable(model: Any, pixels: NDArray[np.uint8], outputs: Outputs, name: str) -> None:
    """As a verdict has no heat map of such an image."""
    limit = getattr(getattr(model, "metadata", None), "ood_score", None)
    reasons = rejection_reasons(
        pixels,
        outputs.probabilities[0],
        None if outputs.ood_score is None else float(outputs.ood_score[0]),
        size=model.size,
        ood_threshold=None if limit is None else limit.threshold,
    )
    if reasons:
        raise ImageError(
            f"{name}: not gradable, so it has no explanation ({'; '.join(reasons)}).", "Take another image."
        )
