"""A whole data set in one file that travels to another machine: reduced squares as JPEG beside their table, in Parquet.

Image and lesion ids, labels, published pairs, licence and citation are kept, so that splits, groups and hashes are
those of the original. The pictures are not: they are squares of at most the stated side, compressed once more, and the
name of the data set says so.
"""

import io
import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import simplejpeg
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lentigo.arguments import checked
from lentigo.atomic import refuse_existing, write_bytes
from lentigo.data.outputs import refuse_inputs
from lentigo.data.pixels import check_side, to_square
from lentigo.data.records import COLUMNS, Records, make_table, none_readable
from lentigo.errors import DataError, ImageError, OutputError
from lentigo.labels import LabelSet
from lentigo.progress import note, track
from lentigo.runtime.images import decode

__all__ = ["LAYOUT", "PRECEDENCE", "detect", "pack", "read"]

LAYOUT = "a packed data set *.parquet that `lentigo data pack` wrote"
PRECEDENCE = 15

FORMAT = 1
_METADATA, _JPEG = b"lentigo.pack", "jpeg"
QUALITIES = (97, 95, 92, 90, 85, 80, 75, 70, 65, 60, 50)
"""Of JPEG, the best that fits is taken; below the last, lesions lose their structure."""
SAMPLE = 200
"""Images by which the quality is chosen."""


class _Description(BaseModel):
    """What a packed file says of itself."""

    model_config = ConfigDict(strict=True, extra="forbid")

    format: int = Field(default=FORMAT, ge=FORMAT, le=FORMAT)
    name: str
    licence: str
    citation: str
    label_set: dict[str, Any]
    known_pairs: list[tuple[str, str]]
    size: int = Field(ge=1)
    quality: int = Field(ge=1, le=100)


class Pictures:
    """Compressed images that are decoded when they are asked for, by their row.

    Args:
        files: JPEG files.
    """

    def __init__(self, files: Sequence[bytes]) -> None:
        self.files = files

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, row: int) -> NDArray[np.uint8]:
        """An image, uint8 [S, S, 3].

        Raises:
            ImageError: it is damaged.
        """
        return decode(self.files[row])


def detect(root: Path) -> bool:
    """Whether a file is a packed data set."""
    return root.is_file() and root.suffix.lower() == ".parquet" and _METADATA in _schema(root)


