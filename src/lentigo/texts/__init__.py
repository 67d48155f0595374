"""Everything that is said to those who look at a result, in English and Spanish: one catalogue for Python and the page.

>>> from lentigo import texts
>>> texts.text("step.negative", "es")
'Este resultado no descarta un cáncer.'
"""

import json
from functools import cache
from importlib.resources import files

from lentigo.errors import DataError, did_you_mean

__all__ = ["LANGUAGES", "catalogue", "text"]

LANGUAGES = ("en", "es")
"""The languages of the catalogue; the first one is what Python says."""


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


def text(key: str, language: str = "en", /, **values: object) -> str:
    """One text, with its values filled in; KeyError where the catalogue has no such key or a value is missing.

    Raises:
        DataError: no such language.
    """
    return catalogue(language)[key].format_map({name: str(value) for name, value in values.items()})
