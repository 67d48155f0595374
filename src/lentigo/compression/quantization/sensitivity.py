"""Which layers mind being quantized: each one alone in int8, on images that choose nothing else."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from lentigo import data
from lentigo.compression.quantization.graph import Layer, find_layers, load_graph
from lentigo.compression.quantization.images import calibration_images, decoded
from lentigo.compression.quantization.precisions import calibrated_tensors, to_int8
from lentigo.compression.quantization.ranges import Method, measure_ranges, session
from lentigo.evaluation.predict import own_part
from lentigo.progress import track
from lentigo.render.markdown import table
from lentigo.runtime import Bundle

__all__ = ["LayerSensitivity", "Sensitivity", "sensitivity"]

IMAGES = 128


@dataclass(frozen=True)
class LayerSensitivity:
    """What int8 in one layer alone changes.

    Attributes:
        name: of its node, for `keep=`.
        kind: Conv, Gemm or MatMul.
        shape: of its weights.
        divergence: mean Kullback-Leibler divergence of the probabilities from those of fp32, in nats.
        largest: largest difference of a probability.
        ood_score: mean relative difference of the OOD score; None of a bundle without one.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    divergence: float
    largest: float
    ood_score: float | None

    @property
    def weights(self) -> int:
        """Number of its weights."""
        return int(np.prod(self.shape))


@dataclass(frozen=True)
class Sensitivity:
    """Layers in the order of the network.

    Attributes:
        layers: one for each.
        images: validation images that were compared.
    """

    layers: tuple[LayerSensitivity, ...]
    images: int

    def keep(self, share: float = 0.1) -> tuple[str, ...]:
        """Names of the most sensitive layers, by divergence, that together hold at most this share of the weights.

        A single layer between two of them is kept too, where there is room: to change to integers and back takes longer
        than it saves.
        """
        room = share * sum(layer.weights for layer in self.layers)
        kept = []
        for layer in sorted(self.layers, key=lambda layer: -layer.divergence):
            if layer.weights > room:
                break
            room -= layer.weights
            kept.append(layer.name)
        chosen = set(kept)
        for before, layer, after in zip(self.layers, self.layers[1:], self.layers[2:], strict=False):
            if {before.name, after.name} <= chosen and layer.name not in chosen and layer.weights <= room:
                room -= layer.weights
                kept.append(layer.name)
        return tuple(kept)

    def to_markdown(self) -> str:
        """As a table, the most sensitive first."""
        rows = [
            [
                layer.name,
                layer.kind,
                "x".join(map(str, layer.shape)),
                f"{layer.divergence:.2e}",
                f"{layer.largest:.4f}",
                "-" if layer.ood_score is None else f"{layer.ood_score:.2%}",
            ]
            for layer in sorted(self.layers, key=lambda layer: -layer.divergence)
        ]
        return table(["layer", "kind", "weights", "divergence", "largest difference", "OOD score"], rows)


def sensitivity(
    bundle: Bundle,
    records: data.Records,
    *,
    calibration: Method = "minmax",
    images: int = IMAGES,
    seed: int = 0,
) -> Sensitivity:
    """Quantize one layer at a time and compare with the file in fp32, on validation images.

    Args:
        bundle: in fp32.
        records: the whole data set that it was trained on.
        calibration: as in `quantize`.
        images: training images to calibrate on, and validation images to compare on, at most.
        seed: of their draw.

    Raises:
        BundleError, DataError: as in `quantize`.
    """
    model = load_graph(bundle)
    layers = find_layers(model)
    training = calibration_images(bundle, records, images, seed=seed)
    ranges = measure_ranges(model, calibrated_tensors(model, layers), decoded(training, "Calibrating"), calibration)
    validation = own_part(bundle, records, "validation")
    rows = np.random.default_rng(seed).permutation(len(validation))[:images]
    pictures = list(decoded(validation.take(validation.ids[np.sort(rows)]), "Reading images"))
    exact = _answers(model, pictures)
    found = [
        _compared(layer, exact, _answers(to_int8(model, [layer], ranges), pictures))
        for layer in track(layers, "Quantizing one layer at a time", len(layers))
    ]
    return Sensitivity(tuple(found), len(pictures))


def _answers(model: onnx.ModelProto, pictures: list[NDArray[np.uint8]]) -> dict[str, NDArray[np.float64]]:
    """Probabilities [N, K], and OOD scores [N] if there are any."""
    asked: Any = session(model)
    names = [output.name for output in asked.get_outputs() if output.name in ("probabilities", "ood_score")]
    parts = [asked.run(names, {"image": picture}) for picture in pictures]
    return {name: np.concatenate([part[i] for part in parts]).astype(np.float64) for i, name in enumerate(names)}


def _compared(layer: Layer, exact: dict[str, NDArray], changed: dict[str, NDArray]) -> LayerSensitivity:
    p, q = (np.maximum(answers["probabilities"], 1e-30) for answers in (exact, changed))
    scores = [answers["ood_score"] for answers in (exact, changed) if "ood_score" in answers]
    return LayerSensitivity(
        layer.name,
        layer.kind,
        layer.shape,
        divergence=float((p * np.log(p / q)).sum(axis=1).mean()),
        largest=float(np.abs(p - q).max()),
        ood_score=float(np.abs(scores[1] / scores[0] - 1).mean()) if scores else None,
    )
