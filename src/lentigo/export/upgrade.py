"""A bundle of format 1 as format 2: the same network, calibration and thresholds, from the file alone and its data."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from torch import nn

from lentigo import data, models
from lentigo.atomic import replacing
from lentigo.errors import BundleError
from lentigo.evaluation.ood.detector import Gaussian, OODDetector
from lentigo.evaluation.ood.graph import OODScore
from lentigo.evaluation.predict import own_part, predict_own_part
from lentigo.evaluation.run_predictor import split_description
from lentigo.export.assemble import checked_path, fingerprints, plain_labels
from lentigo.export.graph import build_graph
from lentigo.export.module import ExportModule
from lentigo.export.parity import check_parity
from lentigo.export.refit import choose_ood, choose_points, headline, write
from lentigo.runtime import NOTICE, Bundle
from lentigo.runtime.bundle import read_model
from lentigo.runtime.metadata import FORMAT, Head
from lentigo.training.recipe import Recipe

__all__ = ["upgrade"]

TOLERANCE = 1e-4
"""Largest difference of a probability between the two files."""
IMAGES = 500


def upgrade(path: str | os.PathLike[str], out: str | os.PathLike[str], records: data.Records) -> Bundle:
    """Write a bundle of format 1 anew, as format 2.

    The network and the temperature stay what they are. The OOD detector is made compact. All thresholds are chosen
    again with the new file on the validation part, and the metrics measured again with it on the test part.

    Args:
        path: the bundle of format 1, of one of lentigo's own networks, which the export named by its parts.
        out: the .onnx file to write.
        records: the data set that it was trained on.

    Raises:
        DataError: its split can't be made again from these records.
        BundleError: not of format 1, or another network; or the new file differs from the old one.
        OutputError: the file can't be written there.
    """
    old, target = Bundle(path, threads=1), checked_path(Path(out))
    if old.metadata.format != 1:
        raise BundleError(f"{path}: this bundle already has format {old.metadata.format}.", "It needs no upgrade.")
    described = old.metadata
    split = data.split(records, described.split["protocol"], fold=described.split["fold"], seed=described.split["seed"])
    test = own_part(old, records)  # refuses another split
    tensors = _tensors(onnx.load_from_string(read_model(path)))
    module = _module(old, tensors)
    model = build_graph(module, described.size)
    head = Head(name="diagnosis", output="probabilities", label_set=plain_labels(old.labels))
    metadata = described.model_copy(
        update={
            "format": FORMAT,
            "heads": (head,),
            "split": split_description(split),
            "recipe": Recipe.from_dict(dict(described.recipe)).to_dict(),
            "fingerprints": fingerprints(split),
            "notice": NOTICE,
        }
    )
    with replacing(target) as partial:
        write(model, metadata, partial)
        draft = Bundle(partial, threads=1)
        validation = predict_own_part(draft, records, "validation")
        chosen = choose_points(validation)
        _refuse_difference(old, draft, test)
        measured = {
            "ood_score": choose_ood(validation),
            "operating_points": chosen.points,
            "no_operating_point": chosen.reasons,
            "parity": check_parity(draft, module, test).to_dict(),
            "metrics": headline(predict_own_part(draft, records, "test")),
        }
        write(model, metadata.model_copy(update=measured), partial)
        Bundle(partial)
    return Bundle(target)


def _tensors(model: onnx.ModelProto) -> dict[str, NDArray]:
    """The file's tensors by their names in torch. Equal ones are stored once: batch norms tell whose they are."""
    found = {i.name: numpy_helper.to_array(i) for i in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "BatchNormalization":
            layer = node.input[1].removesuffix(".weight")
            for name, part in zip(("weight", "bias", "running_mean", "running_var"), node.input[1:], strict=True):
                found[f"{layer}.{name}"] = found[part]
    return found


def _module(old: Bundle, tensors: dict[str, NDArray]) -> ExportModule:
    described = old.metadata
    averaged = bool(described.recipe.get("mirror_average"))  # old name
    prefix = "network.network." if averaged else "network."
    state = {k.removeprefix(prefix): torch.from_numpy(v.copy()) for k, v in tensors.items() if k.startswith(prefix)}
    network: Any = models.build(described.network, num_classes=len(old.labels))
    try:
        missing = network.load_state_dict(state, strict=False)
    except RuntimeError as error:
        raise BundleError(
            f"{old.path}: not the network {described.network} ({error}).", "Export it again from its run."
        ) from None
    lost = [k for k in missing.missing_keys if not k.endswith("num_batches_tracked")]
    if lost or missing.unexpected_keys:
        raise BundleError(
            f"{old.path}: not the network {described.network}: {', '.join(lost)} are not in the file.",
            "Export it again from its run.",
        )
    wrapped: nn.Module = models.FlipTTA(network) if averaged else network
    module = ExportModule(wrapped, (0.0,) * 3, (1.0,) * 3, tensors["offset"], described.temperature)
    module.mean.copy_(torch.from_numpy(tensors["mean"].copy()))
    module.std.copy_(torch.from_numpy(tensors["std"].copy()))
    features, appearance = (_gaussian(tensors, name) for name in ("features", "appearance"))
    module.ood = OODScore(OODDetector(features, appearance, threshold=1.0, images=0))
    return module.eval()


def _gaussian(tensors: dict[str, NDArray], name: str) -> Gaussian:
    """The compact form of a distance that is stored as a whitening W and the means times W."""
    whitening, means = (
        tensors[f"oddness.{name}.{part}"].astype(np.float64)  # old name
        for part in ("whitening", "means")
    )
    weights, directions = np.linalg.eigh(whitening @ whitening.T)
    return Gaussian(means @ np.linalg.inv(whitening), directions, weights, 0.0).compact()


def _refuse_difference(old: Bundle, new: Bundle, test: data.Records) -> None:
    """Both files on real images: equal probabilities, and the same side of every threshold of the old one."""
    chosen = np.unique(np.linspace(0, len(test) - 1, min(IMAGES, len(test))).astype(int))
    for path in test.table["path"].iloc[chosen]:
        image = test.decode(path)[None]
        a, b = old.predict(image).probabilities[0], new.predict(image).probabilities[0]
        same = all(_side(old, a, k) == _side(old, b, k) for k in range(len(old.metadata.operating_points)))
        if not (np.abs(a - b).max() < TOLERANCE and a.argmax() == b.argmax() and same):
            raise BundleError(f"{new.path}: the new file differs from {old.path} on {path}.", "Keep the old one.")


def _side(bundle: Bundle, probabilities: NDArray, point: int) -> bool:
    chosen, labels = bundle.metadata.operating_points[point], bundle.labels
    ids = labels.malignant if chosen.target == "malignancy" else (labels.melanoma,)
    return bool(sum(probabilities[labels.classes.index(c)] for c in ids if c) >= chosen.threshold)
