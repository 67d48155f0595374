"""How well a bundle notices images that show no skin lesion, and how often it flags real lesions of its test part.

    python benchmarks/ood.py RUN_OR_BUNDLE ROOT [--images 200] [--out FOLDER]

A run is exported first. The photographs are those that ship with scikit-image and scikit-learn, each whole and in
random crops; the other wrong images are drawn, but for the blurred ones, which are lesions of the test part. AUROC is
that of the OOD score against all readable images of the test part; 'flagged' counts an OOD score above the bundle's
threshold, 'not graded' adds the classifier's other reasons (blank, too few pixels).
"""

import argparse
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import skimage
from numpy.typing import NDArray
from PIL import Image, ImageFilter
from scipy.stats import binomtest
from sklearn.datasets import load_sample_images
from sklearn.metrics import roc_auc_score

from common import machine
from lentigo import data, export, taxonomy, training
from lentigo.data.sources.synthetic.wrong import KINDS, wrong_image
from lentigo.evaluation import Predictions, predict_own_part
from lentigo.runtime import Bundle, Classifier, decode

SHIPPED = {
    "photograph: cat": ["chelsea.png"],
    "photograph: person": ["astronaut.png"],
    "photograph: things and places": [
        *("brick.png", "coffee.png", "coins.png", "color.png", "grass.png", "gravel.png", "motorcycle_left.png"),
        *("rocket.jpg", "camera.png", "china.jpg", "flower.jpg"),
    ],
    "photograph: sky": ["hubble_deep_field.jpg", "moon.png"],
    "medical: stained section": ["ihc.png"],
    "medical: eye": ["retina.jpg"],
}
"""Files by kind; the two of scikit-learn are china.jpg and flower.jpg."""
CROPS = 12
"""Pictures of each file: the whole and random crops of 0.4 to 1 of its shorter side."""
BLUR = 0.06
"""Standard deviation of the blur, in shorter sides of the image."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, help="folder of a run, or a bundle")
    parser.add_argument("root", type=Path, help="the data set that it was trained on")
    parser.add_argument("--images", type=int, default=200, help="drawn images of each kind")
    parser.add_argument("--out", type=Path, help="folder for ood.json and ood.md")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if options.model.is_dir():
            bundle = export.bundle(training.load_run(options.model), Path(folder) / f"{options.model.name}.onnx")
        else:
            bundle = Bundle(options.model)
        report = measure(bundle, data.read(options.root), options.images)
    text = markdown(report)
    print(text)
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
        (options.out / "ood.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
        (options.out / "ood.md").write_text(text + "\n", encoding="utf-8")


def measure(bundle: Bundle, records: data.Records, images: int) -> dict:
    lesions = predict_own_part(bundle, records)
    ood_score, threshold = lesions.table["ood_score"].to_numpy(), bundle.metadata.ood_score.threshold
    classifier, wrong = Classifier(bundle), {}
    paths = records.take(lesions.table["image_id"]).table["path"]
    for kind, pictures in kinds(images, paths.tolist()):
        verdicts = [classifier.classify(picture) for picture in pictures]
        found = np.array([verdict.ood_score for verdict in verdicts])
        truth = np.repeat([0, 1], [len(ood_score), len(found)])
        wrong[kind] = {
            "images": len(found),
            "auroc": float(roc_auc_score(truth, np.concatenate([ood_score, found]))),
            "flagged": float((found > threshold).mean()),
            "not_judged": float(np.mean([not verdict.gradable for verdict in verdicts])),
        }
    return {
        "model": bundle.metadata.name,
        "model_sha256": bundle.sha256,
        "ood_threshold": bundle.metadata.ood_score.model_dump(),
        "lesions": flags(lesions, threshold),
        "wrong": wrong,
        "machine": machine(),
    }


def flags(lesions: Predictions, threshold: float) -> dict:
    """Share of real lesions flagged, of all and by diagnosis, with exact intervals of 95 % (over images)."""
    flagged, dx = lesions.table["ood_score"].to_numpy() > threshold, lesions.table["dx"].to_numpy()

    def share(chosen: NDArray[np.bool_]) -> dict:
        interval = binomtest(int(chosen.sum()), len(chosen)).proportion_ci()
        ends = {"low": float(interval.low), "high": float(interval.high)}
        return {"images": len(chosen), "flagged": float(chosen.mean()), **ends}

    return {"all": share(flagged), **{c: share(flagged[dx == c]) for c in taxonomy.CLASSES if (dx == c).any()}}


def kinds(images: int, lesions: list[str]) -> Iterator[tuple[str, list[NDArray[np.uint8]]]]:
    """Each kind of wrong image with its pictures."""
    for kind in KINDS:
        yield f"drawn: {kind}", [wrong_image(kind, seed) for seed in range(images)]
    for kind, names in SHIPPED.items():
        yield kind, [crop for name in names for crop in crops(photograph(name))]
    chosen = np.unique(np.linspace(0, len(lesions) - 1, images).astype(int))
    yield "lesions, blurred", [blurred(decode(lesions[i])) for i in chosen]
    yield (
        "lesions, 20x20 pixels",
        [np.asarray(Image.fromarray(decode(lesions[i])).resize((20, 20), Image.Resampling.BILINEAR)) for i in chosen],
    )


def photograph(name: str) -> NDArray[np.uint8]:
    samples = load_sample_images()
    for file, picture in zip(samples.filenames, samples.images, strict=True):
        if Path(file).name == name:
            return picture
    return decode(Path(skimage.__file__).parent / "data" / name)


def crops(picture: NDArray[np.uint8]) -> Iterator[NDArray[np.uint8]]:
    rng = np.random.default_rng(0)
    yield picture
    for _ in range(CROPS - 1):
        side = int(min(picture.shape[:2]) * rng.uniform(0.4, 1))
        top, left = (rng.integers(0, length - side + 1) for length in picture.shape[:2])
        yield np.ascontiguousarray(picture[top : top + side, left : left + side])


def blurred(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(Image.fromarray(picture).filter(ImageFilter.GaussianBlur(BLUR * min(picture.shape[:2]))))


def markdown(report: dict) -> str:
    threshold, lines = report["ood_threshold"], []
    lines += [f"# Wrong images: {report['model']}", ""]
    lines += [
        f"OOD threshold {threshold['threshold']:.3f}, chosen on {threshold['validation_images']} validation images for "
        f"a false-positive rate of {threshold['target_fpr']:.0%}. Bundle {report['model_sha256'][:12]}. "
        f"{report['machine']}.",
        "",
        "| Wrong image | n | AUROC | flagged | not graded |",
        "|---|--:|--:|--:|--:|",
    ]
    for kind, row in report["wrong"].items():
        lines.append(
            f"| {kind} | {row['images']} | {row['auroc']:.3f} | {row['flagged']:.1%} | {row['not_judged']:.1%} |"
        )
    lines += ["", "| Real lesions of the test part | n | flagged | 95 % interval |", "|---|--:|--:|--:|"]
    for name, row in report["lesions"].items():
        lines.append(f"| {name} | {row['images']} | {row['flagged']:.1%} | {row['low']:.1%} to {row['high']:.1%} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
