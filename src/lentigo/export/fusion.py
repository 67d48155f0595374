"""A bundle of an image network as one that also takes age, sex and site, each of which may be missing."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from scipy.special import log_softmax, softmax

from lentigo import data
from lentigo.errors import BundleError
from lentigo.evaluation import Predictions
from lentigo.evaluation.calibration.scaling import fit_temperature
from lentigo.evaluation.predict import own_part
from lentigo.export.assemble import checked_name, checked_path
from lentigo.export.pack import TEMPERATURE
from lentigo.export.parity import Parity, check_parity
from lentigo.export.refit import predict_part_of, recalibrate
from lentigo.models.fusion import AGE_UNIT, KNOTS, MetadataBranch
from lentigo.runtime import Bundle, OptionalInput, Outputs
from lentigo.runtime.bundle import read_model
from lentigo.runtime.shipped import find_bundle
from lentigo.training.metadata import branch_logits, clinical_inputs, known_of, train_metadata

__all__ = ["choose_factor", "fuse"]

FACTORS = tuple(round(0.1 * k, 1) for k in range(16))
"""What the terms of the metadata may be scaled by; 0 leaves them out."""


def fuse(
    model: str | os.PathLike[str] | None,
    root: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    name: str | None = None,
    seed: int = 0,
) -> Bundle:
    """Write a bundle that adds what age, sex and site say to the logits of another bundle's network.

    The terms are trained on the model's training part, and scaled on its validation part. With nothing known of a
    patient the new file computes the old one's logits; that is verified before it appears. Temperature, thresholds and
    metrics are chosen and measured anew, with the metadata that each image has.

    Args:
        model: name or path of the bundle; None is the default model.
        root: the data set that it was trained on.
        out: the .onnx file to write.
        name: of the new model; without it the file's.
        seed: of the inputs that are dropped while training.

    Raises:
        BundleError: a bundle of format 1 or one that takes metadata already, or a file that differs from it.
        DataError: not its data set, or no metadata there.
        OutputError: the file can't be written.
    """
    target = checked_path(Path(out))
    called = checked_name(name or target.stem)
    base = Bundle(find_bundle(model), threads=1)
    graph = onnx.load_from_string(read_model(base.path))
    if base.metadata.inputs or base.metadata.format == 1:
        what = "takes metadata already" if base.metadata.inputs else "a bundle of format 1"
        raise BundleError(f"{base.path}: {what}.", "Start from the bundle of an image network.")
    if target.exists() and target.samefile(base.path):
        raise BundleError(f"{target}: this is the model itself.", "Name another file.")
    records = data.read(root)
    train = records.take(records.ids[base.origin.train.contains(records.ids)])
    own_part(base, records)  # refuses other data before anything is computed
    inputs = clinical_inputs(train)
    branch = train_metadata(train, inputs, seed)
    validation = predict_part_of(records, base, "validation")
    shown = records.take(validation.table["image_id"])
    image = image_logits(base, validation)
    terms = branch_logits(branch, known_of(shown, inputs))
    prior = np.array(base.metadata.training_prevalence)
    factor = choose_factor(image, terms, validation.labels, prior)
    add_branch(graph, branch.scaled(factor), inputs)
    metadata = base.metadata.model_copy(
        update={
            "name": called,
            "inputs": inputs,
            "parent_sha256": base.sha256,
            "parameters": base.metadata.parameters + sum(p.numel() for p in branch.parameters()),
        }
    )

    def verify(draft: Bundle) -> Parity:
        before = _Rescaled(base, draft.metadata.temperature)
        return check_parity(draft, before, own_part(base, records))  # type: ignore[arg-type]  # predict is all it needs

    return recalibrate(graph, metadata, records, target, verify)


def image_logits(bundle: Bundle, predictions: Predictions) -> NDArray[np.float64]:
    """The logits [N, K] at the balanced prior, before the temperature, that a bundle's probabilities came from.

    They are known but for a constant of each image, which no probability depends on.
    """
    return bundle.metadata.temperature * np.log(np.maximum(predictions.probabilities, 1e-30))


def choose_factor(
    image: NDArray[np.floating], terms: NDArray[np.floating], labels: NDArray[np.int64], prior: NDArray[np.float64]
) -> float:
    """The factor of `FACTORS` by which terms are best added to an image's logits: with the least log loss.

    Args:
        image, terms: logits at the balanced prior [N, K], of validation images.
        labels: their diagnoses [N].
        prior: share of each class in the training part [K]; a temperature is fitted for each factor at that mix.
    """

    def loss(factor: float) -> float:
        logits = image + factor * terms
        temperature = fit_temperature(logits, labels, prevalence=prior)
        log = log_softmax(logits / temperature + np.log(np.maximum(prior, 1e-12)), axis=1)
        return float(-log[np.arange(len(labels)), labels].mean())

    return min(FACTORS, key=loss)


def add_branch(model: onnx.ModelProto, branch: MetadataBranch, inputs: tuple[OptionalInput, ...]) -> None:
    """Declare the inputs, and add the branch's terms to the logits before they are divided by the temperature.

    Raises:
        BundleError: a graph whose logits can't be found.
    """
    graph = model.graph
    dividing = [n for n in graph.node if TEMPERATURE in n.input]
    if len(dividing) != 1 or dividing[0].input[1] != TEMPERATURE:
        raise BundleError("The graph has no logits that are divided by a temperature.", "Export the run again.")
    nodes: list[onnx.NodeProto] = []

    def constant(name: str, value: NDArray) -> str:
        graph.initializer.append(numpy_helper.from_array(value, f"meta/{name}"))
        return f"meta/{name}"

    def node(op: str, sources: list[str], **attributes: Any) -> str:
        output = f"meta/{len(nodes)}"
        nodes.append(helper.make_node(op, sources, [output], name=output, **attributes))
        return output

    state = {k: v.detach().numpy() for k, v in branch.state_dict().items()}
    # Known is 1 and missing 0: an age is at least 0, and missing is -1.
    column = node("Unsqueeze", ["age", constant("axis", np.array([1], np.int64))])
    shifted = node("Add", [column, constant("one", np.array(1, np.float32))])
    known = node("Clip", [shifted, constant("low", np.array(0, np.float32)), "meta/one"])
    years = node("Div", [column, constant("unit", np.array(AGE_UNIT, np.float32))])
    bends = node("Relu", [node("Sub", [years, constant("knots", np.array([KNOTS], np.float32))])])
    slope = node("MatMul", [bends, constant("age_w", np.ascontiguousarray(state["age.weight"].T))])
    terms = [node("Mul", [known, node("Add", [slope, constant("age_b", state["age.bias"][None])])])]
    for name in ("sex", "site"):
        # The last row, of zeros, is that of a missing value: its position is the number of categories.
        table = np.concatenate([state[name], np.zeros((1, state[name].shape[1]), np.float32)])
        terms.append(node("Gather", [constant(name, table), name], axis=0))
    shift = node("Add", [node("Add", terms[:2]), terms[2]])
    fused = node("Add", [dividing[0].input[0], shift])
    dividing[0].input[0] = fused
    place = list(graph.node).index(dividing[0])
    for offset, made in enumerate(nodes):
        graph.node.insert(place + offset, made)
    for one in inputs:
        kind = TensorProto.FLOAT if one.kind == "number" else TensorProto.INT64
        graph.input.append(helper.make_tensor_value_info(one.name, kind, ["N"]))
    onnx.checker.check_model(model, full_check=True)


class _Rescaled:
    """A bundle as it would answer at another temperature."""

    def __init__(self, base: Bundle, temperature: float) -> None:
        self._base, self._power = base, base.metadata.temperature / temperature

    def predict(self, images: NDArray[np.uint8]) -> Outputs:
        found = self._base.predict(images)
        logits = self._power * np.log(np.maximum(found.probabilities, 1e-38))
        return found._replace(probabilities=softmax(logits, axis=1).astype(np.float32))
