"""Write synthetic lesions as a folder in the layout of HAM10000, and read such a folder."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from lentigo.atomic import replacing
from lentigo.data.records import Records
from lentigo.data.sources import ham10000
from lentigo.data.sources.synthetic.canvas import Canvas
from lentigo.data.sources.synthetic.skin import photograph, skin
from lentigo.data.sources.synthetic.structures import LESIONS, Generator
from lentigo.errors import DataError
from lentigo.progress import track

__all__ = ["MARKER", "detect", "make", "read"]

MARKER = "SYNTHETIC.txt"
METADATA = ham10000.METADATA_NAMES[0]
COLUMNS = (*ham10000.NEEDED, *ham10000.OPTIONAL)
JPEG_QUALITY = 92
FIRST_NUMBER = 9_000_000
"""Image ids count from here, out of the range that HAM10000 has."""

NOTE = """These images are synthetic: drawn by lentigo, without any patient.

They are in the layout of HAM10000 so that every tool for it can be tried on them. A model that is trained or
measured on them says nothing about skin.

lesions {lesions}, seed {seed}, {width}x{height} pixels, licence CC0-1.0
"""

# Milder than HAM10000, whose shares are 67, 11, 11, 5, 3, 1 and 1 per cent.
SHARES = {"nv": 0.40, "mel": 0.14, "bkl": 0.14, "bcc": 0.10, "akiec": 0.08, "df": 0.07, "vasc": 0.07}
IMAGES_A_LESION = (0.5, 0.3, 0.2)
"""How often a lesion has one, two and three images."""

# Mean and spread of the age, and how a diagnosis was confirmed, about as in HAM10000.
AGES = {"akiec": (67, 11), "bcc": (67, 14), "bkl": (64, 14), "df": (53, 14), "mel": (61, 15), "nv": (46, 15)}
CONFIRMED = {
    "bkl": ("histo", "histo", "histo", "consensus", "confocal"),
    "df": ("histo", "consensus"),
    "nv": ("histo", "follow_up", "follow_up", "consensus"),
    "vasc": ("histo", "consensus"),
}
SITES = {
    "akiec": ("face", "face", "scalp", "ear", "hand", "upper extremity"),
    "bcc": ("face", "back", "trunk", "neck", "chest"),
    "df": ("lower extremity", "lower extremity", "upper extremity"),
}
ANYWHERE = ("back", "back", "lower extremity", "trunk", "upper extremity", "abdomen", "chest", "foot", "unknown")
# Radius of a lesion, relative to the others.
SIZES = {"akiec": 1.25, "df": 0.8, "vasc": 0.75}


def make(out: Path, *, lesions: int = 300, seed: int = 0, width: int = 200, height: int = 150) -> Path:
    """Write a synthetic data set: `images/`, the metadata table, and a note that says what it is.

    The same arguments give the same data set. The metadata is written last, so an interrupted folder is never taken for
    a data set; making it again starts over.

    Args:
        out: folder to write to: new, empty, or an earlier synthetic data set, which is replaced.
        lesions: number of lesions, at least one of each diagnosis; each has one to three images.
        seed: seed of everything random.
        width: of the images, in pixels.
        height: of the images, in pixels.

    Returns:
        `out`, which `lentigo.data.read` reads.

    Raises:
        DataError: too few lesions, images too small, or a folder that holds something else.
    """
    if lesions < len(SHARES):
        raise DataError(f"{lesions} lesions are too few for {len(SHARES)} diagnoses.", f"Use {len(SHARES)} or more.")
    if min(width, height) < 32:
        raise DataError(f"{width}x{height} pixels are too few to draw a lesion.", "Use 32x32 or more.")
    _clear(out)
    (out / MARKER).write_text(NOTE.format(lesions=lesions, seed=seed, width=width, height=height), encoding="utf-8")
    images = out / "images"
    images.mkdir(exist_ok=True)

    rng = np.random.default_rng(seed)
    diagnoses = rng.permutation(np.repeat(list(SHARES), _lesions_per_class(lesions)))
    views = rng.choice(len(IMAGES_A_LESION), lesions, p=IMAGES_A_LESION) + 1
    # Shuffled, so that neighbouring ids don't mean the same lesion.
    numbers = iter(FIRST_NUMBER + rng.permutation(int(views.sum())))
    rows = []
    for lesion in track(range(lesions), "drawing lesions", lesions):
        dx = str(diagnoses[lesion])
        row = {"lesion_id": f"SYN_{lesion:07d}", **_patient(dx, np.random.default_rng([seed, lesion, 0]))}
        for picture in _pictures(dx, int(views[lesion]), (seed, lesion), (width, height)):
            image_id = f"ISIC_{next(numbers)}"
            Image.fromarray(picture).save(images / f"{image_id}.jpg", quality=JPEG_QUALITY)
            rows.append({**row, "image_id": image_id})
    with replacing(out / METADATA) as partial:
        pd.DataFrame(rows, columns=list(COLUMNS)).to_csv(partial, index=False)
    return out


def detect(root: Path) -> bool:
    """Whether a folder was made by `make`, even if only half."""
    return (root / MARKER).is_file()


def read(root: Path) -> Records:
    """Read a folder that `make` wrote.

    Raises:
        DataError: `make` was interrupted there.
    """
    if not (root / METADATA).is_file():
        raise DataError(f"{root}: this synthetic data set is incomplete (interrupted).", "Create it again.")
    return replace(ham10000.read(root), name="synthetic", licence="CC0-1.0", citation="")


def _clear(out: Path) -> None:
    """Prepare the folder; nothing that `make` didn't write is ever touched."""
    if out.exists() and not out.is_dir():
        raise DataError(f"{out}: this is a file.", "Name a folder.")
    if out.is_dir() and not detect(out) and any(out.iterdir()):
        raise DataError(f"{out}: this folder contains other files.", "Use a new or empty folder.")
    out.mkdir(parents=True, exist_ok=True)
    (out / METADATA).unlink(missing_ok=True)
    for path in (out / "images").glob(f"ISIC_{str(FIRST_NUMBER)[0]}*.jpg"):
        path.unlink()


