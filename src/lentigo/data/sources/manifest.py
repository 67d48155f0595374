"""What is known of a data set before it is on disk: addresses, sizes, checksums, licence and citation."""

from functools import cache
from importlib.resources import files
from types import MappingProxyType

from pydantic import BaseModel, ConfigDict, Field, field_validator

from lentigo.data.archives import place_of
from lentigo.errors import DataError, did_you_mean

__all__ = ["Manifest", "RemoteFile", "find_manifest", "list_manifests", "load_manifests"]


_PLAIN_NAME = r"^\w[\w.-]*$"
"""A name in the folder itself: no '..', nothing hidden, no other folder."""


class RemoteFile(BaseModel):
    """One file of a data set, as its publisher offers it.

    Attributes:
        name: the name to keep it under: one plain file name.
        address: where to download it, https: or http: and nothing else; or None where a login is needed and it must be
            fetched by hand.
        size: bytes, or None where it is not known for certain.
        stated_size: what the publisher's page prints instead, such as '23 GB'.
        checksum: 'md5:...' or 'sha256:...', or None where none is known: such a file is only checked for being whole.
        unpack_to: the folder that a zip archive is unpacked into, or None to keep the file as it is.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=_PLAIN_NAME)
    address: str | None = Field(pattern=r"^https?://[^\s/]+/\S*$")
    size: int | None = Field(ge=1)
    stated_size: str | None = None
    checksum: str | None = Field(pattern=r"^(md5:[0-9a-f]{32}|sha256:[0-9a-f]{64})$")
    unpack_to: str | None = Field(default=None, pattern=_PLAIN_NAME)

    @property
    def readable_size(self) -> str:
        """The size for people."""
        if self.size is None:
            return self.stated_size or "size unknown"
        return f"{self.size / 1e9:.2f} GB" if self.size >= 1e8 else f"{self.size / 1e6:.2f} MB"


class Manifest(BaseModel):
    """A data set that can be fetched.

    Attributes:
        name: what to call it in `fetch`, and `Records.name` of what is read from it.
        title: its full name.
        homepage: the page for people, and for downloads by hand.
        licence: licence of the images.
        citation: what to cite.
        checksums: where the sizes and checksums come from.
        files: what it consists of; no two of them, unpacked or not, have one name, in whatever case.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=_PLAIN_NAME)
    title: str
    homepage: str
    licence: str
    citation: str
    checksums: str
    files: tuple[RemoteFile, ...] = Field(min_length=1)

    @field_validator("files")
    @classmethod
    def _apart(cls, listed: tuple[RemoteFile, ...]) -> tuple[RemoteFile, ...]:
        """Of two with one name the second would be taken for the first, and never fetched."""
        names = [name for file in listed for name in (file.name, file.unpack_to) if name is not None]
        keys = [place_of(name) for name in names]
        if twice := next((name for i, name in enumerate(names) if keys[i] in keys[:i]), None):
            raise ValueError(f"two files or folders would have the name {twice!r}")
        return listed

    def summary(self) -> str:
        """What to read before downloading: licence first, then what comes."""
        lines = [f"{self.title} ({self.homepage})", f"Licence: {self.licence}", f"Cite: {self.citation}", "Files:"]
        for file in self.files:
            check = file.checksum.partition(":")[0] if file.checksum else "no checksum known"
            lines.append(f"  {file.name}, {file.readable_size}, {check}")
        return "\n".join(lines)


@cache
def load_manifests() -> MappingProxyType[str, Manifest]:
    """All manifests that ship with lentigo, by name."""
    found = {}
    for entry in sorted(files("lentigo.data.sources").joinpath("manifests").iterdir(), key=lambda e: e.name):
        if entry.name.endswith(".json"):
            manifest = Manifest.model_validate_json(entry.read_text(encoding="utf-8"))
            found[manifest.name] = manifest
    return MappingProxyType(found)


def list_manifests() -> str:
    """What can be fetched, a line each: name, full name and licence."""
    manifests = load_manifests().values()
    width = max(len(m.name) for m in manifests)
    return "\n".join(f"{m.name:<{width}}  {m.title}. Licence: {m.licence}." for m in manifests)


def find_manifest(name: str) -> Manifest:
    """The manifest of a data set.

    Raises:
        DataError: no data set has that name; the message lists those that have one.
    """
    manifests = load_manifests()
    if name not in manifests:
        raise DataError(f"Unknown data set {name!r}.", did_you_mean(name, manifests))
    return manifests[name]
