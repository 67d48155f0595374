"""Classify what a user names: files, folders and patterns, with heat maps of the evidence."""

import hashlib
import os
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from lentigo.arguments import checked
from lentigo.atomic import make_folder
from lentigo.errors import DataError, ImageError
from lentigo.progress import note, track
from lentigo.runtime.classifier import Classifier
from lentigo.runtime.clinical import read_clinical
from lentigo.runtime.failure import Failure
from lentigo.runtime.heatmap_files import SUFFIX, is_heatmap, refuse_to_replace
from lentigo.runtime.prevalence import check_prevalence
from lentigo.runtime.selection import Selection, select
from lentigo.runtime.shipped import find_bundle
from lentigo.runtime.verdict import Verdict

__all__ = ["FileResults", "classify_files", "planned_pictures", "selected_images"]

STDIN = Path("-")
"""The argument that means standard input."""


class FileResults(Iterator[Verdict | Failure]):
    """An iterator over the results of `classify_files`, with counts of each kind so far.

    Attributes:
        files: number of images to classify.
        unreadable: number of images so far that could not be read.
        not_gradable: number of images so far that are not gradable.
    """

    def __init__(self, results: Iterator[Verdict | Failure], files: int) -> None:
        self._results = results
        self.files = files
        self.unreadable = 0
        self.not_gradable = 0

    def __next__(self) -> Verdict | Failure:
        result = next(self._results)
        self.unreadable += isinstance(result, Failure)
        self.not_gradable += isinstance(result, Verdict) and not result.gradable
        return result

    @property
    def notices(self) -> list[str]:
        """A sentence for each problem that must not be overlooked."""
        of = f"of {self.files} images"
        counted = (
            (self.unreadable, f"{self.unreadable} {of} could not be read."),
            (self.not_gradable, f"{self.not_gradable} {of} {_is(self.not_gradable)} not gradable: no result for them."),
        )
        return [sentence for count, sentence in counted if count]


@checked
def classify_files(
    paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    *,
    model: str | os.PathLike[str] | None = None,
    explain: str | os.PathLike[str] | None = None,
    prevalence: Mapping[str, float] | None = None,
    metadata: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    progress: bool = True,
) -> FileResults:
    """Classify files, all images in folders, and what patterns match, in order.

    Other files in folders, and pictures drawn by lentigo, are left out and counted on standard error.

    Args:
        paths: files, folders, patterns such as 'clinic/*.jpg', or '-' for an image on standard input.
        model: name or path of a bundle; None is the default model.
        explain: folder for the heat maps, one per image, named after it and ending in '.heatmap.png'. No input and
            nothing but an earlier heat map is ever replaced there.
        prevalence: how common each diagnosis is where the images come from, by id or name; without it, balanced.
        metadata: a CSV of `image` (file names, as the files are called) and any of the inputs that the model takes,
            such as age, sex and site. Images that it doesn't name, and empty cells, are classified without.
        overwrite: replace earlier heat maps in `explain`.
        progress: show a bar on standard error if that is a terminal.

    Returns:
        An iterator over a `Verdict` for each image, or a `Failure` for one that can't be read.

    Raises:
        ImageError: a pattern or folder without any image, nothing that exists, or a heat map that would replace a file.
        BundleError: no such model.
        DataError: the prevalence is incomplete or impossible, or metadata that the model doesn't take, or of no image.
    """
    find_bundle(model)  # report a mistyped name before anything is read
    files = selected_images(paths)
    pictures = {} if explain is None else planned_pictures(files, Path(explain), overwrite=overwrite)
    # With many images each thread computes one; one image, or one after the other, has all threads.
    classifier = Classifier.load(model, threads=1 if len(files) > 1 and metadata is None else 0)
    if metadata is None:
        results = classifier.classify_many(
            [sys.stdin.buffer if file == STDIN else file for file in files], prevalence=prevalence
        )
    else:
        results = _with_metadata(classifier, files, Path(metadata), prevalence)
    shown = track(results, "Classifying", len(files)) if progress else results
    explained = _explained(files, shown, pictures, overwrite=overwrite)
    return FileResults(explained, len(files))


def _with_metadata(
    classifier: Classifier, files: list[Path], table: Path, prevalence: Mapping[str, float] | None
) -> Iterator[Verdict | Failure]:
    """A result for each file, with what a table knows of it by its name."""
    rows = read_clinical(table, classifier.bundle.metadata.inputs)
    stated = None if prevalence is None else check_prevalence(prevalence, classifier.labels)
    names = Counter(file.name for file in files)
    if twice := [name for name, count in names.items() if count > 1 and name in rows]:
        raise DataError(f"{table}: {names[twice[0]]} images are called {twice[0]}.", "Classify their folders apart.")
    if absent := [name for name in rows if name not in names]:
        raise DataError(
            f"{table}: none of the images is called {absent[0]!r}.", "Name the files as they are called, with suffix."
        )
    note(f"Metadata are known for {len(rows)} of {len(files)} images.")

    def one(file: Path) -> Verdict | Failure:
        source = sys.stdin.buffer if file == STDIN else file
        try:
            return classifier.classify(source, prevalence=stated, clinical=rows.get(file.name))
        except ImageError as error:
            return classifier.failure(source, error)

    return map(one, files)


