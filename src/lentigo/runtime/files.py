"""Classify what a user names: files, folders and patterns, with pictures of where the model looked."""

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from lentigo.progress import note, track
from lentigo.runtime.classifier import Classifier, Failure
from lentigo.runtime.selection import select
from lentigo.runtime.verdict import Verdict

__all__ = ["classify_files"]


def classify_files(
    paths: Iterable[str | os.PathLike[str]],
    *,
    model: str | os.PathLike[str] | None = None,
    explain: str | os.PathLike[str] | None = None,
    prevalence: Mapping[str, float] | None = None,
) -> Iterator[Verdict | Failure]:
    """Classify files, all images in folders, and what patterns match, in order.

    What lies in folders and is no image is counted in one line on standard error.

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
    selection = select(paths)
    if selection.notice:
        note(selection.notice)
    files = selection.files
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
