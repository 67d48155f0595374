"""Write the page: one HTML file with the model, the engine and everything that it shows."""

import base64
import gzip
import hashlib
import html
import json
import os
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from lentigo import texts
from lentigo.atomic import refuse_existing, write_text
from lentigo.errors import DataError, did_you_mean
from lentigo.page.packing import pack
from lentigo.page.script import join_modules
from lentigo.runtime import Bundle
from lentigo.runtime.shipped import find_bundle

__all__ = ["ENGINES", "page_html", "write_page"]

ENGINES = ("own",)
"""What may compute inside a page: 'own', a few kilobytes of JavaScript and WebAssembly."""

_POLICY = (
    "default-src 'none'; script-src {script} 'wasm-unsafe-eval'; style-src {style}; img-src data: blob:; "
    "base-uri 'none'; form-action 'none'"
)
"""Nothing is loaded and nothing is sent; only the script and the style with these hashes count."""


def write_page(
    bundle: Bundle | str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    engine: str = "own",
    overwrite: bool = False,
) -> Path:
    """Write a bundle as a page that classifies images in a browser, offline, from one HTML file.

    Args:
        bundle: a bundle, its path, or the name of a model that ships.
        out: the .html file.
        engine: one of `ENGINES`.
        overwrite: replace an existing page.

    Returns:
        The path of the page.

    Raises:
        BundleError: not a bundle, or the engine lacks one of its operators; the message names it.
        DataError: no such engine.
        OutputError: the file exists, or can't be written.
    """
    if engine not in ENGINES:
        raise DataError(f"There is no engine {engine!r}.", did_you_mean(engine, ENGINES))
    refuse_existing(out, overwrite=overwrite)
    opened = bundle if isinstance(bundle, Bundle) else Bundle(find_bundle(bundle))
    return write_text(out, page_html(opened))


def page_html(bundle: Bundle) -> str:
    """The text of a bundle's page.

    Raises:
        BundleError: the engine lacks one of its operators.
    """
    model = pack(bundle)
    parts = {
        "style": _read("style.css"),
        "script": join_modules("main.js", lambda name: _read(f"app/{name}")),
        "config": _json({"model_sha256": hashlib.sha256(model).hexdigest(), "examples": _examples()}),
        "texts": _json({language: texts.catalogue(language) for language in texts.LANGUAGES}),
        "model": base64.b64encode(gzip.compress(model, 9, mtime=0)).decode(),
        "no_script": html.escape(texts.text("page.no_script")),
    }
    parts["policy"] = _POLICY.format(script=_hash(parts["script"]), style=_hash(parts["style"]))
    return _filled(_read("index.html"), parts)


def _filled(template: str, parts: Mapping[str, str]) -> str:
    """The template with each `@name@` replaced; what is put in is never searched again."""
    pieces = template.split("@")
    return "".join(parts.get(piece, piece) if i % 2 else piece for i, piece in enumerate(pieces))


def _hash(content: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"


def _json(values: Any) -> str:
    """JSON that can't end the script element it lies in."""
    return json.dumps(values, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")


def _examples() -> list[str]:
    """Synthetic lesions, drawn by `lentigo.data.sources.synthetic`, as JPEG in base 64."""
    found = sorted(files("lentigo.page").joinpath("examples").iterdir(), key=lambda file: file.name)
    return [base64.b64encode(file.read_bytes()).decode() for file in found if file.name.endswith(".jpg")]


def _read(name: str) -> str:
    return files("lentigo.page").joinpath(name).read_text(encoding="utf-8")
