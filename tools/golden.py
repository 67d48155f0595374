"""Write the verdicts that each shipped model gives for three drawn images, which the tests hold it to.

python tools/golden.py

A model whose verdicts stand there already keeps them: they change only with its file, never with the code around it.
"""

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lentigo.runtime import Classifier, shipped_models
from lentigo.runtime.verdict import Verdict

FOLDER = Path(__file__).parent.parent / "tests" / "runtime" / "golden"
IMAGES = (
    (71, 5, (155, 91, 91), 0.05, (206, 161, 170)),
    (61, 15, (145, 62, 52), 0.19, (220, 165, 179)),
    (45, 4, (90, 55, 50), 0, (120, 90, 70)),
)
"""Radius, softness of the edge, colour and waves of a lesion, and the colour of the skin."""


def main() -> None:
    """Write what is missing or is of another file."""
    for name in shipped_models():
        path, classifier = FOLDER / f"{name}.json", Classifier.load(name, threads=1)
        if path.is_file() and json.loads(path.read_text(encoding="utf-8"))["sha256"] == classifier.sha256:
            continue
        verdicts = [values(classifier.classify(drawn(*image))) for image in IMAGES]
        found = {"sha256": classifier.sha256, "verdicts": verdicts}
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
        print(f"Wrote {path}")


def values(verdict: Verdict) -> dict[str, object]:
    """What is compared."""
    return {
        "decision": verdict.decision,
        "top": verdict.top,
        "probabilities": {label: round(p, 5) for label, p in verdict.raw["probabilities"].items()},
        "ood_score": round(verdict.ood_score, 4),
    }


def drawn(
    radius: float, edge: float, colour: tuple[int, ...], wave: float, skin_colour: tuple[int, ...]
) -> NDArray[np.uint8]:
    """A lesion by a few formulas, the same on every machine and in every version of the drawing code."""
    y, x = np.mgrid[:240, :320]
    angle = np.arctan2(y - 120, x - 160)
    rim = radius * (1 + wave * np.sin(3 * angle) + wave * np.cos(5 * angle + 1))
    inside = (1 / (1 + np.exp((np.hypot(y - 120, (x - 160) * 0.85) - rim) / edge)))[..., None]
    light = (1 - 0.0000025 * ((x - 160) ** 2 + (y - 120) ** 2))[..., None]
    texture = (6 * np.sin(x / 5.0) * np.sin(y / 6.0))[..., None]
    pixels = np.array(skin_colour) * (1 - inside) + (np.array(colour) + texture) * inside
    return (pixels * light).clip(0, 255).round().astype(np.uint8)


if __name__ == "__main__":
    main()
