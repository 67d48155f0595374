"""Explain what a user names: files, folders and patterns, with figures and, given masks, shares on the lesion."""

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lentigo.errors import DataError, ImageError, did_you_mean
from lentigo.explanation.explaining import explain
from lentigo.explanation.methods import find_method
from lentigo.explanation.opening import check_fits, open_model
from lentigo.explanation.pictures import save_explanation
from lentigo.explanation.result import Explanation
from lentigo.progress import track
from lentigo.runtime.files import planned_pictures, selected_images
from lentigo.runtime.heat_panels import STYLES
from lentigo.runtime.lesion_masks import OnLesion, find_mask, mask_folder, read_mask

__all__ = ["ExplainedFile", "explain_files"]


@dataclass(frozen=True)
class ExplainedFile:
    """The result for one file.

    Attributes:
        source: the file.
        explanation: None where there is an error.
        on_lesion: how much of the map lies on the lesion; None without a mask.
        picture: the figure's file; None where none was asked for.
        error: what is wrong with the image or its mask, and what to do; None if nothing is.
    """

    source: str
    explanation: Explanation | None = None
    on_lesion: OnLesion | None = None
    picture: Path | None = None
    error: str | None = None

    def __str__(self) -> str:
        if self.explanation is None:
            return f"{self.source}: not explained: {self.error}"
        found = self.explanation
        said = [f"{self.source}: {found.method} for {found.name or found.target}"]
        said += ["the map is empty: nothing in the square speaks for it"] if found.empty else []
        said += [f"lesion: {self.on_lesion}"] if self.on_lesion else []
        said += [str(self.picture)] if self.picture else []
        return "; ".join(said)


def explain_files(
    paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    *,
    method: str = "cam",
    target: str | None = None,
    model: Any = None,
    out: str | os.PathLike[str] | None = None,
    style: str = "side-by-side",
    masks: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    parameters: Mapping[str, Any] | None = None,
) -> Iterator[ExplainedFile]:
    """Explain the answers for files, all images in folders, and what patterns match, in order.

    Args:
        paths: files, folders or patterns such as 'clinic/*.jpg'.
        method: name of one of `METHODS`.
        target: id or name of the diagnosis; None is each image's most probable one.
        model: as for `open_model`.
        out: folder for the figures, named after the images and ending in '.heatmap.png'. Nothing but an earlier heat
            map is ever replaced there.
        style: 'side-by-side', 'overlay', 'contour' or 'map'.
        masks: folder of lesion masks, NAME_segmentation.png, NAME_mask.png or NAME.png, of the images' sizes.
        overwrite: replace earlier heat maps in `out`.
        parameters: of the method.

    Yields:
        An `ExplainedFile` for each, with an error for an image that can't be read, is not gradable, or lacks its mask.

    Raises:
        ImageError: a pattern or folder without any image, or nothing that exists.
        OutputError: a heat map would replace a file.
        BundleError, RunError, DataError, MissingExtraError: as `explain` for the model, method, target and parameters;
            no such style, or no such folder of masks.
    """
    if style not in STYLES:
        raise DataError(f"No style {style!r}.", did_you_mean(style, STYLES))
    found = find_method(method)
    settings = found.settings(parameters or {})
    opened = open_model(model)
    check_fits(found, opened)
    if target is not None:
        opened.labels.find(target)
    files = selected_images(paths)
    if masks is not None:
        mask_folder(masks)
    pictures = {} if out is None else planned_pictures(files, Path(out), overwrite=overwrite)

    def results() -> Iterator[ExplainedFile]:
        for file in track(files, f"Explaining by {method}", len(files)):
            try:
                explanation = explain(file, method, target, model=opened, **settings)
                lesion = None if masks is None else _mask(masks, file, explanation)
                picture = pictures.get(file)
                if picture is not None:
                    save_explanation(explanation, file, picture, overwrite=overwrite, style=style, lesion=lesion)
                share = None if lesion is None else explanation.on_lesion(lesion)
                yield ExplainedFile(str(file), explanation, share, picture)
            except (ImageError, DataError) as error:
                yield ExplainedFile(str(file), error=str(error))

    return results()


def _mask(folder: str | os.PathLike[str], file: Path, explanation: Explanation) -> Any:
    found = find_mask(folder, file)
    if found is None:
        raise DataError(
            f"{file}: no mask of it in {folder}.", f"Add {file.stem}_segmentation.png, or explain it without --masks."
        )
    return read_mask(found, explanation.size)
