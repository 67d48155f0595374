"""What captum computes: gradients with respect to the pixels, and linear models of what superpixels do.

Gradients are of the logit, with respect to grey levels; LIME and SHAP explain the probability. Everything random is
drawn from a seed, and torch's own generator is left as it was.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lentigo.errors import DataError, needs_extra
from lentigo.explanation.methods.registry import register

__all__ = ["integrated_gradients", "lime", "saliency", "shap", "smooth_grad"]

_BATCH = 16


@register("network")
def saliency(model: Any, image: NDArray[np.uint8], target: int) -> NDArray[np.float32]:
    """Saliency (Simonyan et al., ICLR workshops 2014): the largest absolute gradient of the three channels."""
    attr = _captum("saliency")
    return _largest(attr.Saliency(_logit(model, target)).attribute(model.input(image).requires_grad_(), abs=True))


@register("network")
def smooth_grad(
    model: Any, image: NDArray[np.uint8], target: int, *, samples: int = 16, noise: float = 0.1, seed: int = 0
) -> NDArray[np.float32]:
    """SmoothGrad (Smilkov et al., 2017): the gradient, averaged over noisy copies; noise in shares of 255 levels."""
    attr = _captum("smooth_grad")
    _at_least_one(samples=samples)
    with _drawn_from(seed):
        found = attr.NoiseTunnel(attr.Saliency(_logit(model, target))).attribute(
            model.input(image).requires_grad_(),
            nt_type="smoothgrad",
            nt_samples=samples,
            nt_samples_batch_size=_BATCH,
            stdevs=255 * noise,
            abs=False,
        )
    return _largest(found.abs())


@register("network")
def integrated_gradients(model: Any, image: NDArray[np.uint8], target: int, *, steps: int = 32) -> NDArray[np.float32]:
    """Integrated Gradients (Sundararajan et al., ICML 2017) from the mean colour; sums to what the logit gains."""
    attr = _captum("integrated_gradients")
    _at_least_one(steps=steps)
    x = model.input(image)
    found = attr.IntegratedGradients(_logit(model, target)).attribute(
        x, baselines=_mean_colour(x), n_steps=steps, internal_batch_size=_BATCH
    )
    return found[0].sum(0).detach().numpy()


@register("network")
def lime(
    model: Any, image: NDArray[np.uint8], target: int, *, samples: int = 200, segments: int = 40, seed: int = 0
) -> NDArray[np.float32]:
    """LIME (Ribeiro et al., KDD 2016): a ridge regression of the probability on which superpixels are shown."""
    attr = _captum("lime")
    _at_least_one(samples=samples, segments=segments)
    from captum._utils.models.linear_model import SkLearnRidge

    x = model.input(image)
    with _drawn_from(seed):
        found = attr.Lime(
            _probability(model, target), interpretable_model=SkLearnRidge(alpha=1.0), similarity_func=_nearness
        ).attribute(
            x,
            baselines=_mean_colour(x),
            feature_mask=_superpixels(x, segments),
            n_samples=samples,
            perturbations_per_eval=_BATCH,
        )
    return found[0, 0].detach().numpy()


@register("network")
def shap(
    model: Any, image: NDArray[np.uint8], target: int, *, samples: int = 200, segments: int = 40, seed: int = 0
) -> NDArray[np.float32]:
    """Kernel SHAP (Lundberg and Lee, NeurIPS 2017): Shapley values of superpixels for the probability."""
    attr = _captum("shap")
    _at_least_one(samples=samples, segments=segments)
    x = model.input(image)
    with _drawn_from(seed):
        found = attr.KernelShap(_probability(model, target)).attribute(
            x,
            baselines=_mean_colour(x),
            feature_mask=_superpixels(x, segments),
            n_samples=samples,
            perturbations_per_eval=_BATCH,
        )
    return found[0, 0].detach().numpy()


def _captum(method: str) -> Any:
    with needs_extra(f"The method {method}", "explain"):
        import skimage  # noqa: F401  # of the same extra; superpixels need it
        from captum import attr
    return attr


def _logit(model: Any, target: int) -> Any:
    return lambda x: model.score(x, target)


def _probability(model: Any, target: int) -> Any:
    import torch

    def probability(x: Any) -> Any:
        with torch.no_grad():
            return model.module.logits(x).logits.softmax(1)[:, target]

    return probability


def _mean_colour(x: Any) -> Any:
    return x.mean((2, 3), keepdim=True).expand_as(x).contiguous()


def _largest(found: Any) -> NDArray[np.float32]:
    """The largest of the three channels."""
    return found[0].amax(0).detach().numpy()


def _superpixels(x: Any, segments: int) -> Any:
    """About so many superpixels (SLIC), numbers from 0 [1, 1, S, S]; of a blank image a grid."""
    import torch
    from skimage.segmentation import slic

    square = x[0].permute(1, 2, 0).numpy().round().astype(np.uint8)
    found = slic(square, n_segments=segments, compactness=10, start_label=0)
    _, numbered = np.unique(found, return_inverse=True)
    return torch.from_numpy(numbered.reshape(found.shape)).long()[None, None]


def _nearness(_original: Any, _perturbed: Any, shown: Any, **_: Any) -> Any:
    """LIME's weight of a sample: an exponential kernel of width 0.25 on the cosine distance from all being shown."""
    import torch

    return torch.exp(-((1 - shown.float().mean().sqrt()) ** 2) / 0.25**2).sqrt()


def _at_least_one(**values: int) -> None:
    for name, value in values.items():
        if value < 1:
            raise DataError(f"{name}={value} gives no map.", f"Use at least one of the {name}.")


@contextmanager
def _drawn_from(seed: int) -> Iterator[None]:
    """All chance inside comes from a seed; torch's and numpy's generators are as before afterwards."""
    import torch

    state = np.random.get_state()  # noqa: NPY002  # what captum draws from
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            np.random.seed(seed)  # noqa: NPY002
            yield
    finally:
        np.random.set_state(state)  # noqa: NPY002
