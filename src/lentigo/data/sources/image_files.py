"""Find the image files of a source by what its table calls them, and account for every other file.

A name that fits several files is ambiguous: which of them is the picture, and which a mask, a thumbnail or another
conversion, can't be told, so none is taken unless their bytes are equal.
"""

import filecmp
import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from lentigo.data.records import Problem
from lentigo.runtime.formats import claimed_format
from lentigo.runtime.heatmap_files import is_heatmap
from lentigo.runtime.walking import survey

__all__ = ["ImageFiles", "NotFound", "find_id", "is_companion", "is_text", "packed_hint", "plain_id", "same_bytes"]

_COMPANION = re.compile(
    r"(.+?)[_-](?:(?:lesion_?)?(?:segmentation|seg|masks?)|ground_?truth|gt|superpixels|attribute_\w+"
    r"|thumb(?:nail)?|preview|overlay)",
    re.IGNORECASE,
)
"""Masks and thumbnails beside an image, under its id and a word more; they are no images of the data set."""

_PAPERS = frozenset(
    """
    .csv .tsv .tab .txt .md .rst .json .xml .html .htm .pdf .doc .docx .xls .xlsx .ods .yaml .yml .toml .ini .cfg .log
    .zip .gz .tgz .tar .7z .rar .bz2 .xz .npz .npy .h5 .hdf5 .mat .pkl .parquet .onnx .pt .pth .py .ipynb .md5 .sha1
    .zst .tflite .safetensors .sha256 .sha512 .bib .url .lnk .lock .part .partial .db .sqlite .mp4 .avi .mov .wav .mp3
    """.split()  # noqa: SIM905
)
"""Suffixes of files that nobody takes for an image."""
_PAPER_NAMES = frozenset({"readme", "licence", "license", "copying", "attribution", "changelog", "md5sums", "ham10000"})


@dataclass(frozen=True)
class NotFound:
    """Why a row's image can't be used: kind and reason of the problem."""

    kind: str
    reason: str


@dataclass
class ImageFiles:
    """The images below a folder, found by name; it remembers which were asked for.

    Attributes:
        root: the folder.
        images: the files, absolute and sorted.
        problems: files that may be images and can't be read: foreign formats, broken links, locked folders.
        again: links to folders whose files are among the images, and these folders' own paths, absolute.
    """

    root: Path
    images: tuple[Path, ...]
    problems: list[Problem] = field(default_factory=list)
    again: dict[Path, Path] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._used: set[Path] = set()
        self._copies: dict[Path, str] = {}
        self._by_name: dict[str, list[Path]] = defaultdict(list)
        self._by_stem: dict[str, list[Path]] = defaultdict(list)
        for path in self.images:
            self._by_name[_key(path.name)].append(path)
            self._by_stem[_key(_stem(path))].append(path)

    @classmethod
    def below(cls, root: Path) -> "ImageFiles":
        """All images below a folder, links followed, told by their content."""
        found = survey(root)
        problems = [
            Problem(str(path), f"{kind.name} is not supported; {kind.next_step}", "unread format", "ignored")
            for path, kind in found.foreign
        ]
        problems += [Problem(str(s.path), s.reason, s.kind, "ignored") for s in found.skipped if not s.harmless]
        problems += [
            Problem(str(path), "its content is not a known image format", "unknown file", "ignored")
            for path in found.others
            if not _is_paper(path)
        ]
        maps = {path for path in found.images if _is_heatmap(path)}
        problems += [Problem(str(path), "drawn by lentigo", "heat map", "ignored") for path in sorted(maps)]
        nameless = {path for path in found.images if not is_text(path)}
        why = "its path is not in UTF-8, so that no table can name it; rename it"
        problems += [Problem(str(path), why, "unreadable name", "ignored") for path in sorted(nameless)]
        images = tuple(path.absolute() for path in found.images if path not in maps | nameless)
        again = {s.path.absolute(): s.first.absolute() for s in found.skipped if s.first is not None}
        return cls(root.absolute(), images, problems, again)

    def only(self, wanted: Callable[[Path], bool]) -> "ImageFiles":
        """Those of the images for which `wanted` is true; the rest must be accounted for by the caller."""
        return ImageFiles(self.root, tuple(filter(wanted, self.images)), self.problems, self.again)

    def find(self, name: str) -> Path | NotFound:
        """The image that a table calls `name`: an id, or the name of a file with its suffix, in any folder.

        A name with a suffix fits files of that kind only: `a.jpg` is never taken from a `a.png`, which may be its mask.
        Folders in the name must be those that the file lies in.
        """
        folders, _, plain = _key(name.replace("\\", "/")).rpartition("/")
        fits = self._by_name.get(plain) or self._by_stem.get(_stem(Path(plain)), [])
        if folders:
            fits = [path for path in fits if _key(path.parent.as_posix()).endswith(f"/{folders.lstrip('./')}")]
        claimed = claimed_format(Path(plain))
        if claimed is not None:
            others = fits
            fits = [path for path in fits if claimed_format(path) == claimed]
            if others and not fits:
                return NotFound("missing image", f"there is no {name}, and {others[0].name} may be another picture")
        if not fits:
            return NotFound("missing image", "its image file is missing")
        exact = [path for path in fits if path.name == Path(name).name or path.stem == name] or fits
        return self.one_of(exact)

    def one_of(self, paths: list[Path]) -> Path | NotFound:
        """The first of several files if their bytes are equal."""
        self._used.update(paths)
        if all(same_bytes(paths[0], path) for path in paths[1:]):
            self._copies |= dict.fromkeys(paths[1:], f"the same bytes as {paths[0]}")
            return paths[0]
        listed = ", ".join(str(path.relative_to(self.root)) for path in paths)
        return NotFound("ambiguous image", f"{len(paths)} different files have its name ({listed}): none is used")

    def use(self, path: Path) -> None:
        """Say that a table names a file by its path."""
        self._used.add(path)

    def extra(self, ids: Collection[str]) -> list[Problem]:
        """The images that no row asked for, and those that were passed over as copies of one that was.

        Args:
            ids: the image ids of the rows; masks and thumbnails of these ids are no images.
        """
        plain = {image_id.lower() for image_id in ids}
        copies = [Problem(str(path), reason, "identical file", "ignored") for path, reason in self._copies.items()]
        return copies + [
            Problem(str(path), "no row of the table names this image", "extra image", "ignored")
            for path in self.images
            if path not in self._used and not is_companion(path, plain)
        ]