def selected_images(paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]]) -> list[Path]:
    """The images that files, folders and patterns name, in order; what is left out is counted on standard error.

    Raises:
        ImageError: a pattern or folder without any image, nothing that exists, or nothing but heat maps.
    """
    found = _selected([paths] if isinstance(paths, str | os.PathLike) else list(paths))
    if found.notice:
        note(found.notice)
    files = _without_heatmaps(found.files)
    _refuse_absent(files)
    return files


def _explained(
    files: list[Path], results: Iterable[Verdict | Failure], pictures: Mapping[Path, Path], *, overwrite: bool
) -> Iterator[Verdict | Failure]:
    """The results, each after its heat map was written."""
    for file, result in zip(files, results, strict=True):
        if file in pictures and isinstance(result, Verdict):
            try:
                result.save_overlay(pictures[file], overwrite=overwrite)
            except ImageError as error:  # it was replaced meanwhile: which of the two was classified?
                yield Failure(result.source, str(error), result.model, result.model_sha256, result.classes)
                continue
        yield result


def _selected(named: list[str | os.PathLike[str]]) -> Selection:
    """As `select`, with `-` for standard input in its place."""
    if not all(map(_is_named, named)):
        raise ImageError("A path is empty.", "Give files, folders or patterns; perhaps a shell variable is empty.")
    if any(os.fspath(one) == "-" for one in named):
        found = Selection()
        for one in named:
            part = Selection([STDIN]) if os.fspath(one) == "-" else _selected([one])
            found.files += [file for file in part.files if file not in found.files]
            found.others += part.others
            found.skipped += part.skipped
        return found
    found = select(named)
    found.files = [file.absolute() if file == STDIN else file for file in found.files]  # a file with that name
    return found


def _is_named(path: str | os.PathLike[str]) -> bool:
    """Whether it names anything: '' would mean the current folder."""
    return bool(os.fspath(path).strip())


def _without_heatmaps(found: list[Path]) -> list[Path]:
    """The files except pictures that lentigo drew, which are counted on standard error."""
    files = [file for file in found if file == STDIN or not is_heatmap(file)]
    left_out = len(found) - len(files)
    if not files:
        raise ImageError(
            f"{found[0]}: a picture drawn by lentigo, not an image of a lesion"
            + (f", and so are {left_out - 1} more." if left_out > 1 else "."),
            "Classify the original images.",
        )
    if left_out:
        note(f"Not classified: {left_out} {'picture' if left_out == 1 else 'pictures'} drawn by lentigo.")
    return files


def _refuse_absent(files: list[Path]) -> None:
    """If nothing that was named exists, a typing mistake is more likely than a use for rows that say so."""
    if not any(file == STDIN or os.path.lexists(file) for file in files):
        others = f", nor are the {len(files) - 1} others there" if len(files) > 1 else ""
        raise ImageError(f"{files[0]}: there is no such file{others}.", "Check the path.")


def planned_pictures(files: list[Path], folder: Path, *, overwrite: bool) -> dict[Path, Path]:
    """Where each file's heat map goes; refused before any work if a file there must stay.

    Raises:
        OutputError: a file would be replaced that is no earlier heat map, or one without `overwrite`.
    """
    make_folder(folder)
    pictures = {file: folder / name for file, name in _picture_names(files).items()}
    for picture in pictures.values():
        refuse_to_replace(picture, overwrite=overwrite)
    return pictures


def _is(count: int) -> str:
    return "is" if count == 1 else "are"


def _picture_names(files: list[Path]) -> dict[Path, str]:
    """A unique name for each heat map; files with the same name in different folders get their folders' names too."""
    names: dict[Path, str] = {}
    taken: set[str] = set()  # lower case: some file systems ignore case
    for file in files:
        stem = "stdin" if file == STDIN else file.stem
        name = stem
        for parent in [] if file == STDIN else file.absolute().parents:
            if _shortened(name).lower() not in taken:
                break
            name = f"{parent.name}-{name}"
        while _shortened(name).lower() in taken:  # a.jpg and a.png in one folder
            name = f"{name}-{file.suffix.lstrip('.') or 'again'}"
        taken.add(_shortened(name).lower())
        names[file] = f"{_shortened(name)}{SUFFIX}"
    return names


def _shortened(name: str) -> str:
    """At most 200 bytes, with a hash for what was cut: file systems allow 255."""
    content = os.fsencode(name)
    if len(content) <= 200:
        return name
    return f"{os.fsdecode(content[:180])}-{hashlib.sha256(content).hexdigest()[:12]}"
