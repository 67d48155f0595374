"""One account of any artefact: its bytes on every footing, what takes them, and the operations of what is shipped."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from numpy.typing import NDArray
from torch import nn

from lentigo import models
from lentigo.errors import RunError
from lentigo.evaluation.cost.count import Cost, cost
from lentigo.evaluation.cost.graph import IMAGE, Tensor, count_macs, tensors
from lentigo.evaluation.cost.sizes import FOOTINGS, checkpoint_bytes, packed_sizes, sparse_bytes
from lentigo.runtime import Bundle
from lentigo.runtime.bundle import HASH_KEY, METADATA_KEY, read_model
from lentigo.runtime.shipped import find_bundle, shipped_models

if TYPE_CHECKING:
    from lentigo.training import Run

__all__ = ["Account", "account", "is_bundle"]


@dataclass(frozen=True)
class Account:
    """What an artefact holds and costs.

    Attributes:
        name: of the network or the file.
        kind: 'network', 'run', 'bundle', 'packed bundle' or 'LiteRT'.
        numbers: weights and moving statistics; of a bundle those in the file. None where the file's are not known.
        zeros: how many of them are zero; None where their values are not known.
        sizes: bytes by footing, see `FOOTINGS`; a footing that doesn't apply is absent.
        parts: bytes of each part of the unpacked bundle, which sum to its size; empty for other artefacts.
        macs: multiply-accumulates of one image by part; of a network and a run those of one pass without mirrors.
        image: height and width of the image that the MACs are of.
        warnings: what could not be counted.
    """

    name: str
    kind: str
    numbers: int | None
    zeros: int | None
    sizes: Mapping[str, int]
    parts: Mapping[str, int]
    macs: Mapping[str, int]
    image: tuple[int, int] | None
    warnings: tuple[str, ...] = ()

    @property
    def total_macs(self) -> int:
        """Of everything that is computed for one image, preprocessing and OOD score included."""
        return sum(self.macs.values())

    def to_json(self) -> str:
        """All of it, with the footings in words, as JSON."""
        values = asdict(self) | {
            "total_macs": self.total_macs,
            "footings": {name: FOOTINGS[name] for name in self.sizes},
        }
        return json.dumps(values, indent=2)


def account(
    artefact: "str | os.PathLike[str] | nn.Module | Run | Bundle",
    *,
    size: int | None = None,
    bits: int = 32,
    image: tuple[int, int] = IMAGE,
    **options: Any,
) -> Account:
    """Count an artefact's bytes and operations. Nothing is timed; `measure` does that.

    Args:
        artefact: a network of the registry by its name, which is counted without values; a network with its values;
            a run, or its folder; a bundle (.onnx, .onnx.zst), or its name or path; the path of a .tflite file.
        size: pixels a side of a network's input; a named one's native size where not given.
        bits: that each number of a network or run would be stored in: 32, 16 or 8. Files have their own width.
        image: height and width of the image that a bundle's operations are counted for.
        options: of a named network's builder.

    Raises:
        RunError: unknown name, no such run, or a size that doesn't fit.
        BundleError: a file that is not a bundle.
    """
    if bits not in (32, 16, 8):
        raise RunError(f"Numbers of {bits!r} bits are not counted.", "Use 32, 16 or 8.")
    if isinstance(artefact, nn.Module):
        return _of_network(artefact, cost(artefact, size), bits)
    if isinstance(artefact, Bundle):
        return _of_bundle(artefact, image)
    if not isinstance(artefact, str | os.PathLike):
        return _of_run(artefact, bits)
    path = Path(artefact)
    if path.suffix == ".tflite":
        return _of_tflite(path)
    if is_bundle(artefact):
        return _of_bundle(Bundle(find_bundle(artefact), threads=1), image)
    if os.fspath(artefact) not in models.names() and path.is_dir():
        from lentigo.training import load_run  # takes seconds, for Lightning

        return _of_run(load_run(path), bits)
    return _of_counts(cost(os.fspath(artefact), size, **options), bits)


def is_bundle(name: str | os.PathLike[str]) -> bool:
    """Whether a name or path means a bundle: that of a shipped model, or an existing file or one named like it."""
    path = Path(name)
    return os.fspath(name) in shipped_models() or path.is_file() or path.name.endswith((".onnx", ".onnx.zst"))


def _of_counts(counted: Cost, bits: int) -> Account:
    """Of a network whose values are not known."""
    return Account(
        name=counted.model,
        kind="network",
        numbers=counted.parameters,
        zeros=None,
        sizes={
            "weights": counted.weight_bytes(bits),
            "checkpoint": checkpoint_bytes(counted.trainable, counted.non_trainable),
        },
        parts={},
        macs={"network": counted.macs},
        image=(counted.size, counted.size),
        warnings=counted.warnings,
    )


def _of_network(network: nn.Module, counted: Cost, bits: int) -> Account:
    """Of a network with values, which are rounded to half precision or to 255 steps a tensor if `bits` asks for it."""
    kept = [v for k, v in network.state_dict().items() if not k.endswith("num_batches_tracked")]
    stored = [_at(v.detach().cpu().float().numpy(), bits) for v in kept]
    counts = _of_counts(counted, bits)
    sizes = _weight_sizes([(v, v.nbytes) for v in stored]) | {"checkpoint": counts.sizes["checkpoint"]}
    return replace(counts, sizes=sizes, zeros=sum(int(v.size - np.count_nonzero(v)) for v in stored))


def _of_run(run: "Run", bits: int) -> Account:
    """Of a finished run: its network, with the file of its weights."""
    network = run.network()
    inner = network.network if isinstance(network, models.FlipTTA) else network
    found = _of_network(inner, cost(inner, run.recipe.size), bits)
    content = (run.path / "network.safetensors").read_bytes()
    sizes = {**found.sizes, "file": len(content), **packed_sizes(content, "file")}
    return replace(found, name=f"{run.model} ({run.path})", kind="run", sizes=_ordered(sizes))


def _of_bundle(bundle: Bundle, image: tuple[int, int]) -> Account:
    content = read_model(bundle.path)
    model = onnx.load_from_string(content)
    constants = tensors(model)
    weights = [(t.values, t.nbytes) for t in constants if t.part == "weights"]
    macs = count_macs(model, bundle.metadata, image)
    file = bundle.path.stat().st_size
    sizes = {
        **_weight_sizes(weights),
        "file": file,
        **packed_sizes(content, "file"),
        "checkpoint": checkpoint_bytes(bundle.metadata.parameters),
    }
    return Account(
        name=bundle.name,
        kind="bundle" if file == len(content) else "packed bundle",
        numbers=sum(values.size for values, _ in weights),
        zeros=sum(int(values.size - np.count_nonzero(values)) for values, _ in weights),
        sizes=_ordered(sizes),
        parts=_parts(model, constants, len(content)),
        macs={"network": macs.network, "preprocessing": macs.preprocessing, "ood": macs.ood},
        image=macs.image,
        warnings=macs.warnings,
    )


def _of_tflite(path: Path) -> Account:
    if not path.is_file():
        raise RunError(f"{path}: there is no such file.", "`lentigo export RUN_OR_BUNDLE FILE.tflite` creates one.")
    content = path.read_bytes()
    sizes = {"file": len(content), **packed_sizes(content, "file")}
    note = "Weights and operations inside a .tflite file are not counted: see the bundle that it was made from."
    return Account(path.name, "LiteRT", None, None, sizes, {}, {}, None, (note,))


def _weight_sizes(stored: list[tuple[NDArray, int]]) -> dict[str, int]:
    content = b"".join(np.ascontiguousarray(values).tobytes() for values, _ in stored)
    return {
        "weights": sum(nbytes for _, nbytes in stored),
        "weights_sparse": sparse_bytes(stored),
        **packed_sizes(content, "weights"),
    }


def _at(values: NDArray, bits: int) -> NDArray:
    """Values as they are stored at so many bits."""
    if bits == 32:
        return values
    if bits == 16:
        return values.astype(np.float16)
    step = float(np.abs(values).max(initial=0)) / 127 or 1.0
    return np.round(values / step).astype(np.int8)


def _parts(model: onnx.ModelProto, constants: Sequence[Tensor], total: int) -> dict[str, int]:
    """Bytes by part of the file; the graph's text is what is left."""
    values = {p.key: p.value for p in model.metadata_props}
    text = values.get(METADATA_KEY, "{}")
    fingerprints = json.dumps(json.loads(text).get("fingerprints", {}), separators=(",", ":"))
    known = {part: sum(t.nbytes for t in constants if t.part == part) for part in ("weights", "ood", "preprocessing")}
    known["fingerprints"] = len(fingerprints.encode())
    known["metadata"] = len(text.encode()) - known["fingerprints"] + len(values.get(HASH_KEY, ""))
    return {**known, "graph": total - sum(known.values())}


def _ordered(sizes: Mapping[str, int]) -> dict[str, int]:
    return {name: sizes[name] for name in FOOTINGS if name in sizes}
