"""Classify what a user names: files, folders and patterns, with pictures of where the model looked."""

import glob
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from lentigo.errors import ImageError
from lentigo.progress import track
from lentigo.runtime.classifier import Classifier, Failure
from lentigo.runtime.images import find_images
from lentigo.runtime.verdict import Verdict

__all__ = ["classify_files", "expand"]


def classify_files(
    paths: Iterable[str | os.PathLike[str]],
    *,
    model: str | os.PathLike[str] | None = None,
    explain: str | os.PathLike[str] | None = None,
    prevalence: Mapping[str, float] | None = None,
) -> Iterator[Verdict | Failure]:
    """Classify files, all images in folders, and what patterns match, in order.

    Args:
        paths: files, folders or patterns such as 'clinic/*.jpg'.
        model: name or path of a bundle; without it the default one.
        explain: folder for the pictures, one an image, named after it: the heat map of the most probable diagnosis on
            the image.
        prevalence: how common each diagnosis id is where the images come from; without it, equally common.

    Yields:
        A `Verdict` for each image, or a `Failure` for one that can't be read; the others go on.

    Raises:
        ImageError: a pattern or folder without any image.
        BundleError: no such model.
    """
    files = expand(paths)
    folder = None if explain is None else Path(explain)
    if folder:
        folder.mkdir(parents=True, exist_ok=True)
    # With many images each thread computes one; with one image all threads share it.
    classifier = Classifier.load(model, threads=1 if len(files) > 1 else 0)
    results = classifier.classify_many(files, prevalence=prevalence)
    names = _picture_names(files)
    for file, result in zip(files, track(results, "Classifying", len(files)), strict=True):
        if folder and isinstance(result, Verdict):
            result.overlay().save(folder / names[file])
        yield result


def expand(paths: Iterable[str | os.PathLike[str]]) -> list[Path]:
    """Files, the images in folders, and what patterns match; a file that is named twice is taken once.

    Raises:
        ImageError: a pattern or folder without any image, or nothing named.
    """
    files: dict[Path, None] = {}
    for named in paths:
        given = os.fspath(named)
        path = Path(given).expanduser()
        if path.is_dir():
            found = find_images(path)
            if not found:
                raise ImageError(f"{path}: no image in this folder.", "Name a folder with JPEG or PNG files.")
        elif not path.exists() and glob.has_magic(given):
            found = [Path(p) for p in sorted(glob.glob(str(path), recursive=True)) if Path(p).is_file()]  # noqa: PTH207
            if not found:
                raise ImageError(f"{given}: no file matches this pattern.", "Check the pattern.")
        else:
            found = [path]  # if it is absent or no image, its row says so
        files.update(dict.fromkeys(found))
    if not files:
        raise ImageError("No image was named.", "Give files, folders or patterns.")
    return list(files)


def _picture_names(files: list[Path]) -> dict[Path, str]:
    """A name for each picture; files of the same name in different folders get their folders' names too."""
    names: dict[Path, str] = {}
    taken: set[str] = set()
    for file in files:
        name, parents = file.stem, list(file.absolute().parents)
        for parent in parents:
            if name not in taken:
                break
            name = f"{parent.name}-{name}"
        while name in taken:  # a.jpg and a.png of one folder
            name = f"{name}-{file.suffix.lstrip('.')}"
        taken.add(name)
        names[file] = f"{name}.png"
    return names
