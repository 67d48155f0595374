"""What the pictures themselves say: sizes, colours, the mean picture of each class, and a few to look at."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from lentigo.data.pixels import to_square
from lentigo.data.records import Problem, Records, none_readable
from lentigo.errors import ImageError
from lentigo.progress import track

__all__ = ["CHANNELS", "Appearance", "examine", "samples"]

CHANNELS = ("red", "green", "blue")
MEAN_SIZE = 96
"""Side of the mean pictures in pixels."""
BLOCK = 256
"""Images that are held in memory at a time."""


@dataclass(frozen=True)
class Appearance:
    """What a data set's pictures look like; intensities are on the scale of 0 to 1.

    Attributes:
        sizes: images by size, such as '600x450', commonest first.
        colours: index class and channel; columns mean (over images of an image's mean), between (standard deviation of
            that, from image to image) and within (mean standard deviation inside an image).
        means: mean picture of each class, float32 [S, S, 3]: the largest square around the centre, scaled.
        contrast: index class; how much darker the middle third of the mean picture is than its rim, in mean intensity.
        problems: images that can't be read; they count nowhere else in here.
    """

    sizes: pd.Series
    colours: pd.DataFrame
    means: dict[str, NDArray[np.float32]]
    contrast: pd.Series
    problems: tuple[Problem, ...]

    def numbers(self) -> dict[str, object]:
        """What each figure of the pictures shows, by the figure's name, in JSON types."""
        return {
            "sizes": {str(size): int(n) for size, n in self.sizes.items()},
            "colours": {c: part.droplevel("class").to_dict("index") for c, part in self.colours.groupby(level="class")},
            "means": {"rim_less_middle": self.contrast.to_dict()},
        }


@dataclass(frozen=True)
class _Seen:
    """One decoded picture: its size as text, mean and standard deviation of each channel [3], and its square."""

    size: str
    mean: NDArray[np.float64]
    std: NDArray[np.float64]
    square: NDArray[np.uint8]


def examine(records: Records, labels: pd.Series) -> Appearance:
    """Decode every picture once, several at a time.

    Args:
        records: the images.
        labels: the class of each [N].

    Raises:
        DataError: not one picture can be read; the message names the first.
    """
    problems: list[Problem] = []
    rows: list[tuple[str, str, *tuple[float, ...]]] = []
    sums = {c: np.zeros((MEAN_SIZE, MEAN_SIZE, 3)) for c in labels.unique()}
    found = zip(records.ids, labels, _see_all(records), strict=True)
    for image_id, label, seen in track(found, "Measuring the images", len(records)):
        if isinstance(seen, ImageError):
            problems.append(Problem(image_id, str(seen), "unreadable image"))
            continue
        rows.append((label, seen.size, *seen.mean, *seen.std))
        sums[label] += seen.square
    if not rows:
        raise none_readable(records, problems[0].reason)
    table = pd.DataFrame(rows, columns=["class", "size", *CHANNELS, *(f"std_{c}" for c in CHANNELS)])
    readable = table["class"].value_counts()
    means = {c: (sums[c] / readable[c] / 255).astype(np.float32) for c in sums if c in readable.index}
    contrast = pd.Series({c: _contrast(mean) for c, mean in means.items()}, name="contrast")
    return Appearance(table["size"].value_counts(), _colours(table), means, contrast, tuple(problems))


def samples(records: Records, labels: pd.Series, count: int, seed: int) -> dict[str, list[tuple[str, NDArray]]]:
    """Some readable pictures of each class, of different lesions where possible: ids and uint8 [H, W, 3].

    The same seed gives the same pictures.
    """
    generator = np.random.default_rng(seed)
    shown: dict[str, list[tuple[str, NDArray]]] = {}
    for label in sorted(labels.unique()):
        order = records.table[labels == label].iloc[generator.permutation(int((labels == label).sum()))]
        again = order["lesion_id"].duplicated()
        shown[label] = []
        for row in pd.concat([order[~again], order[again]]).itertuples():
            if len(shown[label]) == count:
                break
            picture = _decode(records, str(row.path))
            if not isinstance(picture, ImageError):
                shown[label].append((str(row.image_id), picture))
    return shown


def _see_all(records: Records) -> Iterator[_Seen | ImageError]:
    paths = records.table["path"]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for start in range(0, len(paths), BLOCK):
            yield from pool.map(lambda path: _see(records, path), paths.iloc[start : start + BLOCK])


def _see(records: Records, path: str) -> _Seen | ImageError:
    picture = _decode(records, path)
    if isinstance(picture, ImageError):
        return picture
    # Pillow counts the levels many times faster than numpy sums the pixels.
    counts = np.array(Image.fromarray(picture).histogram()).reshape(3, 256)
    share, levels = counts / counts.sum(1, keepdims=True), np.arange(256) / 255
    mean = share @ levels
    std = np.sqrt((share * (levels - mean[:, None]) ** 2).sum(1))
    return _Seen(f"{picture.shape[1]}x{picture.shape[0]}", mean, std, to_square(picture, MEAN_SIZE))


def _decode(records: Records, path: str) -> NDArray[np.uint8] | ImageError:
    try:
        return records.decode(path)
    except ImageError as error:
        return error


def _colours(table: pd.DataFrame) -> pd.DataFrame:
    groups = table.groupby("class")
    rows = {
        (label, channel): {
            "mean": part[channel].mean(),
            "between": part[channel].std(ddof=0),
            "within": part[f"std_{channel}"].mean(),
        }
        for label, part in groups
        for channel in CHANNELS
    }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis(["class", "channel"])


def _contrast(mean: NDArray[np.float32]) -> float:
    """Rim less middle: the rim is what is further than 45 % of the side from the centre, up or across."""
    grey = mean.mean(2)
    third, rim = len(grey) // 3, max(1, len(grey) // 20)
    outside = np.ones(grey.shape, dtype=bool)
    outside[rim:-rim, rim:-rim] = False
    return float(grey[outside].mean() - grey[third : 2 * third, third : 2 * third].mean())
