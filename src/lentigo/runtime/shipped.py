"""The models that ship in the package."""

import os
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from lentigo.errors import BundleError
from lentigo.runtime.bundle import Bundle
from lentigo.runtime.decisions import BALANCED_PRIOR, TRAINING_PREVALENCE
from lentigo.runtime.metadata import BundleMetadata
from lentigo.runtime.packed import SUFFIX as PACKED
from lentigo.runtime.verdict import NOTICE

__all__ = ["DEFAULT", "describe", "describe_models", "describe_start", "find_bundle", "shipped_models"]

DEFAULT = "lentigo-s"
"""The default model."""

_VIEWS = {"equal_prevalence": BALANCED_PRIOR, "training_prevalence": TRAINING_PREVALENCE}
_SUFFIXES = (".onnx", PACKED)
_FOLDER = Path(__file__).parent.parent / "weights"


def shipped_models() -> dict[str, Path]:
    """Bundles in the package, by name."""
    found = [path for path in sorted(_FOLDER.iterdir()) if path.name.endswith(_SUFFIXES)]
    return {path.name.rpartition(".onnx")[0]: path for path in found}


def find_bundle(model: str | os.PathLike[str] | None = None) -> Path:
    """The bundle file for a model's name or a path.

    The name of a shipped model always means that model, even if the current folder has a file of that name;
    './lentigo-s' and any `Path` are paths.

    Raises:
        BundleError: neither a file nor a shipped model; the message suggests the closest name.
    """
    shipped = shipped_models()
    if model is None:
        model = DEFAULT
    if isinstance(model, str) and model in shipped:
        return shipped[model]
    path = Path(os.fsdecode(model)).expanduser()
    if path.is_dir():
        raise BundleError(
            f"{model}: a folder, not a bundle.", "Name its .onnx file; `lentigo export RUN FILE.onnx` creates one."
        )
    if path.exists() or path.name.endswith(_SUFFIXES) or not isinstance(model, str):
        return path
    near = get_close_matches(model.lower(), shipped, n=1)
    hint = f"Did you mean {near[0]!r}?" if near else f"Give a path, or one of: {', '.join(shipped) or 'none ships'}."
    raise BundleError(f"No model {model!r}.", hint)


def describe(bundle: Bundle) -> str:
    """A summary of a model: size, training data, measured performance, licence."""
    described = bundle.metadata
    measured = [
        f"  performance on its test part at {_VIEWS.get(view, view)}: "
        + ", ".join(f"{k} {v['value']:.3f}" for k, v in values.items() if v["value"] is not None)
        for view, values in described.metrics.items()
    ]
    size = bundle.path.stat().st_size
    lines = [
        described.name,
        f"  {described.network}, {described.parameters:,} parameters, {size / 1e6:.2f} MB ({size:,} bytes), "
        f"{described.size}x{described.size} pixels",
        f"  trained on {described.source}, protocol {described.split['protocol']}, fold {described.split['fold']}",
        f"  weights started from {describe_start(described)}",
        *(f"  {source['name']}: licence {source['licence'] or 'not stated'}" for source in described.sources),
        *measured,
        f"  {described.licence}",
        f"  {NOTICE}",
    ]
    return "\n".join(lines) + "\n"


def describe_start(described: BundleMetadata) -> str:
    """The weights that a model's training started from, and what those had started from."""
    start: Any = described.start
    found = []
    while start:
        sha256 = f" (sha256 {str(start['sha256'])[:12]})" if start.get("sha256") else ""
        run = start.get("run", {})
        learned = f", trained on {run['data']} (licence: {run['licence'] or 'not stated'})" if run else ""
        found.append(f"{start['source']}{sha256}{learned}")
        start = start.get("parent_start") or run.get("start")
    return "; these from ".join(found) or "random numbers"


def describe_models() -> str:
    """The summary of each model that ships."""
    texts = []
    for name, path in shipped_models().items():
        text = describe(Bundle(path, threads=1))
        texts.append(text.replace("\n", " (default)\n", 1) if name == DEFAULT else text)
    return "".join(texts) or "No model ships with this installation.\n"
