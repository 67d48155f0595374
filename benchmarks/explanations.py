"""Which explanations can be believed? Every method on lesions of a run's test part, measured.

    python benchmarks/explanations.py RUN --masks FOLDER [--data ROOT] [--lesions 300] [--out results/explanations.md]

Each lesion is measured once and kept in --record, so that an interrupted measurement continues. The target is the
run's most probable diagnosis. Masks of the whole frame are cropped to the central square where images are squares.
Two controls explain nothing: a blob in the middle of the square, and noise.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from explanations_page import CONTROLS, write_page
from lentigo import Classifier
from lentigo.errors import DataError
from lentigo.explanation import METHODS, Explanation, explain, of_verdict, open_model
from lentigo.explanation.measures import alike, cascade, deletion, insertion, pointing_game, stability
from lentigo.progress import track
from lentigo.runtime import decode
from lentigo.training import load_run

SETTINGS: dict[str, dict[str, Any]] = {
    "rise": {"masks": 64},
    "lime": {"samples": 48},
    "shap": {"samples": 48},
    "smooth_grad": {"samples": 6},
    "integrated_gradients": {"steps": 8},
}
"""Fewer samples than the defaults, where those would take hours; the page states them."""
CLOSER = 20
"""Lesions on which randomised networks are measured."""
STEPS = 6
"""Of deletion and insertion."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("run")
    parser.add_argument("--masks", type=Path, required=True)
    parser.add_argument("--data", help="where the run's images are now")
    parser.add_argument("--lesions", type=int, default=300)
    parser.add_argument("--closer", type=int, default=CLOSER)
    parser.add_argument("--record", type=Path, default=Path("explanations.jsonl"))
    parser.add_argument("--out", type=Path, default=Path("results/explanations.md"))
    options = parser.parse_args()
    run = load_run(options.run, data=options.data)
    model = open_model(run)
    rows = chosen(run, options.lesions)
    # Of another network, other parameters or other steps a record says nothing here.
    key = json.loads(json.dumps({"model": model.sha256, "settings": all_settings(), "steps": STEPS}))
    done = [line for line in _lines(options.record) if line["key"] == key]
    with options.record.open("a", encoding="utf-8") as record:
        for i, row in enumerate(track(rows, "Explaining", len(rows))):
            if row["image_id"] in {line["image_id"] for line in done}:
                continue
            line = row | {"key": key} | measured(model, row, options.masks, closer=i < options.closer)
            done.append(line)
            record.write(json.dumps(line) + "\n")
            record.flush()
    wanted = {row["image_id"] for row in rows}
    lines = [line for line in done if line["image_id"] in wanted]
    taken = lookup(rows[0]["path"])
    write_page(options.out, lines, model=model, run=run, settings=all_settings(), lookup=taken, steps=STEPS)


def lookup(path: str) -> float:
    """Median seconds for the map of another diagnosis over the image, once the default model has given a verdict."""
    verdict = Classifier.load(threads=1).classify(path)
    times = []
    for _ in range(50):
        for diagnosis in verdict.classes:
            started = time.perf_counter()
            of_verdict(verdict, diagnosis).heat()
            times.append(time.perf_counter() - started)
    return float(np.median(times))


def all_settings() -> dict[str, dict[str, Any]]:
    """Parameters of each method, as they were measured."""
    return {name: method.settings(SETTINGS.get(name, {})) for name, method in METHODS.items()}


def chosen(run: Any, lesions: int) -> list[dict[str, str]]:
    """One image of each of so many lesions of the test part, drawn once for all; in random order."""
    table = run.split.test.table.drop_duplicates("lesion_id")
    some = table.sample(min(lesions, len(table)), random_state=0)
    return [
        {"image_id": r.image_id, "lesion_id": r.lesion_id, "dx": r.dx, "path": str(r.path)} for r in some.itertuples()
    ]


def measured(model: Any, row: dict[str, str], masks: Path, *, closer: bool) -> dict[str, Any]:
    """All figures of one lesion, by method."""
    image = decode(row["path"])
    lesion = mask_of(masks, row["image_id"], image.shape[:2])
    started = time.perf_counter()
    probabilities = model.predict(image[None]).probabilities[0]
    forward = time.perf_counter() - started
    target = model.labels.classes[int(probabilities.argmax())]
    networks = list(cascade(model, stages=3, seed=int(row["image_id"][-4:], 36))) if closer else []
    found: dict[str, Any] = {}
    first: Explanation | None = None
    for name, method in METHODS.items():
        settings = method.settings(SETTINGS.get(name, {}))
        started = time.perf_counter()
        # An image that is not gradable is explained too: the test part is measured as it is.
        explanation = explain(image, name, target, model=model, ungradable=True, **settings)
        seconds = time.perf_counter() - started
        first = first or explanation
        found[name] = {"seconds": seconds, **_figures(model, image, explanation, lesion)}
        found[name]["stability"] = stability(explanation, image, model=model, changes=("noise",), ungradable=True)
        if closer:
            found[name]["random"] = [
                alike(explanation, explain(image, name, target, model=other, ungradable=True, **settings))
                for _, other in networks
            ]
    for name, values in controls(model.size, row["image_id"]).items():
        control = Explanation(values, target, name, {}, first.size, first.square, "", model.name, "")
        found[name] = _figures(model, image, control, lesion)
    return {"target": target, "area": explanation.on_lesion(lesion).area, "forward": forward, "methods": found}


def _figures(model: Any, image: NDArray[np.uint8], explanation: Explanation, lesion: NDArray[np.bool_]) -> dict:
    return {
        "deletion": deletion(model, image, explanation, steps=STEPS).area,
        "insertion": insertion(model, image, explanation, steps=STEPS).area,
        "energy": explanation.on_lesion(lesion).share,
        "pointing": pointing_game(explanation, lesion),
    }


def controls(size: int, seed: str) -> dict[str, NDArray[np.float32]]:
    """Maps that know nothing of the network: a blob in the middle, and noise."""
    away = np.linspace(-1, 1, size) ** 2
    blob = np.exp(-(away[:, None] + away[None]) / (2 * 0.4**2))
    noise = np.random.default_rng(int(seed[-4:], 36)).random((size, size))
    return dict(zip(CONTROLS, (blob.astype(np.float32), noise.astype(np.float32)), strict=True))


def mask_of(folder: Path, image_id: str, size: tuple[int, int]) -> NDArray[np.bool_]:
    """The lesion's mask at the size of its image."""
    mask = Image.open(folder / f"{image_id}_segmentation.png").convert("L")
    if size[0] == size[1] != mask.height:
        side = min(mask.size)
        left, top = (mask.width - side) // 2, (mask.height - side) // 2
        mask = mask.crop((left, top, left + side, top + side)).resize(size[::-1], Image.Resampling.NEAREST)
    found = np.asarray(mask) > 127
    if found.shape != tuple(size) or not found.any():
        raise DataError(f"{image_id}: its mask is empty or does not fit.")
    return found


def _lines(record: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in record.read_text(encoding="utf-8").splitlines()] if record.exists() else []


if __name__ == "__main__":
    main()