def _lesions_per_class(lesions: int) -> list[int]:
    """One lesion a diagnosis, and the rest by `SHARES`, largest remainders first."""
    exact = np.array(list(SHARES.values())) * (lesions - len(SHARES))
    counts = np.floor(exact).astype(int)
    counts[np.argsort(counts - exact, kind="stable")[: lesions - len(SHARES) - counts.sum()]] += 1
    return (counts + 1).tolist()


def _patient(dx: str, rng: Generator) -> dict[str, object]:
    """A lesion's metadata; age and sex are unknown for a few."""
    mean, spread = AGES.get(dx, (51, 20))
    age = int(np.clip(5 * round(rng.normal(mean, spread) / 5), 0, 85))
    return {
        "dx": dx,
        "dx_type": str(rng.choice(CONFIRMED.get(dx, ("histo",)))),
        "age": float(age) if rng.random() > 0.03 else None,
        "sex": str(rng.choice(["male", "female", "unknown"], p=[0.53, 0.45, 0.02])),
        "localization": str(rng.choice(SITES.get(dx, ANYWHERE))),
        "dataset": "synthetic",
    }


def _pictures(dx: str, views: int, seed: tuple[int, int], size: tuple[int, int]) -> Iterator[NDArray[np.uint8]]:
    """One lesion on one patient, seen from several sides: uint8 RGB [H, W, 3] each."""
    patient = np.random.default_rng([*seed, 1])
    radius = SIZES.get(dx, 1.0) * patient.uniform(0.75, 1.35)
    tan, flush = 0.02 + 0.28 * patient.beta(1.5, 3.0), 0.05 + 0.3 * patient.beta(1.5, 2.0)
    for view in range(views):
        camera = np.random.default_rng([*seed, 2, view])
        canvas = Canvas(
            *size,
            zoom=radius * camera.uniform(0.85, 1.18),
            angle=camera.uniform(0, 2 * np.pi),
            centre=tuple(camera.normal(0, 0.12, 2)),
        )
        lesion = LESIONS[dx](canvas, np.random.default_rng([*seed, 3]))
        yield photograph(canvas, camera, skin(canvas, camera, tan, flush) + lesion)
