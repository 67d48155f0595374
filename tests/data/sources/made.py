"""Small files in the real formats, made by the tests."""

import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from lentigo.data.records import Records, make_table


def picture(seed: int, height: int = 30, width: int = 40) -> NDArray[np.uint8]:
    """A smooth picture of its own colours, uint8 [H, W, 3]."""
    coarse = np.random.default_rng(seed).integers(0, 256, (5, 6, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))


def save_pictures(folder: Path, names: Sequence[str], suffix: str = ".jpg", first: int | None = None) -> list[Path]:
    """One picture a name, in a folder that is made if absent: of the seeds `first` on, or each path has its own."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{name}{suffix}" for name in names]
    for i, path in enumerate(paths):
        seed = zlib.crc32("/".join(path.parts[-3:]).encode()) if first is None else first + i
        Image.fromarray(picture(seed)).save(path)
    return paths


def image_records(folder: Path, dx: Sequence[str]) -> Records:
    """Records of saved pictures, two images a lesion."""
    names = [f"ISIC_{i:07d}" for i in range(len(dx))]
    paths = save_pictures(folder, names, ".png", first=0)  # lossless, so that pixels can be compared
    rows = pd.DataFrame(
        {
            "image_id": names,
            "lesion_id": [f"HAM_{i // 2:07d}" for i in range(len(dx))],
            "dx": list(dx),
            "dx_type": "histo",
            "age": [40.0 + i if i % 3 else None for i in range(len(dx))],
            "sex": "female",
            "site": "back",
            "source": "rosendahl",
            "path": [str(p) for p in paths],
        }
    )
    return Records(make_table(rows), "made", folder)


def metadata_rows(records: Records) -> pd.DataFrame:
    """The records' table in the columns of HAM10000's metadata."""
    table = records.table.rename(columns={"site": "localization", "source": "dataset"})
    return table[["lesion_id", "image_id", "dx", "dx_type", "age", "sex", "localization", "dataset"]]
