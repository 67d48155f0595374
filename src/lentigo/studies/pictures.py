"""The papers' figures that show images of the data set: samples, augmented samples, each model's answers.

They hold images of the data set and are for the reader who has it; they are not for redistribution.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from lentigo import data
from lentigo.evaluation import Predictions
from lentigo.explanation import explain
from lentigo.explanation.network import Network
from lentigo.render.plots import canvas, drawing, save
from lentigo.runtime.heat_panels import overlaid
from lentigo.studies.outcome import Finished, native_predictions
from lentigo.studies.study import Study
from lentigo.training import Recipe, load_run
from lentigo.training.inputs import PixelInput

__all__ = ["draw_pictures"]

SIDE = 100
"""Pixels a side of a picture."""
SHOWN = 8
"""Images of the figure that shows every model's answers."""


def draw_pictures(study: Study, finished: Sequence[Finished], records: data.Records, folder: Path) -> list[Path]:
    """Draw what the paper shows of images, as PNG."""
    wanted = {figure.shows for figure in study.figures}
    folder.mkdir(parents=True, exist_ok=True)
    drawn = []
    with drawing():
        if "samples" in wanted:
            drawn.append(save(_grid(_samples(records), 5), folder / "samples.png"))
        changing = [f for f in finished if load_run(f.folder / "run").recipe.augments]
        if changing:
            drawn.append(save(_grid(_augmented(changing[0], records), 6), folder / "augmented.png"))
        drawn.append(save(_answers(finished, records), folder / "predictions.png"))
        for figure in study.figures:
            own = [f for f in finished if f.outcome.system == figure.system]
            if figure.shows == "heat_maps" and own:
                drawn.append(save(_grid(_heat_maps(own[-1], records), 4), folder / "heat-maps.png"))
    return drawn


def _samples(records: data.Records, each: int = 5) -> dict[str, NDArray]:
    """Five images of each diagnosis, drawn with a fixed seed."""
    generator = np.random.default_rng(0)
    chosen = []
    for name in records.label_set.classes:
        ids = records.table.loc[records.table["dx"] == name, "image_id"]
        chosen += generator.choice(ids, min(each, len(ids)), replace=False).tolist()
    some = records.take(chosen)
    pixels = data.load_pixels(records, SIDE)
    names = [f"{dx}\n{i}" for dx, i in zip(some.table["dx"], some.ids, strict=True)]
    return dict(zip(names, pixels.of(some), strict=True))


def _augmented(one: Finished, records: data.Records) -> dict[str, NDArray]:
    """One image of each of three diagnoses and five changes of it, by the recipe of one training."""
    recipe: Recipe = load_run(one.folder / "run").recipe
    inputs, generator = PixelInput(recipe, torch.zeros(3), torch.ones(3)), torch.Generator().manual_seed(0)
    pixels = data.load_pixels(records, SIDE)
    shown: dict[str, NDArray] = {}
    for name in ("mel", "nv", "bkl"):
        first = records.take(records.table.loc[records.table["dx"] == name, "image_id"].iloc[:1])
        batch = torch.from_numpy(pixels.of(first)).permute(0, 3, 1, 2).expand(5, -1, -1, -1)
        shown[f"{name}, as it is"] = pixels.of(first)[0]
        changed = inputs.views(batch, torch.zeros(5, 1), generator)[0].permute(0, 2, 3, 1).numpy()
        shown |= {f"{name}, draw {i + 1}": image for i, image in enumerate(changed)}
    return shown


def _heat_maps(one: Finished, records: data.Records) -> dict[str, NDArray]:
    """A test image of each diagnosis, and beside it where the network's answer comes from, by Grad-CAM."""
    run = load_run(one.folder / "run")
    model = Network.of_run(run)
    test = run.split.test
    first = test.take(test.table.drop_duplicates("dx")["image_id"])
    squares = data.load_pixels(run.split.records, run.recipe.size).of(first)
    shown: dict[str, NDArray] = {}
    for dx, square in zip(first.table["dx"], squares, strict=True):
        # The paper explains every image of its test part, gradable or not.
        found = explain(square, "grad_cam", model=model, ungradable=True)
        shown[f"is {dx}"] = square
        shown[f"{dx}, predicted {found.target}"] = np.asarray(overlaid(Image.fromarray(square), found.map))
    return shown


def _answers(finished: Sequence[Finished], records: data.Records) -> Figure:
    """The answers of every system, under the last protocol that was run, to the same test images."""
    protocol = finished[-1].outcome.protocol
    own = {f.outcome.system: f for f in reversed(finished) if f.outcome.protocol == protocol}
    tables = {
        name: native_predictions(Predictions.load(f.folder / "test.parquet"), load_run(f.folder / "run"))
        for name, f in reversed(own.items())
    }
    # Copies in an oversampled data set are not images of their own.
    common = sorted(set(records.ids).intersection(*(p.table["image_id"] for p in tables.values())))
    chosen = np.random.default_rng(0).choice(common, min(SHOWN, len(common)), replace=False)
    some = records.take(chosen)
    captions = [f"is {dx}" for dx in some.table["dx"]]
    for name, predictions in tables.items():
        rows = predictions.table.set_index("image_id").index.get_indexer(chosen)
        for i, (answer, sure) in enumerate(_answer(predictions, row) for row in rows):
            captions[i] += f"\n{name}: {answer} {sure:.0%}"
    images = data.load_pixels(records, SIDE).of(some)
    return _grid(dict(zip([f"{c}\n{i}" for c, i in zip(captions, chosen, strict=True)], images, strict=True)), 4)


def _answer(predictions: Predictions, row: int) -> tuple[str, float]:
    """The answer of a row of probabilities, and its confidence."""
    probabilities = predictions.probabilities[row]
    return predictions.label_set.classes[int(probabilities.argmax())], float(probabilities.max())


def _grid(pictures: dict[str, NDArray], columns: int) -> Figure:
    """Pictures with their captions under them."""
    rows = -(-len(pictures) // columns)
    lines = max(caption.count("\n") for caption in pictures) + 1
    figure, grid = canvas(1.9 * columns, rows * (1.7 + 0.14 * lines), rows, columns)
    for axes in grid.flat:
        axes.axis("off")
    for axes, (caption, picture) in zip(grid.flat, pictures.items(), strict=False):
        axes.imshow(picture)
        axes.set_title(caption, fontsize=6.5, y=-0.02, va="top", pad=0)
    return figure
