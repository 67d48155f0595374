"""What is compared: lentigo's bundles, and peers with random weights, which cost what trained ones do."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["CLASSES", "PEERS", "Quality", "quality_of_bundle", "quality_of_peer"]

CLASSES = 7
PEERS = {
    "MobileNetV2-TL": "mobilenetv2_tl",
    "ResNet50-TL": "resnet50_tl",
    "VGG16-TL": "vgg16_tl",
    "MobileNetV3-small": "torchvision/mobilenet_v3_small",
    "EfficientNet-B0": "timm/efficientnet_b0",
    "EfficientNet-Lite0": "timm/tf_efficientnet_lite0",
    "compressed_cnn": "compressed_cnn",
    "efficient_cnn": "efficient_cnn",
    "efficient_cnn, 0.69 M": "efficient_cnn_reconstructed",
    "explainable_cnn": "explainable_cnn",
    "melanoma_cnn": "melanoma_cnn",
}
"""Names in `lentigo.models` by the names shown; each at its native size."""


@dataclass(frozen=True)
class Quality:
    """Balanced accuracy over the seven diagnoses of HAM10000, on folds grouped by lesion, at the balanced prior.

    Attributes:
        value, low, high: None where it was not measured.
        source: file that it was read from.
    """

    value: float | None = None
    low: float | None = None
    high: float | None = None
    source: str = "not measured"

    @property
    def text(self) -> str:
        """As a cell."""
        if self.value is None:
            return self.source
        interval = "" if self.low is None else f" ({self.low:.3f} to {self.high:.3f})"
        return f"{self.value:.3f}{interval}"


def quality_of_bundle(metrics: dict[str, Any], name: str, results: Path) -> Quality:
    """The mean over folds if that was measured; else what the bundle's metadata say."""
    folds = _of_folds(name, results)
    found = metrics.get("equal_prevalence", {}).get("balanced_accuracy")
    if folds or not found:
        return folds or Quality()
    return Quality(found["value"], found.get("low"), found.get("high"), "its metadata")


def quality_of_peer(network: str, results: Path) -> Quality:
    """What results/ hold of a network under a protocol that is not leaky: folds first, then the studies."""
    folds = _of_folds(network, results)
    if folds:
        return folds
    for path in sorted(results.glob("studies/*/study.json")):
        study = json.loads(path.read_text(encoding="utf-8"))
        for outcome in study["outcomes"]:
            if outcome["network"] == network and _is_comparable(study["study"], outcome):
                found = outcome["honest"]["views"]["equal_prevalence"]["diagnosis"]["values"]["balanced_accuracy"]
                where = f"{path.relative_to(results.parent).as_posix()}, trained for epochs: {outcome['epochs']}"
                if fresh := outcome["start"].get("fresh"):
                    where += f", {', '.join(fresh)} from random weights"
                return Quality(found["value"], found["low"], found["high"], where)
    return Quality()


def _is_comparable(study: str, outcome: dict[str, Any]) -> bool:
    """Whether it is honest, over the diagnoses, of the size that is timed, and started as its name says."""
    from lentigo import models  # here, for cells are timed from the start of their process
    from lentigo.studies import STUDIES

    pretrained = STUDIES[study].system(outcome["system"]).pretrained
    size = models.entry(outcome["network"]).size
    fitting = outcome["task"] == "diagnosis" and outcome["size"] == size and bool(outcome["start"]) >= pretrained
    return fitting and not outcome["leaky"]


def _of_folds(name: str, results: Path) -> Quality | None:
    from flagships_parts import fold_means  # here, for cells are timed from the start of their process

    means = fold_means(results).get(name)
    if means is None:
        return None
    found = means["balanced_accuracy"]
    return Quality(found["value"], found["low"], found["high"], f"flagships.json, mean of {means['folds']} folds")
