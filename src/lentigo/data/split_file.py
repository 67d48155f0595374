"""The file that a split is saved as: a comment line with its description and a checksum, then the manifest as CSV."""

import hashlib
import io
import json
from collections.abc import Mapping
from pathlib import Path

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lentigo.errors import DataError, reason
from lentigo.written import read_text

__all__ = ["COLUMNS", "HEADER", "SETTINGS", "Header", "read_split_file", "split_text"]

HEADER = "# lentigo split "
"""What the first line starts with."""
COLUMNS = ("image_id", "group", "part")
"""Of the manifest."""
SETTINGS = ("protocol", "leaky", "fold", "folds", "seed", "pairs", "pairs_sha256", "versions")
"""What the header has of the split itself."""
_PARTS = frozenset({"train", "validation", "test", "unused"})


class Header(BaseModel):
    """The first line; the attributes are those of `Split`, with its hash as `sha256`."""

    model_config = ConfigDict(strict=True)

    protocol: str
    leaky: bool
    fold: int = Field(ge=0)
    folds: int = Field(ge=1)
    seed: int
    source: str
    sha256: str
    pairs: int = Field(default=0, ge=0)
    pairs_sha256: str | None = None
    versions: Mapping[str, str] = {}
    labels: dict[str, str] | None = None
    """Name and hash of the label set of the images."""
    checksum: str | None = None  # the splits of version 0.1 have none


def split_text(header: Header, manifest: pd.DataFrame) -> str:
    """The whole file."""
    body = manifest[list(COLUMNS)].to_csv(index=False, lineterminator="\n")
    stated = header.model_copy(update={"checksum": _checksum(header, body)})
    return f"{HEADER}{json.dumps(stated.model_dump())}\n{body}"


def read_split_file(path: Path) -> tuple[Header, pd.DataFrame]:
    """Header and manifest, with the split's hash not yet checked.

    Raises:
        DataError: not such a file, or changed since it was saved.
    """
    try:
        first, _, body = read_text(path).partition("\n")
        if not first.startswith(HEADER):
            raise ValueError(f"its first line does not start with {HEADER.strip()!r}")
        header = Header.model_validate_json(first.removeprefix(HEADER))
        manifest = pd.read_csv(io.StringIO(body), dtype=str, keep_default_na=False)[list(COLUMNS)]
    except ValidationError as error:
        wrong = error.errors()[0]
        raise _no_split(path, ": ".join([*map(str, wrong["loc"]), wrong["msg"]])) from None
    except (OSError, ValueError, KeyError) as error:
        raise _no_split(path, reason(error)) from None
    if unknown := set(manifest["part"]) - _PARTS:
        raise DataError(f"{path}: unknown part {min(unknown)!r}.", f"Parts are {', '.join(sorted(_PARTS))}.")
    if header.checksum not in (None, _checksum(header, body)):
        raise DataError(f"{path}: the split was changed after it was saved.", "Create it again: lentigo data split.")
    return header, manifest


def _checksum(header: Header, body: str) -> str:
    """SHA-256 over everything in the file, so that no setting can be changed by hand unnoticed."""
    left_out = {"checksum"} if header.labels is not None else {"checksum", "labels"}  # splits from before had none
    settings = json.dumps(header.model_dump(exclude=left_out), sort_keys=True)
    return hashlib.sha256(f"{settings}\n{body}".encode()).hexdigest()


def _no_split(path: Path, why: str) -> DataError:
    return DataError(f"{path}: not a lentigo split ({why}).", "Create one with lentigo data split.")