def read(root: Path) -> Records:
    """Read a packed data set; its images stay compressed in memory until they are asked for.

    Raises:
        DataError: damaged, or from a newer format.
    """
    path = root.absolute()
    try:
        described = _Description.model_validate_json(_schema(path)[_METADATA])
        label_set = LabelSet.from_dict(described.label_set)
        table = pq.read_table(path, page_checksum_verification=True)
        files = table.column(_JPEG).to_pylist()
        rows = table.drop_columns([_JPEG]).to_pandas()
        rows["path"] = [f"{path}#{i}" for i in range(len(rows))]
        made = make_table(rows, label_set)
    except (OSError, pa.ArrowException, ValidationError, KeyError, ValueError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise DataError(f"{path}: not a packed data set, or damaged ({reason}).", "Pack the data set again.") from None
    return Records(
        made,
        f"{described.name}, packed at {described.size} px",
        path,
        (),
        tuple(described.known_pairs),
        Pictures(files),
        described.licence,
        described.citation,
        label_set,
    )


@checked
def pack(
    records: Records, out: str | Path, *, size: int = 192, megabytes: float = 60.0, overwrite: bool = False
) -> str:
    """Write a data set as one file, at the best quality of JPEG that fits.

    Images are cut to their central square and scaled down to `size`, as `load_pixels` does; smaller ones keep their
    size. Those that can't be read are left out and named on standard error.

    Args:
        records: the data set.
        out: the .parquet file to write.
        size: largest side, in pixels.
        megabytes: largest size of the file, in 10^6 bytes.
        overwrite: whether a file of that name may be replaced.

    Returns:
        What was written, in a sentence.

    Raises:
        DataError: no image can be read, or even the lowest quality doesn't fit.
        OutputError: the file exists, is one of the inputs, has another suffix, or can't be written.
    """
    path = Path(out)
    if path.suffix != ".parquet":
        raise OutputError(f"{path}: the name of a packed data set must end in .parquet.", "Rename the output.")
    if records.sources:
        raise DataError(
            f"{records.name}: a packed file holds one data set, and of several only the first is to be split.",
            "Pack each of them, and read the files together.",
        )
    refuse_inputs(path, records)
    refuse_existing(path, overwrite=overwrite)
    check_side(size)
    limit = megabytes * 1e6
    sample = records.table["path"].iloc[:: max(1, len(records) // SAMPLE)].tolist()
    for quality in QUALITIES:
        files = list(_compressed(records, sample, size, quality))
        if sum(len(f) for f in files if isinstance(f, bytes)) * len(records) / len(sample) > limit:
            continue
        whole = list(track(_compressed(records, records.table["path"], size, quality), "Packing", len(records)))
        written = _write(records, whole, size, quality, path, limit)
        if written:
            return written
    raise DataError(
        f"{records.root}: {len(records):,} images of {size} px don't fit into {megabytes:g} MB.",
        "Lower --size, or raise --megabytes.",
    )


def _write(
    records: Records, files: Sequence[bytes | ImageError], size: int, quality: int, path: Path, limit: float
) -> str:
    """Write the images that could be read; '' if the file is too large."""
    good = [i for i, file in enumerate(files) if isinstance(file, bytes)]
    bad = {str(records.ids[i]): str(file) for i, file in enumerate(files) if isinstance(file, ImageError)}
    if not good:
        raise none_readable(records, min(bad.values()))
    columns = [c for c in records.table.columns if c != "path" and (c in COLUMNS or c == "patient_id")]
    table = pa.Table.from_pandas(records.table[columns].iloc[good], preserve_index=False)
    table = table.append_column(_JPEG, pa.array([files[i] for i in good], pa.binary()))
    described = _Description(
        name=records.name,
        licence=records.licence,
        citation=records.citation,
        label_set=json.loads(json.dumps(records.label_set.to_dict())),
        known_pairs=list(records.known_pairs),
        size=size,
        quality=quality,
    )
    metadata = {**(table.schema.metadata or {}), _METADATA: described.model_dump_json().encode()}
    content = io.BytesIO()
    options: dict[str, Any] = {"compression": "NONE", "use_dictionary": False, "write_page_checksum": True}
    pq.write_table(table.replace_schema_metadata(metadata), content, **options)
    if content.tell() > limit:
        return ""
    write_bytes(path, content.getvalue())
    for image_id, reason in bad.items():
        note(f"{image_id} is left out: {reason}")
    left_out = f", {len(bad)} left out" if bad else ""
    return (
        f"{path}: {len(good):,} images of at most {size} px{left_out}, JPEG quality {quality}, "
        f"{path.stat().st_size / 1e6:.1f} MB"
    )


def _compressed(records: Records, paths: Sequence[str], size: int, quality: int) -> Iterator[bytes | ImageError]:
    """JPEG files of some images, and why the others have none."""

    def one(path: str) -> bytes | ImageError:
        try:
            rgb = records.decode(path)
        except ImageError as error:
            return error
        square = np.ascontiguousarray(to_square(rgb, min(size, *rgb.shape[:2])))
        return bytes(simplejpeg.encode_jpeg(square, quality, colorsubsampling="420"))

    with ThreadPoolExecutor() as pool:
        yield from pool.map(one, paths)


def _schema(path: Path) -> dict[bytes, bytes]:
    """Metadata of a Parquet file; nothing of another file."""
    try:
        return pq.read_schema(path).metadata or {}
    except (OSError, pa.ArrowException):
        return {}
