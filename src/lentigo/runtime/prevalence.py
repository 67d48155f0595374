"""The prevalence of each diagnosis where an image comes from: validation, and Bayes' rule."""

import json
import math
import os
import sys
from collections.abc import Iterable, Mapping
from numbers import Real
from pathlib import Path

from lentigo.errors import DataError, reason
from lentigo.labels import LabelSet
from lentigo.written import read_text

__all__ = ["check_prevalence", "read_pairs", "read_prevalence", "restate"]

_TINY = sys.float_info.min
_STEP = "State the share of every diagnosis, such as mel=0.02,nv=0.9 and so on for: {}."


_FORMS = 'Give a JSON file such as {"mel": 0.02, ...}, or pairs such as mel=0.02,nv=0.9,...'


def check_prevalence(prevalence: object, labels: LabelSet) -> dict[str, float]:
    """The share of each diagnosis, in the order of `labels`, summing to 1.

    Args:
        prevalence: a mapping from each diagnosis, by id or by any name in use, to its share, percentage or count.
        labels: the diagnoses that the model distinguishes.

    Raises:
        DataError: not a mapping; a diagnosis that is missing, unknown or stated twice; a value that is not above 0.
    """
    step = _STEP.format(", ".join(labels.classes))
    if not isinstance(prevalence, Mapping):
        raise DataError(f"A prevalence is a mapping from diagnoses to shares, not {_shown(prevalence)}.", step)
    stated: dict[str, float] = {}
    for key, value in prevalence.items():
        found = _find(key, labels)
        if found in stated:
            raise DataError(f"The prevalence states {found!r} twice, the second time as {key!r}.", step)
        stated[found] = _share(key, value)
    missing = [c for c in labels.classes if c not in stated]
    if missing:
        raise DataError(f"The prevalence lacks {', '.join(missing)}.", step)
    largest = max(stated.values())  # divided by first, so that no sum overflows
    total = math.fsum(v / largest for v in stated.values())
    return {c: stated[c] / largest / total for c in labels.classes}


def read_prevalence(text: str) -> dict[str, object]:
    """Parse a prevalence from the command line: a JSON file with one object, or pairs such as `mel=0.02,nv=0.9`.

    The values are validated by `check_prevalence`.

    Raises:
        DataError: there is no such file, not a JSON object, a malformed pair, or a diagnosis that is stated twice.
    """
    if not text.strip():
        raise DataError("No prevalence is stated.", _FORMS)
    if "=" in text and not Path(text).is_file():
        return read_pairs(text)
    try:
        found = json.loads(read_text(text), object_pairs_hook=_unique)
    except (OSError, ValueError) as error:
        raise DataError(f"{text}: not a readable prevalence ({reason(error)}).", _FORMS) from None
    if not isinstance(found, dict):
        raise DataError(f"{text}: not a JSON object.", 'Write one as in {"mel": 0.02, ...}.')
    return found


def read_pairs(text: str) -> dict[str, object]:
    """Parse a prevalence of pairs, such as `mel=0.02,nv=0.9`; no file is looked for.

    Raises:
        DataError: no pair, a malformed one, or a diagnosis that is stated twice.
    """
    found = _unique(_pair(part) for part in text.split(",") if part.strip())
    if not found:
        raise DataError("No prevalence is stated.", "Write mel=0.02,nv=0.9,...")
    return found


def restate(probabilities: Mapping[str, float], prevalence: Mapping[str, float]) -> dict[str, float]:
    """Probabilities at balanced prior, converted to a population's prevalence by Bayes' rule.

    Args:
        probabilities: of each diagnosis, summing to 1.
        prevalence: the share of each diagnosis, as `check_prevalence` gives it.
    """
    # In log space: the product of two tiny numbers would underflow to 0, and the sum of zeros can't be a divisor.
    logs = {c: math.log(max(p, _TINY)) + math.log(max(prevalence[c], _TINY)) for c, p in probabilities.items()}
    top = max(logs.values())
    weighted = {c: math.exp(log - top) for c, log in logs.items()}
    total = math.fsum(weighted.values())
    return {c: w / total for c, w in weighted.items()}


def _find(key: object, labels: LabelSet) -> str:
    """The id of a diagnosis that the model distinguishes."""
    if not isinstance(key, str):
        hint = f"Known ids: {', '.join(labels.classes)}."
        raise DataError(f"The prevalence names {_shown(key)}, which is not a diagnosis.", hint)
    try:
        return labels.find(key).id
    except DataError as error:
        raise DataError(f"The prevalence names {key!r}: unknown to this model.", error.hint) from None


def _share(key: object, value: object) -> float:
    try:
        number = float(value) if isinstance(value, Real) and not isinstance(value, bool) else math.nan
    except OverflowError:  # an integer of hundreds of digits
        number = math.inf
    if math.isfinite(number) and number > 0:
        return number
    if number == 0:
        hint = "No diagnosis can be ruled out before the image is seen: give a small share, such as 0.0001."
    else:
        hint = "Give a number above 0: a share, a percentage or a count."
    raise DataError(f"The prevalence of {key!r} is {_shown(value)}.", hint)


def _pair(text: str) -> tuple[str, object]:
    name, equals, value = text.partition("=")
    try:
        return name.strip(), float(value)
    except ValueError:
        said = f"{value.strip()!r} is not a number" if equals else "it has no '='"
        raise DataError(f"The prevalence contains {text.strip()!r}, but {said}.", "Write mel=0.02,nv=0.9,...") from None


def _unique(pairs: Iterable[tuple[str, object]]) -> dict[str, object]:
    found: dict[str, object] = {}
    for name, value in pairs:
        if name in found:
            raise DataError(f"The prevalence states {name!r} twice.", "State each diagnosis once.")
        found[name] = value
    return found


def _shown(value: object) -> str:
    text = repr(os.fspath(value) if isinstance(value, os.PathLike) else value)
    return text if len(text) <= 60 else f"{text[:57]}..."
