"""Write the page: one HTML file with the model, the engine and everything that it shows."""

import base64
import gzip
import hashlib
import html
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from lentigo import texts
from lentigo.arguments import checked
from lentigo.atomic import refuse_existing, write_text
from lentigo.errors import DataError, did_you_mean
from lentigo.page.ort import ort_files, pack_for_ort
from lentigo.page.packing import pack
from lentigo.page.script import join_modules
from lentigo.runtime import Bundle
from lentigo.runtime.shipped import find_bundle

__all__ = ["ENGINES", "page_html", "write_page"]

ENGINES = ("own", "ort")
"""What may compute inside a page: 'own', a few kilobytes of JavaScript and WebAssembly, or 'ort', onnxruntime-web."""

_MAP = re.compile(r"^//# sourceMappingURL=.*$", re.MULTILINE)
"""Where a script says that a map of it could be loaded."""
_POLICY = (
    "default-src 'none'; script-src {scripts} 'wasm-unsafe-eval'; style-src {style}; img-src data: blob:; "
    "base-uri 'none'; form-action 'none'"
)
"""Nothing is loaded and nothing is sent; only the scripts and the style with these hashes count."""


_SERVED_POLICY = "; connect-src 'self'; manifest-src 'self'; worker-src 'self'"
_SERVED_HEAD = '<link rel="manifest" href="manifest.webmanifest">\n'


@dataclass(frozen=True)
class _Inside:
    """What an engine puts into a page.

    Attributes:
        module: the file of `app/` that is its `engine.js`.
        parts: bytes that the page unpacks, by name; one is the model.
        scripts: texts of scripts that run before the page's own.
        sources: where else the page may take scripts from.
    """

    module: str
    parts: Mapping[str, bytes]
    scripts: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()


@checked
def write_page(
    bundle: Bundle | str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    engine: str = "own",
    ort: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
) -> Path:
    """Write a bundle as a page that classifies images in a browser, offline, from one HTML file.

    Args:
        bundle: a bundle, its path, or the name of a model that ships.
        out: the .html file.
        engine: one of `ENGINES`: 'own', or 'ort' for bundles that it can't run.
        ort: folder of onnxruntime-web for the engine 'ort'; without it npm fetches it.
        overwrite: replace an existing page.

    Returns:
        The path of the page.

    Raises:
        BundleError: not a bundle, or the engine lacks one of its operators; the message names it.
        DataError: no such engine, or its files or the programs that it needs are missing.
        OutputError: the file exists, is the bundle, or can't be written.
    """
    if engine not in ENGINES:
        raise DataError(f"There is no engine {engine!r}.", did_you_mean(engine, ENGINES))
    if ort is not None and engine != "ort":
        raise DataError(f"{ort}: the engine {engine!r} doesn't use onnxruntime-web.", "Add --engine ort.")
    opened = bundle if isinstance(bundle, Bundle) else Bundle(find_bundle(bundle))
    refuse_existing(out, overwrite=overwrite, inputs=[opened.path])
    return write_text(out, page_html(opened, engine, ort))


def page_html(
    bundle: Bundle, engine: str = "own", ort: str | os.PathLike[str] | None = None, *, served: bool = False
) -> str:
    """The text of a bundle's page, see `write_page`.

    Args:
        bundle: the bundle.
        engine: one of `ENGINES`.
        ort: folder of onnxruntime-web for the engine 'ort'.
        served: for a service: the page can be installed, and offers what its service adds.

    Raises:
        BundleError, DataError: as `write_page` does.
    """
    inside = _own(bundle) if engine == "own" else _ort(bundle, ort)
    sums = {name: hashlib.sha256(content).hexdigest() for name, content in inside.parts.items()}
    variants = {"engine.js": inside.module, "server.js": "server-here.js" if served else "server-none.js"}
    script = join_modules("main.js", lambda name: _read(f"app/{variants.get(name, name)}"))
    style = _read("style.css")
    return _filled(
        _read("index.html"),
        {
            "style": style,
            "script": script,
            "config": _json({"sha256": sums, "examples": _examples()}),
            "texts": _json({language: texts.catalogue(language) for language in texts.LANGUAGES}),
            "parts": "\n".join([_part(*part) for part in inside.parts.items()] + [_script(s) for s in inside.scripts]),
            "no_script": html.escape(texts.text("page.no_script")),
            "head": _SERVED_HEAD if served else "",
            "policy": _POLICY.format(
                scripts=" ".join([*map(_hash, (script, *inside.scripts)), *inside.sources]), style=_hash(style)
            )
            + (_SERVED_POLICY if served else ""),
        },
    )


def _own(bundle: Bundle) -> _Inside:
    return _Inside("engine-own.js", {"model": pack(bundle)})


def _ort(bundle: Bundle, folder: str | os.PathLike[str] | None) -> _Inside:
    with ort_files(folder) as files:
        model = pack_for_ort(bundle, files)
        parts = {"model": model, "module": files["module"].read_bytes(), "wasm": files["wasm"].read_bytes()}
        # A script element ends at the first `</script`, wherever that is.
        script = _MAP.sub("", files["script"].read_text(encoding="utf-8")).replace("</script", "<\\/script")
    return _Inside("engine-ort.js", parts, (script,), ("blob:",))


def _part(name: str, content: bytes) -> str:
    packed = base64.b64encode(gzip.compress(content, 9, mtime=0)).decode()
    return f'<script type="application/octet-stream" id="{name}">{packed}</script>'


def _script(text: str) -> str:
    return f"<script>{text}</script>"


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
    """Synthetic lesions, drawn by `lentigo.data.sources.synthetic`, as WebP in base 64."""
    found = sorted(files("lentigo.page").joinpath("examples").iterdir(), key=lambda file: file.name)
    return [base64.b64encode(file.read_bytes()).decode() for file in found if file.name.endswith(".webp")]


def _read(name: str) -> str:
    return files("lentigo.page").joinpath(name).read_text(encoding="utf-8")
