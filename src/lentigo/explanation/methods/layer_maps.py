"""Grad-CAM and its kin: maps of the last layer, weighed by what they mean for the answer.

A layer's maps are A [C, h, w], and G is the gradient of the diagnosis' logit with respect to them. Of a network that is
averaged over mirror images, the maps of all mirror images are mirrored back and averaged.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lentigo.explanation.methods.registry import register

__all__ = ["grad_cam", "grad_cam_pp", "layer_cam", "score_cam"]


@register("network")
def grad_cam(model: Any, image: NDArray[np.uint8], target: int, *, layer: str | None = None) -> NDArray[np.float32]:
    """Grad-CAM (Selvaraju et al., ICCV 2017): maps weighed by their mean gradients."""
    maps, gradients = _maps_and_gradients(model, image, target, layer)
    return _merged(model, (gradients.mean((2, 3), keepdim=True) * maps).sum(1))


@register("network")
def grad_cam_pp(model: Any, image: NDArray[np.uint8], target: int, *, layer: str | None = None) -> NDArray[np.float32]:
    """Grad-CAM++ (Chattopadhay et al., WACV 2018): positive gradients weighed so that several places count alike."""
    maps, gradients = _maps_and_gradients(model, image, target, layer)
    squared = gradients**2
    below = 2 * squared + maps.sum((2, 3), keepdim=True) * gradients**3
    alpha = squared / below.where(below != 0, below.new_ones(()))
    weights = (alpha * gradients.relu()).sum((2, 3), keepdim=True)
    return _merged(model, (weights * maps).sum(1))


@register("network")
def layer_cam(model: Any, image: NDArray[np.uint8], target: int, *, layer: str | None = None) -> NDArray[np.float32]:
    """LayerCAM (Jiang et al., IEEE TIP 2021): each position of the maps weighed by its own positive gradient."""
    maps, gradients = _maps_and_gradients(model, image, target, layer)
    return _merged(model, (gradients.relu() * maps).sum(1))


@register("network")
def score_cam(model: Any, image: NDArray[np.uint8], target: int, *, layer: str | None = None) -> NDArray[np.float32]:
    """Score-CAM (Wang et al., CVPR workshops 2020): maps weighed by the answer when only what they show is seen.

    Each map, enlarged and scaled to 0 to 1, shows its part of the square over the mean colour; the weights are the
    softmax of the rise of the probability over the mean colour alone.
    """
    import torch
    from torch.nn import functional as F

    maps, _ = _maps_and_gradients(model, image, target, layer)
    x = model.input(image)
    fill = x.mean((2, 3), keepdim=True)
    with torch.no_grad():
        base = model.plain.logits(fill.expand_as(x)).logits.softmax(1)[0, target]
        rows = []
        for own, dims in zip(maps, model.mirrors, strict=True):
            shown = F.interpolate(own[:, None], x.shape[2:], mode="bilinear", align_corners=False)
            low, high = shown.amin((2, 3), keepdim=True), shown.amax((2, 3), keepdim=True)
            masks = (shown - low) / (high - low).clamp(min=1e-12)
            view = x.flip(dims)
            answers = torch.cat(
                [
                    model.plain.logits(fill + (view - fill) * part).logits.softmax(1)[:, target]
                    for part in masks.split(32)
                ]
            )
            rows.append(((answers - base).softmax(0)[:, None, None] * own).sum(0))
    return _merged(model, torch.stack(rows))


def _maps_and_gradients(model: Any, image: NDArray[np.uint8], target: int, layer: str | None) -> tuple[Any, Any]:
    """Maps and gradients [M, C, h, w] of the layer, for each of the M mirror images that the answer averages."""
    import torch

    from lentigo.errors import RunError
    from lentigo.explanation.layers import as_maps, find_layer, recorded

    x = model.input(image)
    views = torch.cat([x.flip(dims) for dims in model.mirrors])
    if layer is None:
        layer = find_layer(model.network, (views[:1] - model.plain.mean) / model.plain.std)
    with torch.enable_grad(), recorded(model.network, layer) as outputs:
        scores = model.score(views.requires_grad_(), target, plain=True)
        maps = as_maps(outputs[-1], model.network) if outputs else None
        if maps is None:
            raise RunError(f"The layer {layer!r} has no spatial maps.", "Leave it out to have one found.")
        gradients = torch.autograd.grad(scores.sum(), outputs[-1], allow_unused=True)[0]
    gradients = torch.zeros_like(outputs[-1]) if gradients is None else gradients
    return maps.detach(), as_maps(gradients, model.network)


def _merged(model: Any, maps: Any) -> NDArray[np.float32]:
    """The positive part of the mean over mirror images, from maps [M, h, w]."""
    import torch

    back = [own[None, None].flip(dims)[0, 0] for own, dims in zip(maps, model.mirrors, strict=True)]
    return torch.stack(back).mean(0).relu().detach().cpu().numpy()
