"""Skin tone of an image, roughly: the individual typology angle (ITA) of the skin around the lesion.

ITA = atan((L* - 50) / b*) 180 / pi in CIELAB, large for light skin (Chardon, Cretois, Hourseau, International Journal
of Cosmetic Science 13:191, 1991), here of the median L* and b* of the skin's pixels. Bands as in Del Bino and Bernerd,
British Journal of Dermatology 169 Suppl 3:33, 2013.
"""

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import ndimage

from lentigo import data
from lentigo.errors import DataError, ImageError
from lentigo.progress import track
from lentigo.runtime.colour import cielab
from lentigo.runtime.lesion_masks import find_mask, read_mask

__all__ = ["BANDS", "LIMITS", "band", "individual_typology_angle", "skin_tones"]

Mask = NDArray[np.bool_]

BANDS = ("very light", "light", "intermediate", "tan", "brown", "dark")
ENDS = (55.0, 41.0, 28.0, 10.0, -30.0)
"""A band's ITA is above its end; what is above none is dark."""
LIMITS = (
    "A rough estimate, not a skin type: lamp, exposure, white balance and polarisation of the camera affect it, and so "
    "do tanning, hair, gel and dark corners; where the skin looks pink (b* near 0) it is unstable, and where it "
    "looks bluish it is undefined; without a lesion mask it may include lesion. Without a colour chart its bands "
    "distinguish cameras as much as people. Not for assessing a patient."
)

MASK_FOLDERS = ("masks", "HAM10000_segmentations_lesion_tschandl")
MARGIN = 0.03
"""Width of the strip around a mask that is left out, as a share of the shorter side: lesions fade into the skin."""
RING = 0.8
"""Inner radius of the border ring, as a share of the ellipse that touches the image's sides: corners may be black."""
BLACK = 10.0
"""L* up to which a pixel is taken for the dermatoscope's rim, not for skin."""
LEAST = 0.02
"""Smallest share of the image that must be skin."""


def individual_typology_angle(lightness: float, yellow: float) -> float:
    """ITA in degrees from L* and b*, for b* above 0: skin under white light is yellowish."""
    return float(np.degrees(np.arctan2(lightness - 50, yellow)))


def band(ita: float) -> str:
    """The band of `BANDS` that an ITA in degrees belongs to."""
    return BANDS[sum(ita <= end for end in ENDS)]


def skin_tones(records: data.Records) -> pd.DataFrame:
    """Estimate the ITA of each image.

    The skin is what is outside the lesion mask, such as `masks/<image_id>_segmentation.png`, where there is one, and
    otherwise a ring along the border. A mask that leaves no skin gives no estimate (in HAM10000 those of ISIC_0026042
    and ISIC_0029819, which cover the whole image, among them), nor does skin with a b* of 0 or less: there the formula
    says nothing, and its arctangent would jump to dark.

    Returns:
        One row an image: image_id; ita in degrees; band, one of `BANDS`; lightness and yellow, the skin's median L*
        and b*; skin, its share of the image; how, 'mask' or 'border ring'; reason, why there is no estimate.
    """
    paths = list(zip(records.ids, records.table["path"], strict=True))
    rows = [_estimate(records, i, path) for i, path in track(paths, "Estimating skin tones", len(paths))]
    columns = ["image_id", "ita", "band", "lightness", "yellow", "skin", "how", "reason"]
    return pd.DataFrame(rows, columns=columns).astype({"band": object, "how": object, "reason": object})


def _estimate(records: data.Records, image_id: str, path: str) -> dict[str, object]:
    row: dict[str, object] = {"image_id": image_id, "how": "border ring", "reason": ""}
    try:
        image = records.decode(path)
        mask_path = _mask_path(records.root, path)
        row["how"] = "mask" if mask_path else "border ring"
        lesion = None if mask_path is None else read_mask(mask_path, image.shape[:2])
    except (DataError, ImageError) as error:
        return row | {"reason": error.message}
    lab = cielab(image)
    skin = (_ring(image) if lesion is None else ~_widen(lesion)) & (lab[..., 0] > BLACK)
    row["skin"] = float(skin.mean())
    if skin.mean() < LEAST:
        return row | {"reason": "the mask leaves no skin" if mask_path else "the border is black"}
    lightness, _, yellow = np.median(lab[skin], axis=0)
    row |= {"lightness": float(lightness), "yellow": float(yellow)}
    if yellow <= 0:
        return row | {"reason": "the skin looks bluish: white balance or lamp are off"}
    ita = individual_typology_angle(lightness, yellow)
    return row | {"ita": ita, "band": band(ita)}


def _mask_path(root: Path, image: str) -> Path | None:
    """An image's mask in the first of the folders that has one."""
    folders = [Path(root) / name for name in MASK_FOLDERS]
    return next((mask for folder in folders if folder.is_dir() and (mask := find_mask(folder, image))), None)


def _widen(lesion: Mask) -> Mask:
    """The mask and a margin around it."""
    if not lesion.any():
        return lesion
    return ndimage.distance_transform_edt(~lesion) <= MARGIN * min(lesion.shape)


def _ring(image: NDArray[np.uint8]) -> Mask:
    """The outer part of the ellipse that touches all four sides."""
    y, x = (np.linspace(-1, 1, n) for n in image.shape[:2])
    radius = np.hypot(y[:, None], x)
    return (radius >= RING) & (radius <= 1)
