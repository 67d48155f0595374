"""The medicine: diagnoses with their codes and names, and every label order in circulation.

What a data set or a model distinguishes is a `lentigo.labels.LabelSet`; this module only defines the terms.
`CLASSES` are the seven of HAM10000, alphabetical by id. Readers convert other orders on input.

Source of the classes: Tschandl, Rosendahl, Kittler, Scientific Data 5:180161, 2018.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from lentigo.errors import DataError

__all__ = [
    "ALIASES",
    "BENIGN",
    "CLASSES",
    "DIAGNOSES",
    "FURTHER",
    "MALIGNANT",
    "ORDERS",
    "Diagnosis",
    "class_index",
    "diagnosis",
    "plain_name",
    "reorder",
]


@dataclass(frozen=True)
class Diagnosis:
    """One diagnosis.

    Attributes:
        id: short id as in HAM10000's `dx` column.
        name: full name in clinical English.
        malignant: whether lentigo counts it as malignant; see `note` where that needs explanation.
        snomed_ct: SNOMED CT concept id.
        snomed_term: that concept's term.
        note: what the id covers, and what the code does not.
    """

    id: str
    name: str
    malignant: bool
    snomed_ct: str
    snomed_term: str
    note: str = ""


_DIAGNOSES = (
    Diagnosis(
        "akiec",
        "actinic keratosis / intraepithelial carcinoma",
        True,
        "201101007",
        "Actinic keratosis",
        "Pre-invasive: actinic keratosis and Bowen's disease (squamous cell carcinoma in situ). Counted as malignant "
        "because it is treated and may become invasive; the code names actinic keratosis alone.",
    ),
    Diagnosis("bcc", "basal cell carcinoma", True, "254701007", "Basal cell carcinoma of skin"),
    Diagnosis(
        "bkl",
        "benign keratosis",
        False,
        "25499005",
        "Seborrheic keratosis",
        "Seborrhoeic keratosis, solar lentigo and lichen-planus-like keratosis; the code names the first alone.",
    ),
    Diagnosis(
        "df",
        "dermatofibroma",
        False,
        "92384009",
        "Benign neoplasm of skin",
        "The code is the broader concept that includes dermatofibroma.",
    ),
    Diagnosis("mel", "melanoma", True, "93655004", "Malignant melanoma of skin", "Invasive and in situ."),
    Diagnosis("nv", "melanocytic nevus", False, "400010006", "Melanocytic nevus of skin"),
    Diagnosis(
        "vasc",
        "vascular lesion",
        False,
        "400210000",
        "Hemangioma",
        "Angioma, angiokeratoma, pyogenic granuloma and haemorrhage; the code names haemangioma alone.",
    ),
)

_FURTHER = (
    Diagnosis(
        "ak",
        "actinic keratosis",
        True,
        "201101007",
        "Actinic keratosis",
        "Pre-invasive. Counted as malignant, as akiec is, because it is treated and may become invasive.",
    ),
    Diagnosis(
        "scc",
        "squamous cell carcinoma",
        True,
        "254651007",
        "Squamous cell carcinoma of skin",
        "Invasive in ISIC 2019; PAD-UFES-20 includes Bowen's disease (in situ).",
    ),
    Diagnosis("sek", "seborrheic keratosis", False, "25499005", "Seborrheic keratosis"),
)

CLASSES: tuple[str, ...] = tuple(d.id for d in _DIAGNOSES)
DIAGNOSES = MappingProxyType({d.id: d for d in _DIAGNOSES})
FURTHER = MappingProxyType({d.id: d for d in _FURTHER})
"""Diagnoses that other data sets distinguish and HAM10000 does not."""
MALIGNANT: tuple[str, ...] = tuple(d.id for d in _DIAGNOSES if d.malignant)
BENIGN: tuple[str, ...] = tuple(d.id for d in _DIAGNOSES if not d.malignant)

ORDERS = MappingProxyType(
    {
        "medmnist": ("akiec", "bcc", "bkl", "df", "mel", "nv", "vasc"),
        "kaggle_csv": ("akiec", "bcc", "bkl", "df", "nv", "vasc", "mel"),
        "isic2018": ("mel", "nv", "bcc", "akiec", "bkl", "df", "vasc"),
    }
)

_ALIASES = {d.name: d.id for d in _DIAGNOSES} | {
    "actinic keratosis": "akiec",
    "actinic keratoses": "akiec",
    "actinic keratoses and intraepithelial carcinoma": "akiec",
    "actinic keratosis and intraepithelial carcinoma": "akiec",
    "actinic keratosis bowen's disease": "akiec",
    "solar or actinic keratosis": "akiec",
    "intraepithelial carcinoma": "akiec",
    "squamous cell carcinoma in situ": "akiec",
    "bowen's disease": "akiec",
    "bowen disease": "akiec",
    "ak": "akiec",
    "basal cell carcinomas": "bcc",
    "benign keratosis-like lesions": "bkl",
    "seborrheic keratosis": "bkl",
    "pigmented benign keratosis": "bkl",
    "solar lentigo": "bkl",
    "lentigo solaris": "bkl",
    "lichen planus like keratosis": "bkl",
    "lichenoid keratosis": "bkl",
    "dermatofibromas": "df",
    "melanomas": "mel",
    "malignant melanoma": "mel",
    "melanoma in situ": "mel",
    "melanoma invasive": "mel",
    "melanoma, nos": "mel",
    "lentigo maligna": "mel",
    "lentigo maligna melanoma": "mel",
    "nevus": "nv",
    "nevi": "nv",
    "melanocytic nevi": "nv",
    "vascular lesions": "vasc",
    "hemangioma": "vasc",
    "angioma": "vasc",
    "angiokeratoma": "vasc",
    "pyogenic granuloma": "vasc",
    "benign soft tissue proliferations - vascular": "vasc",
}


ALIASES = MappingProxyType(
    {c: tuple(alias for alias, id in _ALIASES.items() if id == c and alias != DIAGNOSES[c].name) for c in CLASSES}
    | {
        "ak": ("ack", "actinic keratoses", "solar keratosis"),
        "scc": ("squamous cell carcinomas",),
        "sek": ("sk", "seborrhoeic keratosis", "seborrheic keratoses"),
    }
)
"""Synonyms of each diagnosis, in lower case."""


_SPELLINGS = (
    (re.compile(r"[_/,;()-]+"), " "),
    (re.compile(r"['’]s?\b"), ""),  # Bowen's disease
    (re.compile(r"\bnaev"), "nev"),
    (re.compile(r"\bnevi\b"), "nevus"),
    (re.compile(r"haem"), "hem"),
    (re.compile(r"rrhoe"), "rrhe"),
    (re.compile(r"keratoses\b"), "keratosis"),
    (re.compile(r"lentigines\b"), "lentigo"),
    (re.compile(r"(melanoma|carcinoma|fibroma|angioma|granuloma|lesion|disease|keratoma|nevuse)s\b"), r"\1"),
)
"""British spellings, plurals and punctuation, and their normal form here."""


@lru_cache(maxsize=4096)
def plain_name(text: str) -> str:
    """A diagnosis' name in lower case, American spelling and singular: 'Common_Naevi' is 'common nevus'."""
    plain = text.lower()
    for pattern, instead in _SPELLINGS:
        plain = pattern.sub(instead, plain)
    return " ".join(plain.split())


