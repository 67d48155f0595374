"""The index of known lesions: a small file beside a bundle, with ids, diagnoses and vectors, and no pixels.

It is a numpy archive (.npz). Vectors have length 1 and are kept in 8 bits with a step of their own. Images are
recognised by a hash of their pixels and by their perceptual hash, and whatever belongs to one lesion by its group.
"""

import json
import os
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lentigo.arguments import checked
from lentigo.atomic import refuse_existing, replacing
from lentigo.comparison.described import unit
from lentigo.errors import BundleError, DataError, reason
from lentigo.runtime import Bundle

__all__ = ["SUFFIX", "Index", "load_index"]

SUFFIX = ".index.npz"
FORMAT = 1
_DAMAGED = (zipfile.BadZipFile, zlib.error, NotImplementedError)
"""What a damaged archive raises besides errors of its values."""
_HEADER = ("model", "model_sha256", "source", "part")
_COLUMNS = {
    "ids": ("U", 1),
    "lesions": ("U", 1),
    "diagnoses": ("U", 1),
    "groups": (np.int32, 1),
    "contents": (np.uint64, 1),
    "pictures": (np.uint64, 1),
    "codes": (np.int8, 2),
    "steps": (np.float32, 1),
}
"""Type ('U' is text of any length) and dimensions of each column."""
_MOST_BYTES = 1 << 30
"""What an index may unpack to, a guard against decompression bombs."""


@dataclass(frozen=True, eq=False)
class Index:
    """Known lesions by embedding.

    Attributes:
        ids, lesions, diagnoses: of each image, text [N]; diagnoses are ids of the model's label set.
        groups: int32 [N]; images of one lesion, and duplicates under several lesion ids, share a number.
        contents: hashes of the pixels, uint64 [N].
        pictures: perceptual hashes, uint64 [N].
        codes: the vectors in steps, int8 [N, D].
        steps: size of a step of each vector, float32 [N].
        model, model_sha256: of the bundle that made the vectors.
        source: name of the data set.
        part: 'train', or 'all' for images that the model has not learned from.
        path: of the file; None of an index in memory.
    """

    ids: NDArray[np.str_]
    lesions: NDArray[np.str_]
    diagnoses: NDArray[np.str_]
    groups: NDArray[np.int32]
    contents: NDArray[np.uint64]
    pictures: NDArray[np.uint64]
    codes: NDArray[np.int8]
    steps: NDArray[np.float32]
    model: str
    model_sha256: str
    source: str
    part: str
    path: Path | None = None

    def __len__(self) -> int:
        return len(self.ids)

    def __repr__(self) -> str:
        return f"<Index of {len(self):,} images of {len(set(self.groups.tolist())):,} lesions of {self.source}>"

    @property
    def vectors(self) -> NDArray[np.float32]:
        """Embeddings of length 1, float32 [N, D]."""
        return unit(self.codes * self.steps[:, None])

    def refuse_other(self, bundle: Bundle) -> None:
        """Distances are meaningless between embeddings of two models.

        Raises:
            BundleError: the index was made with another model.
            DataError: it says so, but has vectors or diagnoses that the model doesn't give.
        """
        if bundle.sha256 != self.model_sha256:
            raise BundleError(
                f"{self.path or 'This index'} was made with another model ({self.model}, "
                f"{self.model_sha256[:12]}) than {bundle.path} ({bundle.name}, {bundle.sha256[:12]}).",
                "Make an index with this model: lentigo index DATA --model MODEL.",
            )
        unknown = sorted(set(self.diagnoses.tolist()) - set(bundle.labels.classes))
        width = self.codes.shape[1]
        if unknown or width != bundle.metadata.embedding:
            what = f"the diagnosis {unknown[0]!r}" if unknown else f"vectors of {width} numbers"
            raise DataError(f"{self.path or 'This index'}: damaged, {what} is not of {bundle.name}.", "Make it again.")

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> "Index":
        """Write the index; returns what is read back.

        Raises:
            OutputError: the file exists and may not be replaced, or can't be written.
        """
        refuse_existing(path, overwrite=overwrite)
        header = {
            "lentigo_index": FORMAT,
            **{key: getattr(self, key) for key in _HEADER},
        }
        with replacing(path) as partial, partial.open("wb") as file:
            columns: dict[str, Any] = {name: getattr(self, name) for name in _COLUMNS}
            np.savez_compressed(file, header=np.array(json.dumps(header)), **columns)
        return load_index(path)


@checked
def load_index(path: str | os.PathLike[str]) -> Index:
    """Read an index.

    Raises:
        DataError: there is no such file, not an index, damaged, or of a newer format.
    """
    file = Path(path)
    if not file.is_file():
        raise DataError(f"{file}: there is no such index.", "Make one: lentigo index DATA --model MODEL.")
    try:
        with zipfile.ZipFile(file) as archive:
            if sum(member.file_size for member in archive.infolist()) > _MOST_BYTES:
                raise ValueError(f"it would unpack to over {_MOST_BYTES >> 20} MiB")
        with np.load(file, allow_pickle=False) as found:
            header = json.loads(str(found["header"]))
            columns = {name: found[name] for name in _COLUMNS}
        version = header.pop("lentigo_index")
        if isinstance(version, int) and version > FORMAT:
            raise DataError(f"{file}: format {version} is newer than this lentigo.", "Upgrade lentigo.")
        if version != FORMAT:
            raise ValueError(f"format {version!r}")
        index = Index(**columns, **header, path=file)
        _check(index)
    except (ValueError, KeyError, TypeError, AttributeError, EOFError, OSError, *_DAMAGED) as error:
        raise DataError(f"{file}: not an index of lentigo, or damaged ({reason(error)}).", "Make it again.") from None
    return index


def _check(index: Index) -> None:
    """ValueError where columns don't fit together."""
    for name, (kind, dimensions) in _COLUMNS.items():
        column = getattr(index, name)
        if column.ndim != dimensions or (column.dtype.kind if kind == "U" else column.dtype) != kind:
            raise ValueError(f"{name} holds {column.dtype} {column.shape}")
    lengths = {len(getattr(index, name)) for name in _COLUMNS}
    if lengths == {0} or len(lengths) != 1:
        raise ValueError("its columns don't fit together")
    if not (np.isfinite(index.steps) & (index.steps > 0)).all():
        raise ValueError("a vector's step is not a number above 0")
    if not all(isinstance(getattr(index, name), str) for name in _HEADER) or index.part not in ("train", "all"):
        raise ValueError("its header says nothing of the model, the source or the part")
