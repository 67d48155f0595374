"""Results as plain values for JSON, as `verdict.schema.json` in this package describes them."""

import json
import math
from pathlib import Path

from lentigo.labels import Label
from lentigo.runtime.decisions import Risk

__all__ = ["FORMAT", "KEYS", "label_values", "risk_values", "rounded", "verdict_schema"]

FORMAT = 1
"""Version of the schema."""
KEYS = (
    "format",
    "source",
    "error",
    "gradable",
    "rejection_reasons",
    "decision",
    "operating_point",
    "diagnosis",
    "diagnoses",
    "probabilities",
    "melanoma",
    "malignancy",
    "view",
    "prevalence",
    "risks",
    "raw",
    "ood_score",
    "ood_threshold",
    "next_step",
    "model",
    "model_sha256",
)
"""Keys of a JSON object, the same in every result."""


def verdict_schema() -> dict[str, object]:
    """The JSON schema (2020-12) of what `classify --format json` writes, one object per line."""
    found: dict[str, object] = json.loads(Path(__file__).with_name("verdict.schema.json").read_text(encoding="utf-8"))
    return found


def label_values(label: Label, probability: float) -> dict[str, object]:
    """A diagnosis with its code and its probability."""
    return {
        "id": label.id,
        "name": label.name,
        "snomed_ct": label.snomed_ct or None,
        "snomed_term": label.snomed_term or None,
        "malignant": label.malignant,
        "probability": rounded(probability),
    }


def risk_values(risk: Risk) -> dict[str, object]:
    """A risk in its views, with its threshold."""
    return {
        "balanced_prior": rounded(risk.at_balanced_prior),
        "stated_prevalence": rounded(risk.at_stated_prevalence),
        "threshold": risk.threshold,
        "threshold_view": risk.threshold_view,
        "target_sensitivity": risk.target_sensitivity,
        "suspicious": risk.suspicious,
    }


def rounded(value: float | None) -> float | None:
    """Rounded to six decimals; None for NaN and infinities, which JSON lacks."""
    return round(value, 6) if value is not None and math.isfinite(value) else None
