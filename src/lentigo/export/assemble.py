"""From a finished run to its bundle: graph, calibration, provenance, proof."""

import base64
import os
from pathlib import Path

import onnx

from lentigo import data, taxonomy
from lentigo.errors import BundleError, DataError
from lentigo.evaluation import calibrate, measure, predict_bundle_part, predict_part
from lentigo.evaluation.clinical import operating_points
from lentigo.evaluation.ood.detector import TARGET_FPR, OODDetector
from lentigo.export.graph import ExportModule, build_graph
from lentigo.export.ood import fit_run
from lentigo.export.parity import check_parity
from lentigo.runtime import NOTICE, Bundle, BundleMetadata, OODThreshold, OperatingPoint
from lentigo.runtime.bundle import FORMAT, METADATA_KEY, fingerprints
from lentigo.training import Run

__all__ = ["TARGET_SENSITIVITY", "bundle"]

TARGET_SENSITIVITY = 0.95
"""Share of melanomas, and of malignant lesions, that the operating points should find."""


def bundle(run: Run, out: str | os.PathLike[str], *, name: str | None = None) -> Bundle:
    """Write a run's one-file model and verify it against the network.

    The temperature, the operating points and the OOD threshold are chosen on the validation part; the metrics in
    the metadata are those of the test part. The file appears only if the parity check holds.

    Args:
        run: a finished run.
        out: the .onnx file to write.
        name: the model's name; without it the file's.

    Raises:
        RunError: the training has not finished.
        BundleError: the network has no class-activation maps, or the bundle differs from it.
    """
    path = Path(out)
    if path.suffix != ".onnx":
        raise BundleError(f"{path}: a bundle's name ends in .onnx.", "Name the output so.")
    network = run.network()
    if not hasattr(network, "maps"):
        raise BundleError(f"{run.model} has no class-activation maps.", "Take a network with a pooled linear head.")
    if run.recipe.target != "diagnosis":
        raise BundleError(f"{run.path} tells benign from malignant; a bundle has seven diagnoses.", "Train for those.")
    ood_score = fit_run(run)
    explained = ExportModule(network, run.mean, run.std, run.logit_offset, calibrate(run).temperature, ood_score)
    model = build_graph(explained, run.recipe.size)
    metadata = _describe(run, ood_score, name or path.stem, sum(p.numel() for p in network.parameters()))
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial.onnx")
    try:
        _write(model, metadata, partial)
        # What is measured is the file itself; then what was measured goes into it.
        draft = Bundle(partial)
        readable = data.load_pixels(run.split.records, run.recipe.size).readable(run.split.test)
        parity = check_parity(draft, explained, readable)
        measured = {"parity": parity.to_dict(), "metrics": _headline(draft, run.records)}
        _write(model, metadata.model_copy(update=measured), partial)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return Bundle(path)


def _write(model: onnx.ModelProto, metadata: BundleMetadata, path: Path) -> None:
    del model.metadata_props[:]
    model.metadata_props.add(key=METADATA_KEY, value=metadata.model_dump_json())
    path.write_bytes(model.SerializeToString())


def _describe(run: Run, ood_score: OODDetector, name: str, parameters: int) -> BundleMetadata:
    learned = run.split.manifest[run.split.manifest["part"].isin(["train", "validation"])]
    lesions = run.records.take(learned["image_id"]).table["lesion_id"]
    ids = sorted({*learned["image_id"], *lesions})
    return BundleMetadata(
        format=FORMAT,
        name=name,
        network=run.model,
        parameters=parameters,
        classes=taxonomy.CLASSES,
        size=run.recipe.size,
        temperature=calibrate(run).temperature,
        training_prevalence=run.prior,
        operating_points=_operating_points(run),
        ood_score=OODThreshold(
            threshold=ood_score.threshold, target_fpr=TARGET_FPR, validation_images=ood_score.images
        ),
        source=run.source,
        split={
            "protocol": run.split.protocol,
            "leaky": run.split.leaky,
            "fold": run.split.fold,
            "seed": run.split.seed,
            "sha256": run.split_sha256,
        },
        recipe=run.recipe.to_dict(),
        metrics={},
        parity={},
        seen=base64.b64encode(fingerprints(ids).tobytes()).decode(),
        licence=f"Weights: {run.licence}. Code: Apache-2.0." if run.licence else "Code: Apache-2.0.",
        citation=run.citation,
        notice=NOTICE,
        environment=dict(run.environment),
    )


def _headline(draft: Bundle, records: data.Records) -> dict[str, dict[str, dict[str, float | None]]]:
    """The headline metrics of the test part in both views, with their intervals."""
    metrics = measure(predict_bundle_part(draft, records), replicates=1000)
    shown = metrics.provenance.shown("headline")
    return {
        view: {name: metrics.get(name, view=view).model_dump(include={"value", "low", "high"}) for name in shown}
        for view in metrics.views
    }


def _operating_points(run: Run) -> tuple[OperatingPoint, ...]:
    """Thresholds for the wanted sensitivity, chosen on the validation part at equal prevalence."""
    validation = predict_part(run, "validation")
    points = []
    for task in ("melanoma", "malignancy"):
        try:
            chosen = operating_points.choose(validation, task, TARGET_SENSITIVITY)
        except DataError:  # a validation part without such lesions decides nothing
            continue
        positives = int(operating_points.scores(validation, task)[1].sum())
        points.append(
            OperatingPoint(
                target=task, target_sensitivity=chosen.target, threshold=chosen.threshold, validation_images=positives
            )
        )
    return tuple(points)