_PLAIN_ALIASES = {plain_name(alias): id for alias, id in _ALIASES.items()}


def diagnosis(text: str) -> Diagnosis:
    """Find a diagnosis by id or synonym, ignoring case.

    Raises:
        DataError: no diagnosis has that id or name; the message suggests the closest.
    """
    key = plain_name(text)
    key = _PLAIN_ALIASES.get(key, key)
    if key in DIAGNOSES:
        return DIAGNOSES[key]
    near = get_close_matches(key, [*CLASSES, *_ALIASES], n=1)
    hint = f"Did you mean {near[0]!r}?" if near else f"Known ids: {', '.join(CLASSES)}."
    raise DataError(f"Unknown diagnosis {text!r}.", hint)


def class_index(ids: Sequence[str]) -> NDArray[np.int64]:
    """Positions in `CLASSES` of a sequence of ids, as int64 [N]."""
    position = {c: i for i, c in enumerate(CLASSES)}
    return np.array([position[i] for i in ids], dtype=np.int64)


def reorder(values: NDArray, order: str) -> NDArray:
    """Reorder columns from another source's order to the order of `CLASSES`.

    Args:
        values: [..., 7], for example one-hot truths or probabilities.
        order: a key of `ORDERS`.
    """
    if order not in ORDERS:
        raise DataError(f"Unknown label order {order!r}.", f"Known orders: {', '.join(ORDERS)}.")
    return values[..., [ORDERS[order].index(c) for c in CLASSES]]
