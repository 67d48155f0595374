"""A model meets data of other labels only through a stated mapping, of the data's labels, the model's, or both."""

import hashlib
import os
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lentigo import data
from lentigo.errors import DataError
from lentigo.evaluation.predictions import Predictions
from lentigo.labels import BINARY, LabelMapping, find_label_set, find_mapping, read_mapping
from lentigo.labels.label_set import LabelSet
from lentigo.runtime import Origin, Outputs, Predictor

__all__ = ["MappedPredictor", "Met", "meet"]

Mapping = str | os.PathLike[str] | LabelMapping


class MappedPredictor:
    """A model whose probabilities are summed as a mapping of its labels states. It has no maps.

    Args:
        model: what predicts.
        mapping: from the model's labels to others; it must leave none out.

    Raises:
        DataError: the mapping is from other labels, or leaves one out.
    """

    def __init__(self, model: Predictor, mapping: LabelMapping) -> None:
        if mapping.source != model.labels:
            raise DataError(
                f"{model.name} distinguishes {model.labels}, but the mapping is for {mapping.source}.",
                "Give a mapping from the model's labels.",
            )
        self._model, self._mapping = model, mapping
        prior = mapping.probabilities(np.array(model.origin.training_prevalence))
        self.origin: Origin = replace(model.origin, training_prevalence=tuple(prior.tolist()))

    @property
    def name(self) -> str:
        """That of the model."""
        return self._model.name

    @property
    def sha256(self) -> str:
        """Over the model's hash and the mapping."""
        return hashlib.sha256(f"{self._model.sha256} {self._mapping.pairs}".encode()).hexdigest()

    @property
    def labels(self) -> LabelSet:
        """What the mapping leads to."""
        return self._mapping.result

    @property
    def size(self) -> int:
        """Side of the square that the network sees, in pixels."""
        return self._model.size

    def predict(self, images: NDArray[np.uint8]) -> Outputs:
        """Summed probabilities [N, L] and OOD scores [N] of images [N, H, W, 3]."""
        found = self._model.predict(images)
        return Outputs(self._mapping.probabilities(found.probabilities).astype(np.float32), None, found.ood_score)


@dataclass(frozen=True)
class Met:
    """A model and data with the same labels.

    Attributes:
        model: what predicts, perhaps through a mapping.
        records: the data, perhaps through a mapping.
        mappings: those that were applied, in words.
        sha256: hash of the model itself.
        summed: whether probabilities of the model are sums.
    """

    model: Predictor
    records: data.Records
    mappings: tuple[str, ...]
    sha256: str
    summed: bool

    def described(self, predictions: Predictions) -> Predictions:
        """Predictions that say how they were mapped.

        Sums are of probabilities at the model's own balanced prior, from which Bayes' rule leads to no prevalence of
        the summed labels alone, so that the training prevalence is left out.
        """
        if not self.mappings:
            return predictions
        meta = {**predictions.meta, "model_sha256": self.sha256, "mappings": list(self.mappings)}
        if self.summed:
            meta |= {"training_prevalence": None}
        return Predictions(predictions.table, meta)


def meet(model: Predictor, records: data.Records, mapping: Mapping | None = None, *, own: bool = False) -> Met:
    """Bring a model and data to the same labels, by what is stated and nothing else.

    Args:
        model: what predicts.
        records: the data.
        mapping: name of the label set to bring both to by mappings that ship; or a file, or a mapping, from the data's
            labels to the model's or the other way round.
        own: whether the data are those that the model was trained on, so that a model of benign and malignant takes
            the data's malignancy as it did in training.

    Raises:
        DataError: other labels and no mapping; or a mapping that doesn't lead from one to the other.
    """
    of_data, of_model = _mappings(model, records, mapping, own)
    return Met(
        model=model if of_model is None else MappedPredictor(model, of_model),
        records=records if of_data is None else records.mapped(of_data),
        mappings=tuple(str(m) for m in (of_data, of_model) if m is not None),
        sha256=model.sha256,
        summed=of_model is not None,
    )


def _mappings(
    model: Predictor, records: data.Records, mapping: Mapping | None, own: bool
) -> tuple[LabelMapping | None, LabelMapping | None]:
    """The mapping of the data's labels, and that of the model's; None where one stays as it is."""
    if mapping is None:
        if model.labels == records.label_set:
            return None, None
        if _reordered(model.labels, records.label_set):
            same = tuple((c, c) for c in model.labels.classes)
            return LabelMapping(records.label_set, model.labels, same), None
        if own and model.labels == BINARY:
            return find_mapping(BINARY, records.label_set), None
        raise DataError(
            f"{records.name} has the labels of {records.label_set}, {model.name} distinguishes {model.labels}.",
            "Map the labels: --map NAME of the label set to map both to, or --map FILE.",
        )
    if isinstance(mapping, LabelMapping):
        return (mapping, None) if mapping.source == records.label_set else (None, mapping)
    if Path(mapping).suffix:
        return _of_file(model, records, mapping)
    result = find_label_set(str(mapping))
    of_data = None if records.label_set == result else find_mapping(result, records.label_set)
    return of_data, None if model.labels == result else find_mapping(result, model.labels)


def _reordered(one: LabelSet, other: LabelSet) -> bool:
    """Whether two sets differ in the order of their labels alone."""
    return set(one.labels) == set(other.labels) and one.melanoma == other.melanoma


def _of_file(
    model: Predictor, records: data.Records, path: str | os.PathLike[str]
) -> tuple[LabelMapping | None, LabelMapping | None]:
    """A file's mapping, in the direction that its labels have."""
    try:
        return read_mapping(path, records.label_set, model.labels), None
    except DataError as first:
        try:
            return None, read_mapping(path, model.labels, records.label_set)
        except DataError:
            raise first from None
