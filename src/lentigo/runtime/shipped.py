"""The models that ship in the package."""

import os
from difflib import get_close_matches
from pathlib import Path

from lentigo.errors import BundleError
from lentigo.runtime.bundle import Bundle
from lentigo.runtime.costs import read_costs
from lentigo.runtime.decisions import BALANCED_PRIOR, TRAINING_PREVALENCE
from lentigo.runtime.origins import describe_start
from lentigo.runtime.packed import SUFFIX as PACKED
from lentigo.runtime.verdict import NOTICE

__all__ = [
    "DEFAULT",
    "describe",
    "describe_models",
    "find_bundle",
    "licence_file",
    "shipped_models",
]

DEFAULT = "lentigo-s"
"""The default model."""

_VIEWS = {"equal_prevalence": BALANCED_PRIOR, "training_prevalence": TRAINING_PREVALENCE}
_SUFFIXES = (".onnx", PACKED)
_FOLDER = Path(__file__).parent.parent / "weights"


def shipped_models() -> dict[str, Path]:
    """Bundles in the package, by name."""
    found = [path for path in sorted(_FOLDER.iterdir()) if path.name.endswith(_SUFFIXES)]
    return {path.name.rpartition(".onnx")[0]: path for path in found}


def licence_file(name: str) -> Path:
    """Where the licence of a shipped model's weights is stated."""
    return _FOLDER / f"{name}.LICENCE.txt"


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
    nearest = f"Did you mean {near[0]!r}? " if near else ""
    ships = f"What ships: {', '.join(shipped)}." if shipped else "None ships with this installation."
    raise BundleError(f"No model {model!r}.", f"{nearest}{ships} Or give the path of a bundle.")


def describe(bundle: Bundle) -> str:
    """A summary of a model: size, operations, latency, training data, measured performance, licence."""
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
        f"{described.size}x{described.size} pixels, {described.precision}",
        f"  {_describe_cost(bundle)}",
        f"  trained on {described.source}, protocol {described.split['protocol']}, fold {described.split['fold']}",
        f"  weights started from {describe_start(described)}",
        *(f"  {source['name']}: licence {source['licence'] or 'not stated'}" for source in described.sources),
        *measured,
        f"  {described.licence}",
        f"  {NOTICE}",
    ]
    return "\n".join(lines) + "\n"


def _describe_cost(bundle: Bundle) -> str:
    """Operations and latency, of this very file or not at all."""
    costs = read_costs()
    cost = costs.of(bundle.sha256) if costs else None
    if costs is None or cost is None:
        return "operations and latency: not measured for this file; `lentigo cost FILE --measure` does it here"
    height, width = costs.image
    return (
        f"{cost.total_macs / 1e6:.1f} M MACs for an image of {width}x{height} pixels, "
        f"{cost.macs['network'] / 1e6:.1f} M of them the network's; {cost.median_ms:.1f} ms: median {costs.what}, "
        f"n = {costs.n}; {costs.machine}"
    )


def describe_models() -> str:
    """The summary of each model that ships."""
    texts = []
    for name, path in shipped_models().items():
        summary = describe(Bundle(path, threads=1)).partition("\n")[2]
        texts.append(f"{name}{' (default)' if name == DEFAULT else ''}\n{summary}")
    return "".join(texts) or "No model ships with this installation.\n"
