"""The built-in label sets: those of the public data sets, and benign versus malignant.

Sources: HAM10000, Tschandl, Rosendahl, Kittler, Scientific Data 5:180161, 2018; ISIC 2019, Hernández-Pérez et al.,
Scientific Data 11:641, 2024; PAD-UFES-20, Pacheco et al., Data in Brief 32:106221, 2020.
"""

from types import MappingProxyType

from lentigo.errors import DataError
from lentigo.labels.label_set import Label, LabelSet
from lentigo.taxonomy import ALIASES, DIAGNOSES, FURTHER, Diagnosis

__all__ = ["BINARY", "HAM10000", "ISIC2019", "KNOWN", "PAD_UFES_20", "find_label_set", "label_of"]


def label_of(diagnosis: Diagnosis, id: str = "") -> Label:
    """A diagnosis of the taxonomy as a label, optionally under a data set's own id."""
    return Label(
        id=id or diagnosis.id,
        name=diagnosis.name,
        malignant=diagnosis.malignant,
        snomed_ct=diagnosis.snomed_ct,
        snomed_term=diagnosis.snomed_term,
        aliases=(*ALIASES[diagnosis.id], *([diagnosis.id] if id else [])),
        note=diagnosis.note,
    )


_ALL = {**DIAGNOSES, **FURTHER}
_UNKNOWN = Label("unk", "none of the others", aliases=("unknown",), note="Images of ISIC 2019 that show none of these.")

HAM10000 = LabelSet("HAM10000", tuple(map(label_of, DIAGNOSES.values())), melanoma="mel", majority="nv")
ISIC2019 = LabelSet(
    "ISIC2019",
    tuple(label_of(_ALL[c]) for c in ("ak", "bcc", "bkl", "df", "mel", "nv", "scc", "vasc")),
    melanoma="mel",
    outside=(_UNKNOWN,),
    majority="nv",
)
PAD_UFES_20 = LabelSet(
    "PAD-UFES-20",
    (
        label_of(_ALL["ak"], "ack"),
        label_of(_ALL["bcc"]),
        label_of(_ALL["mel"]),
        label_of(_ALL["nv"], "nev"),
        label_of(_ALL["scc"]),
        label_of(_ALL["sek"]),
    ),
    melanoma="mel",
    majority="bcc",
)
BINARY = LabelSet(
    "BINARY",
    (
        Label("benign", "benign lesion", False, aliases=("non-malignant",)),
        Label("malignant", "malignant lesion", True),
    ),
    majority="benign",
)

KNOWN = MappingProxyType({s.name.lower(): s for s in (HAM10000, ISIC2019, PAD_UFES_20, BINARY)})
"""By lower-case name."""


def find_label_set(name: str) -> LabelSet:
    """A built-in label set by name, ignoring case, '_' and '-'.

    Raises:
        DataError: unknown name.
    """
    found = KNOWN.get(name.strip().lower().replace("_", "-"))
    if found is None:
        raise DataError(f"Unknown label set {name!r}.", f"Known: {', '.join(KNOWN)}; or give a CSV or JSON file.")
    return found
