"""The result for one image, worded so that it never falsely reassures."""

import hashlib
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lentigo.errors import BundleError, ImageError
from lentigo.labels import Label, LabelSet
from lentigo.runtime.decisions import (
    BALANCED_PRIOR,
    NO_THRESHOLD,
    NOT_GRADABLE,
    STATED_PREVALENCE,
    SUSPICIOUS,
    Risk,
    members,
    printed,
    views_differ,
)
from lentigo.runtime.heat import heat
from lentigo.runtime.heatmap_files import mark, refuse_to_replace, save
from lentigo.runtime.heatmaps import draw
from lentigo.runtime.json_form import FORMAT, label_values, risk_values, rounded
from lentigo.runtime.kept import KeptImage
from lentigo.runtime.lesion_masks import OnLesion, on_lesion
from lentigo.texts import Text, text

__all__ = ["NOTICE", "Verdict"]

NOTICE = text("notice")

NO_OOD = text("no_ood")


@dataclass(frozen=True, repr=False)
class Verdict:
    """The result for one image.

    An image that is not gradable has no diagnosis, probabilities or risks; the model's outputs for it are in `raw`.

    Attributes:
        source: path or name of the image.
        gradable: whether the model can assess the image at all.
        rejection_reasons: why it is not, empty otherwise.
        decision: 'suspicious', 'negative at threshold', 'no threshold' (the model has none) or 'not gradable'.
            Decided in the view that each threshold was chosen in, regardless of any stated prevalence.
        operating_point: the thresholds in words.
        probabilities: by diagnosis id, calibrated: at the stated prevalence if there is one, else at balanced prior.
        prevalence: the share of each diagnosis that the caller stated, summing to 1; None where none was stated.
        risks: of melanoma and malignancy in both views, with their thresholds.
        ood_score: how unlike the training images it is; None for a model without one.
        ood_threshold: a score above it is out of distribution.
        model: name of the model.
        model_sha256: hash of its file, hexadecimal.
    """

    source: str
    gradable: bool
    rejection_reasons: tuple[str, ...]
    decision: str
    operating_point: str
    probabilities: Mapping[str, float] | None
    prevalence: Mapping[str, float] | None
    risks: Mapping[str, Risk]
    ood_score: float | None
    ood_threshold: float | None
    model: str
    model_sha256: str
    _balanced: Mapping[str, float]
    _labels: LabelSet = field(compare=False)
    _cam: NDArray[np.float32] | None = field(compare=False)
    _image: KeptImage = field(compare=False)

    def __repr__(self) -> str:
        if not self.gradable:
            return f"Verdict({self.source!r}: {NOT_GRADABLE}, {'; '.join(self.rejection_reasons)})"
        name, probability = self.diagnoses[0]
        risks = ", ".join(f"{target} risk {printed(r.at_balanced_prior)}" for target, r in self.risks.items())
        return (
            f"Verdict({self.source!r}: {self.decision}; {risks} at {BALANCED_PRIOR}; {name} {printed(probability, 2)})"
        )

    @property
    def classes(self) -> tuple[str, ...]:
        """Ids of the diagnoses that the model distinguishes, in its own order."""
        return self._labels.classes

    def name(self, diagnosis: str) -> str:
        """Full name of one of the model's diagnoses, by its id."""
        return self._labels[diagnosis].name

    def chosen(self, diagnosis: str | None = None) -> str:
        """The id of a diagnosis of the model.

        Args:
            diagnosis: id or name; None is the most probable one, '' where the image is not gradable.

        Raises:
            DataError: not a diagnosis of this model.
        """
        return (self.top or "") if diagnosis is None else self._labels.find(diagnosis).id

    def label(self, diagnosis: str) -> Label:
        """One of the model's diagnoses, by its id: name, code and whether it is malignant."""
        return self._labels[diagnosis]

    def content(self) -> bytes | None:
        """The image's file as bytes, read again; None where it was classified from pixels.

        Raises:
            ImageError: the file was removed or changed since it was classified.
        """
        return self._image.content()

    @property
    def image_sha256(self) -> str | None:
        """SHA-256 of the image's file, hexadecimal; None where it was classified from pixels.

        Raises:
            ImageError: the file was removed or changed since it was classified.
        """
        content = self.content()
        return None if content is None else hashlib.sha256(content).hexdigest()

    @property
    def view(self) -> str:
        """The view of `probabilities`, `melanoma` and `malignancy`: 'balanced prior' or 'stated prevalence'."""
        return BALANCED_PRIOR if self.prevalence is None else STATED_PREVALENCE

    @property
    def diagnoses(self) -> list[tuple[str, float]]:
        """Full names and probabilities, the most probable first; empty if the image is not gradable."""
        return [(self._labels[c].name, p) for c, p in _ranked(self.probabilities or {})]

    @property
    def top(self) -> str | None:
        """Id of the most probable diagnosis; None if the image is not gradable."""
        return _ranked(self.probabilities)[0][0] if self.probabilities else None

    @property
    def melanoma(self) -> float | None:
        """Probability of melanoma; None if the image is not gradable, or the model doesn't know melanoma."""
        return self._sum(self.probabilities, "melanoma")

    @property
    def malignancy(self) -> float | None:
        """Probability of any malignant diagnosis, actinic keratosis / intraepithelial carcinoma included; or None."""
        return self._sum(self.probabilities, "malignancy")

    @property
    def raw(self) -> dict[str, object]:
        """The model's outputs at balanced prior, gradable or not: 'probabilities', 'diagnosis' and both risks.

        Not a result if the image is not gradable.
        """
        finite = all(map(math.isfinite, self._balanced.values()))
        return {
            "probabilities": {c: rounded(p) for c, p in self._balanced.items()},
            "diagnosis": _ranked(self._balanced)[0][0] if finite else None,
            "melanoma": rounded(self._sum(self._balanced, "melanoma")),
            "malignancy": rounded(self._sum(self._balanced, "malignancy")),
        }

    @property
    def next_step(self) -> str:
        """The next step; never that nothing needs to be done."""
        return self.next_step_in("en")

    def next_step_in(self, language: str) -> str:
        """The next step in a language of `lentigo.texts`.

        Raises:
            DataError: no such language.
        """
        notice = text("notice", language)
        if not self.gradable:
            reasons = "; ".join(r.said(language) if isinstance(r, Text) else r for r in self.rejection_reasons)
            return f"{text('step.not_gradable', language, reasons=reasons)} {notice}"
        key = {SUSPICIOUS: "step.suspicious", NO_THRESHOLD: "step.no_threshold"}.get(self.decision, "step.negative")
        blind = text("no_ood", language) if self.blind_spot else ""
        return " ".join(filter(None, (text(key, language), views_differ(self.risks, language), blind, notice)))

    @property
    def blind_spot(self) -> str:
        """A warning if the model has no OOD score, so that even a cat gets a diagnosis; else empty."""
        return NO_OOD if self.ood_threshold is None else ""

    def heatmap(self, diagnosis: str | None = None) -> NDArray[np.float32]:
        """Heat map of the evidence for a diagnosis: float32 [H, W] in 0..1 over the input image.

        The positive part of the class-activation map, scaled to a maximum of one; zero outside the central square,
        which the model doesn't see, and everywhere if there is no evidence for the diagnosis.

        Args:
            diagnosis: id or name; None is the most probable one.

        Raises:
            ImageError: the image is not gradable.
            DataError: not a diagnosis of this model.
        """
        return heat(self.evidence(diagnosis), *self._image.shape)

    def evidence(self, diagnosis: str | None = None) -> NDArray[np.float32]:
        """Class-activation map of a diagnosis over the central square, float32 [h, w]: below 0 is evidence against it.

        Args:
            diagnosis: id or name; None is the most probable one.

        Raises:
            ImageError: the image is not gradable.
            BundleError: the model has no class-activation maps.
            DataError: not a diagnosis of this model.
        """
        if not self.gradable:
            reasons = "; ".join(self.rejection_reasons)
            raise ImageError(f"{self.source}: not gradable, so it has no heat map ({reasons}).", "Take another image.")
        return self._map(self.chosen(diagnosis)).copy()

    def on_lesion(self, mask: NDArray, diagnosis: str | None = None) -> OnLesion:
        """How much of the evidence for a diagnosis lies on the lesion.

        Args:
            mask: where the lesion is, [H, W] of the image: bool, or numbers of which those above 0 are lesion.
            diagnosis: id or name; None is the most probable one.

        Raises:
            ImageError, BundleError: as `evidence`.
            DataError: not a diagnosis of this model, a mask of another size than the image, or an empty one.
        """
        return on_lesion(self.evidence(diagnosis), mask, self._image.shape)

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the image, in pixels."""
        return self._image.shape

    def overlay(self, diagnosis: str | None = None, *, caption: bool = True) -> Image.Image:
        """A figure: the image beside its overlaid heat map, with colour scale, input square and caption.

        For an image that is not gradable, or a model without exact maps, it shows the image alone and says why.

        Args:
            diagnosis: id or name; None is the most probable one.
            caption: whether words and colour scale stand below the pictures.

        Raises:
            ImageError: the file was removed or changed since it was classified.
            DataError: not a diagnosis of this model.
        """
        pixels = self._image.pixels()
        if not self.gradable:
            return mark(draw(pixels, None, "Not gradable: no heat map", self._notes(None), caption=caption))
        chosen = self.chosen(diagnosis)
        if self._cam is None:
            return mark(draw(pixels, None, "This model has no heat maps", self._notes(chosen), caption=caption))
        return mark(draw(pixels, self._map(chosen), self._title(chosen), self._notes(chosen), caption=caption))

    def save_overlay(
        self, path: str | os.PathLike[str], diagnosis: str | None = None, *, overwrite: bool = False
    ) -> Path:
        """Write `overlay` as a PNG that `classify` recognises and never mistakes for a lesion; returns the path.

        Args:
            path: the file to write, atomically.
            diagnosis: id or name; None is the most probable one.
            overwrite: replace an existing heat map. No other file is ever replaced.

        Raises:
            OutputError: the file exists, or can't be written.
        ImageError: the image has changed since it was classified.
        """
        refuse_to_replace(Path(path), overwrite=overwrite)
        tag = {
            "source": Path(self.source).name,
            "diagnosis": self.chosen(diagnosis) if self.gradable else None,
            "decision": self.decision,
            "model": self.model,
            "model_sha256": self.model_sha256,
        }
        return save(self.overlay(diagnosis), Path(path), tag)

    def to_dict(self) -> dict[str, object]:
        """As plain values for JSON; `verdict.schema.json` in this package describes them."""
        ranked = _ranked(self.probabilities or {})
        return {
            "format": FORMAT,
            "source": self.source,
            "error": None,
            "gradable": self.gradable,
            "rejection_reasons": list(self.rejection_reasons),
            "decision": self.decision,
            "operating_point": self.operating_point,
            "diagnosis": self.top,
            "diagnoses": [label_values(self._labels[c], p) for c, p in ranked] if self.gradable else None,
            "probabilities": {c: rounded(p) for c, p in self.probabilities.items()} if self.probabilities else None,
            "melanoma": rounded(self.melanoma),
            "malignancy": rounded(self.malignancy),
            "view": self.view if self.gradable else None,
            "prevalence": None if self.prevalence is None else {c: rounded(p) for c, p in self.prevalence.items()},
            "risks": {target: risk_values(r) for target, r in self.risks.items()} if self.gradable else None,
            "raw": self.raw,
            "ood_score": rounded(self.ood_score),
            "ood_threshold": rounded(self.ood_threshold),
            "next_step": self.next_step,
            "model": self.model,
            "model_sha256": self.model_sha256,
        }

    def _sum(self, probabilities: Mapping[str, float] | None, target: str) -> float | None:
        ids = members(target, self._labels)
        return min(sum(probabilities[c] for c in ids), 1.0) if probabilities and ids else None

    def _map(self, chosen: str) -> NDArray[np.float32]:
        if self._cam is None:
            raise BundleError(f"{self.model} has no class-activation maps.", "Use a model with a pooled linear head.")
        return self._cam[self.classes.index(chosen)]

    def _title(self, chosen: str) -> str:
        d = self._labels[chosen]
        return f"Evidence for {d.name} ({kind_of(d)})"

    def _notes(self, chosen: str | None) -> list[str]:
        """The caption below the title, in paragraphs."""
        seen = "The outlined square is the model's input."
        made = f"Model {self.model}, sha256 {self.model_sha256[:12]}."
        if chosen is None or self.probabilities is None:
            reasons = "; ".join(self.rejection_reasons)
            return [f"{reasons[:1].upper()}{reasons[1:]}.", f"{seen} {made}", NOTICE]
        stated = f", {printed(self.probabilities[chosen])} at the stated prevalence" if self.prevalence else ""
        probability = f"Probability {printed(self._balanced[chosen])} at {BALANCED_PRIOR}{stated}."
        if chosen != self.top:
            name, most = self.diagnoses[0]
            probability += f" Most probable is {name}, {printed(most)} at {self.view}."
        risks = ", ".join(
            f"{target} risk {printed(r.at_balanced_prior)} at {BALANCED_PRIOR} (no threshold)"
            if r.threshold is None
            else f"{target} risk {printed(r.at_threshold_view)} at {r.threshold_view} (threshold {r.threshold:.4f})"
            for target, r in self.risks.items()
        )
        decision = f"Decision: {self.decision}. {risks[:1].upper()}{risks[1:]}."
        further = filter(None, (decision, views_differ(self.risks), self.blind_spot))
        return [probability, *further, f"{seen} {made}", NOTICE]


def kind_of(label: Label) -> str:
    """'malignant', 'benign', or that it is unknown."""
    return {True: "malignant", False: "benign", None: "malignant or benign: unknown"}[label.malignant]


def _ranked(probabilities: Mapping[str, float]) -> list[tuple[str, float]]:
    return sorted(probabilities.items(), key=lambda item: -item[1])
