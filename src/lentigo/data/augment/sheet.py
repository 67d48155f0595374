"""A contact sheet of every augmentation applied to a lesion, to inspect before training."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from lentigo.data.augment.base import Augmentation
from lentigo.data.augment.colour import Brightness, ChannelJitter, Contrast, ShadesOfGrey, WhiteBalanceShift
from lentigo.data.augment.degradation import GaussianBlur, RandomErasing
from lentigo.data.augment.geometry import RandomAffine, RandomFlip, RandomResizedCrop, RandomRot90
from lentigo.data.augment.hair import AddHair, RemoveHair
from lentigo.data.augment.mixing import CutMix, Mixing, MixUp
from lentigo.data.augment.randaugment import RandAugment
from lentigo.data.outputs import output_folder, refuse_inputs
from lentigo.data.records import Records, none_readable
from lentigo.data.seeds import check_seed
from lentigo.errors import DataError, ImageError, OutputError
from lentigo.runtime.images import ImageSource, decode

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["sheet", "sheet_of"]

COLUMNS = 6

Pictures = list[tuple[str, Tensor]]
"""Captions and images [3, S, S] of one row."""

# Stronger than the defaults where those are hard to see.
RANDOM: dict[str, Augmentation] = {
    "flips": RandomFlip(),
    "quarter turns": RandomRot90(),
    "rotation": RandomAffine(zoom=(1, 1), shift=0, mirror=False),
    "translation": RandomAffine(rotation=0, zoom=(1, 1), shift=0.2, mirror=False),
    "zoom": RandomAffine(rotation=0, zoom=(0.7, 1.5), shift=0, mirror=False),
    "zoom and crop": RandomResizedCrop(area=(0.3, 1)),
    "brightness": Brightness(0.4),
    "contrast": Contrast(0.5),
    "channel jitter": ChannelJitter(0.15),
    "white-balance shift": WhiteBalanceShift(0.3),
    "defocus": GaussianBlur((0.01, 0.03)),
    "random erasing": RandomErasing(),
    "hair simulation": AddHair(),
    "RandAugment": RandAugment(),
}
# Each beside the fault that it fixes.
CORRECTIONS: dict[str, tuple[Augmentation, Augmentation]] = {
    "shades of grey": (ChannelJitter(0.25), ShadesOfGrey()),
    "hair removal": (AddHair(), RemoveHair()),
}
MIXING: dict[str, Mixing] = {"MixUp": MixUp(alpha=1.0), "CutMix": CutMix()}


def sheet(image: ImageSource, out: str | os.PathLike[str], *, other: ImageSource | None = None, seed: int = 0) -> Path:
    """Draw several samples of each augmentation, one row each.

    Args:
        image: a lesion; the largest square around its centre is shown.
        out: file to write; its suffix tells the format, such as .png, .svg or .pdf.
        other: a second lesion for MixUp and CutMix; without one, the first in negative.
        seed: seed of all draws.

    Returns:
        The written file.

    Raises:
        DataError: no picture has such a suffix.
        OutputError: the file can't be written, or is one of the images.
        ImageError: an image can't be read.
    """
    check_seed(seed)
    path = Path(out)
    given = [Path(i).resolve() for i in (image, other) if isinstance(i, str | os.PathLike)]
    if path.resolve() in given:
        raise OutputError(f"{path}: this is one of the images, which are never overwritten.", "Choose another --out.")
    _check_suffix(path)
    first = _square(decode(image))
    second = 1 - first if other is None else _square(decode(other))
    second = F.interpolate(second[None], first.shape[1:], mode="bilinear", antialias=True)[0].clamp(0, 1)
    generator = torch.Generator().manual_seed(seed)
    rows = {name: _draws(step, first, generator) for name, step in RANDOM.items()}
    rows |= {name: _corrected(fault, step, first, generator) for name, (fault, step) in CORRECTIONS.items()}
    rows |= {name: _mixed(mixing, first, second, generator) for name, mixing in MIXING.items()}
    from lentigo.render.plots import drawing, save  # matplotlib is slow to import

    with drawing():
        save(_figure(rows), path, dpi=100)
    return path


def sheet_of(records: Records, out: str | os.PathLike[str], *, seed: int = 0) -> Path:
    """Draw `sheet` for a malignant and a benign lesion of a data set, or for the only kind it has.

    Args:
        records: the images; unreadable ones are passed over.
        out: file to write; its suffix tells the format.
        seed: seed of the choice of images and of all draws.

    Returns:
        The written file.

    Raises:
        DataError: no image can be read, or no picture has such a suffix.
        OutputError: the file can't be written, lies in the data set's folder, or is one of its images.
    """
    check_seed(seed)
    output_folder(Path(out).parent, records)
    refuse_inputs(out, records)
    order = np.random.default_rng(seed).permutation(len(records))
    table = records.table.iloc[order]
    kinds = (_first_readable(records, table.loc[table["malignant"] == kind, "path"]) for kind in (True, False))
    lesions = [lesion for lesion in kinds if lesion is not None]
    if not lesions:
        raise none_readable(records)
    return sheet(lesions[0], out, other=lesions[-1] if len(lesions) > 1 else None, seed=seed)


def _check_suffix(path: Path) -> None:
    """Before anything is drawn, which takes seconds."""
    from matplotlib.backend_bases import FigureCanvasBase

    if path.suffix[1:].lower() not in FigureCanvasBase.get_supported_filetypes():
        raise DataError(f"{path}: can't draw the sheet in such a file.", "Give a .png, .svg or .pdf.")


def _first_readable(records: Records, paths: Iterable[str]) -> NDArray[np.uint8] | None:
    for path in paths:
        try:
            return records.decode(path)
        except ImageError:
            continue
    return None


def _draws(step: Augmentation, image: Tensor, generator: torch.Generator) -> Pictures:
    """The image, then what it becomes."""
    changed = step(image.expand(COLUMNS - 1, -1, -1, -1), generator)
    return [("original", image), *(("", one) for one in changed)]


def _corrected(fault: Augmentation, step: Augmentation, image: Tensor, generator: torch.Generator) -> Pictures:
    """The image, then with two draws of a fault; what it becomes stands to the right of each."""
    faulty = fault(image.expand(COLUMNS // 2, -1, -1, -1), generator)
    faulty[0] = image
    corrected = step(faulty, generator)
    captions = ["original"] + ["degraded"] * (COLUMNS // 2 - 1)
    return [
        picture
        for caption, before, after in zip(captions, faulty, corrected, strict=True)
        for picture in ((caption, before), ("corrected", after))
    ]


def _mixed(mixing: Mixing, first: Tensor, second: Tensor, generator: torch.Generator) -> Pictures:
    """Both images, then mixtures of them, with the share of the first."""
    pair = torch.stack([first, second])
    pictures: Pictures = [("A", first), ("B", second)]
    while len(pictures) < COLUMNS:
        images, targets = mixing(pair, torch.eye(2), generator)
        if targets[0, 0] < 1:  # an image that drew itself as its partner shows nothing
            pictures.append((f"{targets[0, 0]:.0%} A, {targets[0, 1]:.0%} B", images[0]))
    return pictures


def _figure(rows: dict[str, Pictures]) -> "Figure":
    from matplotlib.figure import Figure

    height = 1.7 * len(rows) + 0.6
    figure = Figure(figsize=(1.5 * COLUMNS + 0.5, height))
    figure.suptitle("What each augmentation does to one lesion", fontsize=14, y=1 - 0.2 / height, va="top")
    figure.subplots_adjust(left=0.05, right=0.99, bottom=0.005, top=1 - 0.75 / height, wspace=0.05, hspace=0.2)
    for axes, (name, pictures) in zip(figure.subplots(len(rows), COLUMNS, squeeze=False), rows.items(), strict=True):
        for ax, (caption, picture) in zip(axes, pictures, strict=True):
            ax.imshow(picture.permute(1, 2, 0).numpy())
            ax.set_title(caption, fontsize=8, pad=3)
            ax.set_xticks([])
            ax.set_yticks([])
            ax.spines[:].set_visible(False)
        axes[0].set_ylabel(name, fontsize=11)
    return figure


def _square(pixels: NDArray[np.uint8]) -> Tensor:
    """The largest square around the centre: float32 [3, S, S], 0 to 1."""
    side = min(pixels.shape[:2])
    top, left = ((n - side) // 2 for n in pixels.shape[:2])
    square = np.array(pixels[top : top + side, left : left + side])  # a copy: torch warns of what can't be written to
    return torch.from_numpy(square).permute(2, 0, 1).float() / 255
