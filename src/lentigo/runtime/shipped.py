"""The models that ship in the package."""

import os
from difflib import get_close_matches
from pathlib import Path

from lentigo.errors import BundleError
from lentigo.runtime.bundle import Bundle

__all__ = ["DEFAULT", "describe_models", "find_bundle", "shipped_models"]

DEFAULT = "lentigo-s"
"""The model that is used when none is named."""

_FOLDER = Path(__file__).parent.parent / "weights"


def shipped_models() -> dict[str, Path]:
    """Bundles in the package, by name."""
    return {path.stem: path for path in sorted(_FOLDER.glob("*.onnx"))}


def find_bundle(model: str | os.PathLike[str] | None = None) -> Path:
    """The file of a model that ships, or of a path.

    Raises:
        BundleError: neither a file nor a model that ships; the message names the nearest.
    """
    shipped = shipped_models()
    name = DEFAULT if model is None else os.fspath(model)
    if name in shipped:
        return shipped[name]
    if Path(name).suffix == ".onnx" or Path(name).exists():
        return Path(name)
    near = get_close_matches(name, shipped, n=1)
    hint = f"Did you mean {near[0]!r}?" if near else f"Give a path, or one of: {', '.join(shipped) or 'none ships'}."
    raise BundleError(f"No model {name!r}.", hint)


def describe_models() -> str:
    """A few lines on each model that ships: size, where it comes from, what was measured, licence."""
    lines = []
    for name, path in shipped_models().items():
        bundle = Bundle(path, threads=1).metadata
        measured = [
            f"  measured on its test part, {view.replace('_', ' ')}: "
            + ", ".join(f"{k} {v['value']:.3f}" for k, v in values.items() if v["value"] is not None)
            for view, values in bundle.metrics.items()
        ]
        lines += [
            f"{name}{' (default)' if name == DEFAULT else ''}",
            f"  {bundle.network}, {bundle.parameters:,} parameters, {path.stat().st_size / 1e6:.2f} MB, "
            f"{bundle.size}x{bundle.size} pixels",
            f"  trained on {bundle.source}, protocol {bundle.split['protocol']}, fold {bundle.split['fold']}",
            *measured,
            f"  {bundle.licence}",
        ]
    return "\n".join(lines) + "\n" if lines else "No model ships with this installation.\n"
