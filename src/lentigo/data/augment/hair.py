"""Hair, drawn over the lesion as it lies over many: dark, thin, curved strokes."""

import torch
from torch import Tensor

from lentigo.data.augment.base import Augmentation, Parameters, uniform

__all__ = ["AddHair"]


class AddHair(Augmentation):
    """y = (1 - a) x + a h: each hair is a quadratic Bezier curve that tapers to its tip, h its colour, a its cover.

    The cover is laid down by splatting points along the curve onto their four nearest pixels, each with the area of
    hair that it stands for, so hairs thinner than a pixel come out paler, as a camera shows them.

    Args:
        most: largest number of hairs on an image; 0 to `most` are each as likely.
        width: thinnest and thickest hair, as shares of the image's shorter side.
    """

    def __init__(self, most: int = 12, width: tuple[float, float] = (0.004, 0.012)) -> None:
        self.most, self.width = most, width

    def draw(self, count: int, generator: torch.Generator) -> Parameters:
        """What hair lies on each of N images, at most K = `most`; places are shares of the sides, x before y.

        present [N, K], bool; points [N, K, 3, 2], the curve's control points, ends possibly outside the image; width
        [N, K] at the root; colour [N, 3], black to brown, one for all hairs of an image.
        """
        shape = (count, self.most)
        present = torch.arange(self.most) < torch.randint(self.most + 1, (count, 1), generator=generator)
        middle = torch.rand(*shape, 2, generator=generator)
        # Hairs of one patch of skin grow roughly one way.
        angle = uniform(-torch.pi, torch.pi, (count, 1), generator) + 0.6 * torch.randn(*shape, generator=generator)
        along = torch.stack([angle.cos(), angle.sin()], dim=-1) * uniform(0.15, 0.6, (*shape, 1), generator)
        across = torch.stack([-along[..., 1], along[..., 0]], dim=-1) * uniform(-0.7, 0.7, (*shape, 1), generator)
        return {
            "present": present,
            "points": torch.stack([middle - along, middle + across, middle + along], dim=2),
            "width": uniform(*self.width, shape, generator),
            "colour": uniform(0.03, 0.3, (count, 1), generator) * torch.tensor([1.0, 0.75, 0.6]),
        }

    def apply(self, images: Tensor, parameters: Parameters) -> Tensor:
        """Lay the hairs over each image."""
        cover = _cover(parameters, images.shape[2], images.shape[3]).to(images.dtype)
        colour = parameters["colour"][:, :, None, None].to(images.dtype)
        return torch.lerp(images, colour.expand_as(images), cover[:, None]).clamp_(0, 1)


def _cover(parameters: Parameters, height: int, width: int) -> Tensor:
    """How much of each pixel is hair: [N, H, W], 0 to 1."""
    scale = torch.tensor([width, height], device=parameters["points"].device)
    start, control, end = (parameters["points"] * scale)[:, :, :, None].unbind(2)
    thick = parameters["width"][:, :, None] * min(height, width)
    lanes = max(1, int(thick.max().ceil())) if thick.numel() else 1
    # Two points a pixel along a hair as long as the image leave no gaps.
    t = torch.linspace(0, 1, 2 * max(height, width), device=scale.device)[:, None]
    place = (1 - t) ** 2 * start + 2 * t * (1 - t) * control + t**2 * end
    speed = 2 * (1 - t) * (control - start) + 2 * t * (end - control)
    length = speed.norm(dim=-1)
    normal = torch.stack([-speed[..., 1], speed[..., 0]], dim=-1) / length.clamp_min(1e-6)[..., None]
    tapered = thick * (1 - 0.7 * t[:, 0]) * parameters["present"][:, :, None]
    area = length / len(t) * tapered / lanes
    cover = area.new_zeros(len(area), height * width)
    for lane in range(lanes):
        offset = ((lane + 0.5) / lanes - 0.5) * tapered
        _splat(cover, place + normal * offset[..., None], area, width, height)
    return cover.clamp_(max=1).view(-1, height, width)


def _splat(cover: Tensor, place: Tensor, area: Tensor, width: int, height: int) -> None:
    """Add each point's area to its four nearest pixels; the cover is [N, H W], places are [N, K, T, 2] in pixels."""
    corner = (place - 0.5).floor()
    part = place - 0.5 - corner
    for x in (0, 1):
        for y in (0, 1):
            column, row = corner[..., 0] + x, corner[..., 1] + y
            inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
            near = (part[..., 0] - 1 + x).abs() * (part[..., 1] - 1 + y).abs()
            index = torch.where(inside, row * width + column, 0).long()
            cover.scatter_add_(1, index.flatten(1), (area * near * inside).flatten(1))
