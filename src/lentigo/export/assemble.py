"""From a finished run to its bundle: graph, calibration, provenance, verification."""

import base64
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from lentigo import data
from lentigo.arguments import checked
from lentigo.atomic import writable
from lentigo.data.members import part_ids
from lentigo.errors import BundleError, ImageError
from lentigo.evaluation.ood.detector import TARGET_FPR
from lentigo.evaluation.ood.graph import OODScore, fit_run
from lentigo.evaluation.run_predictor import split_description
from lentigo.export.graph import build_graph
from lentigo.export.module import ExportModule
from lentigo.export.parity import Parity, check_parity
from lentigo.export.refit import DRAFT_TEMPERATURE, recalibrate
from lentigo.labels import LabelSet
from lentigo.runtime import NOTICE, Bundle, BundleMetadata, Head, IdSet, OODThreshold
from lentigo.runtime.metadata import FORMAT, LONGEST_NAME, Fingerprints
from lentigo.runtime.origins import citations, licences
from lentigo.runtime.perceptual import perceptual_hash
from lentigo.training import Run
from lentigo.training.start_record import public_start
from lentigo.training.students import published
from lentigo.written import unprintable

__all__ = ["bundle", "checked_name", "checked_path", "fingerprints", "plain_labels"]

HASHED = 250
"""Training images whose perceptual hashes travel along, drawn at random: enough to notice a data set made of them."""


@checked
def bundle(
    run: Run, out: str | os.PathLike[str], *, name: str | None = None, parent_sha256: str | None = None
) -> Bundle:
    """Write a run's one-file model and verify it against the network.

    The temperature, the operating points and the OOD threshold are chosen on the validation part with the file
    itself. The metrics in the metadata are those of the file on the test part. The file appears,
    or replaces what was there, only if the parity check holds.

    Args:
        run: a finished run.
        out: the .onnx file to write.
        name: the model's name; without it the file's.
        parent_sha256: hash of the bundle whose network was compressed into the run's; without it that of the weights
            that the run was fine-tuned from, if it was.

    Raises:
        RunError: the training has not finished.
        OutputError: the file can't be written there.
        BundleError: the bundle differs from the network.
    """
    path = checked_path(Path(out))
    called = checked_name(name or path.stem)
    module = ExportModule(run.network(), run.mean, run.std, run.logit_offset, DRAFT_TEMPERATURE)
    module.ood = OODScore(fit_run(run, module))
    model = build_graph(module, run.recipe.size)
    metadata = _describe(run, called, sum(p.numel() for p in module.network.parameters()))
    made_from = {"parent_sha256": parent_sha256 or run.parent_sha256, "compression": run.pruned_for}
    metadata = metadata.model_copy(update=made_from)
    readable = data.load_pixels(run.split.records, run.recipe.size).readable(run.split.test)

    def verify(draft: Bundle) -> Parity:
        module.set_temperature(draft.metadata.temperature)
        return check_parity(draft, module, readable)

    return recalibrate(model, metadata, run, path, verify)


def checked_path(path: Path) -> Path:
    """The output's path, refused before hours of work for what would be refused after it."""
    if path.suffix != ".onnx":
        raise BundleError(f"{path}: a bundle's name must end in .onnx.", "Rename the output.")
    return writable(path)


def checked_name(name: str) -> str:
    """A model's name, refused before hours of work if no file with it could be opened."""
    if not name.strip() or len(name) > LONGEST_NAME or unprintable(name):
        raise BundleError(
            f"{name!a} can't be the name of a model.", f"Give 1 to {LONGEST_NAME} characters that can be shown."
        )
    return name


def _describe(run: Run, name: str, parameters: int) -> BundleMetadata:
    """What is known before anything is measured."""
    split, licence = run.split, licences(run.source, run.licence, run.start)
    return BundleMetadata(
        format=FORMAT,
        name=name,
        network=run.model,
        parameters=parameters,
        heads=(Head(name="diagnosis", output="probabilities", label_set=plain_labels(run.classes)),),
        size=run.recipe.size,
        temperature=DRAFT_TEMPERATURE,
        training_prevalence=run.class_prior,
        operating_points=(),
        # Stands here until it is chosen, for a graph with a score needs one.
        ood_score=OODThreshold(threshold=1.0, target_fpr=TARGET_FPR, validation_images=0),
        source=run.source,
        split=split_description(split),
        recipe=published(run.recipe, run.soft_labels),
        options=dict(run.options),
        start=public_start(run.start),
        sources=tuple(source.public() for source in run.sources),
        metrics={},
        parity={},
        fingerprints=fingerprints(split, run.taught | run.started_from[1]),
        licence=f"Weights: {licence}. Code: Apache-2.0." if licence else "Code: Apache-2.0.",
        citation=citations(run.citation, run.start),
        notice=NOTICE,
        environment=dict(run.environment),
    )


def fingerprints(split: data.Split, taught: IdSet | None = None) -> Fingerprints:
    """The ids of a split's parts, and the perceptual hashes of some of its training images.

    Args:
        split: the split.
        taught: ids that the teachers of a student, or its starting weights, have seen, which count as its training
            part's.
    """
    train = split.train
    chosen = np.sort(np.random.default_rng(0).permutation(len(train))[:HASHED])

    def one(path: str) -> np.uint64 | None:
        try:
            return perceptual_hash(train.decode(path))
        except ImageError:
            return None

    with ThreadPoolExecutor() as pool:
        hashes = [h for h in pool.map(one, train.table["path"].iloc[chosen]) if h is not None]
    return Fingerprints(
        train=(part_ids(train) | (taught or IdSet({}))).encode(),
        validation=part_ids(split.validation).encode(),
        test=part_ids(split.test).encode(),
        perceptual=base64.b85encode(np.array(hashes, "<u8").tobytes()).decode(),
    )


def plain_labels(labels: LabelSet) -> dict[str, object]:
    """A label set as plain values, without what only people who name labels need."""
    kept = ("id", "name", "malignant", "snomed_ct", "snomed_term", "aliases")
    values = labels.to_dict()
    return {
        **values,
        "outside": (),
        "labels": [{k: v for k, v in label.items() if k in kept} for label in values["labels"]],
    }