def is_companion(path: Path, ids: Collection[str]) -> bool:
    """Whether a file is the mask or thumbnail of one of some images, given by their ids in lower case."""
    named = _COMPANION.fullmatch(path.stem.lower())
    return named is not None and named.group(1) in ids


def plain_id(name: str) -> str:
    """An image id without folders and without the suffix of an image: 'a\\ISIC_1.JPG' is 'ISIC_1'.

    An accented letter is one character, for systems differ in how they write it.
    """
    return unicodedata.normalize("NFC", _stem(Path(name.replace("\\", "/"))))


def find_id(name: str, known: Collection[str]) -> str | None:
    """The one of some image ids that a name stands for: as it is, or a file's path or name without its suffix."""
    plain = plain_id(name)
    path = (PurePosixPath(name.replace("\\", "/")).parent / plain).as_posix()
    return next((i for i in (name, path, plain) if i in known), None)


def is_text(path: Path) -> bool:
    """Whether a path can be written into a table: archives of old systems unpack to names in other encodings."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True


def packed_hint(root: Path) -> str:
    """What to do about archives that were never unpacked: '' where there are none."""
    packed = [root] if root.suffix.lower() == ".zip" else sorted(root.rglob("*.zip")) if root.is_dir() else []
    names = ", ".join(path.name for path in packed)
    return f"Unpack {names} there first: lentigo reads no archives." if packed else ""


def same_bytes(one: Path, other: Path) -> bool:
    """Whether two files are one, or hold the same bytes."""
    try:
        return one.samefile(other) or filecmp.cmp(one, other, shallow=False)
    except OSError:
        return False


def _key(name: str) -> str:
    """A name as it is compared: whatever its case, and with its accents in one form, for systems differ in both."""
    return unicodedata.normalize("NFC", name).lower()


def _is_heatmap(path: Path) -> bool:
    """Whether an image is one that lentigo drew; only files whose first bytes name one are looked into."""
    try:
        with path.open("rb") as file:
            named = b"heat map" in file.read(1024)
    except OSError:
        return False
    return named and is_heatmap(path)


def _stem(path: Path) -> str:
    """The name without the suffix of an image; other dots belong to the name."""
    return path.name if claimed_format(path) is None else path.stem


def _is_paper(path: Path) -> bool:
    """Whether a file is plainly no image: a table, a text, an archive."""
    suffix = path.suffix.lower()
    return suffix in _PAPERS or (not suffix and path.name.lower().partition("_")[0] in _PAPER_NAMES)
