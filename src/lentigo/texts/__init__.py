"""Everything that is said to those who look at a result, in English and Spanish: one catalogue for Python and the page.

>>> from lentigo import texts
>>> texts.text("step.negative", "es")
'Este resultado no descarta un cáncer.'
"""

import json
import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

from lentigo.errors import DataError, did_you_mean

__all__ = ["LANGUAGES", "Text", "catalogue", "percent", "text"]

LANGUAGES = ("en", "es")
"""The languages of the catalogue; the first one is what Python says."""
_DECIMAL = re.compile(r"[<>]?\d+\.\d+")
_NAMES = frozenset({"name", "model", "version", "engine", "sha"})
"""Values that are no numbers, whatever they look like: a file may be called 12.5."""


class Text(str):
    """A text of the catalogue, which can be said in another of its languages too."""

    key: str
    values: Mapping[str, object]

    def said(self, language: str) -> "Text":
        """The same in a language."""
        return text(self.key, language, **self.values)


@cache
def catalogue(language: str = "en") -> dict[str, str]:
    """All texts of a language by key. `{name}` in a text stands for a value that whoever uses it fills in.

    Raises:
        DataError: no such language.
    """
    if language not in LANGUAGES:
        raise DataError(f"There are no texts in {language!r}.", did_you_mean(language, LANGUAGES))
    found: dict[str, str] = json.loads(files("lentigo.texts").joinpath(f"{language}.json").read_text(encoding="utf-8"))
    return found


def text(key: str, language: str = "en", /, **values: object) -> Text:
    """One text, with its values filled in; KeyError where the catalogue has no such key or a value is missing.

    Args:
        key: of the catalogue.
        language: one of `LANGUAGES`.
        values: what the text's names stand for; decimal numbers are written as the language has them.

    Raises:
        DataError: no such language.
    """
    filled = {k: str(v) if k in _NAMES else _as_written(str(v), language) for k, v in values.items()}
    found = Text(catalogue(language)[key].format_map(filled))
    found.key, found.values = key, values
    return found


def percent(probability: float, language: str = "en") -> str:
    """A probability as a percentage to one decimal, never 0 or 100 %: no model is that certain."""
    shown = f"{100 * probability:.1f}"
    shown = {"0.0": "<0.1", "100.0": ">99.9"}.get(shown, shown)
    return _as_written(shown, language) + ("%" if language == "en" else "\N{NO-BREAK SPACE}%")


def _as_written(value: str, language: str) -> str:
    return value.replace(".", ",") if language != "en" and _DECIMAL.fullmatch(value) else value
