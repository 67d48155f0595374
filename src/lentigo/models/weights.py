"""Start a network from trained weights: from a local file, or from the library that its backbone comes from."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from lentigo.errors import RunError, reason
from lentigo.models.backbones import Backbone

__all__ = ["Loaded", "Undrawn", "load_weights"]

MAY_BE_MISSING = ("layer4",)
"""Parts that a file may lack as a whole, which then start fresh: a known conversion of ResNet50 ends at conv4."""
_OFFLINE = "Without a network connection, use a local file with {names} key names: --weights FILE (safetensors)."


@dataclass(frozen=True)
class Loaded:
    """What a network was given.

    Attributes:
        source: name of the file, or 'torchvision/NAME' or 'timm/NAME'.
        sha256: of the file, hexadecimal; empty for a library's weights, which it checks itself.
        tensors: how many tensors were loaded.
        fresh: parts of the backbone that the file lacks and that start from random weights.
        left_out: how many of the file's tensors belong to parts that this network does without, such as a classifier.
        dropped: parts, by the library's names, that the network was cut short by; their tensors are left out.
    """

    source: str
    sha256: str
    tensors: int
    fresh: tuple[str, ...]
    left_out: int
    dropped: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, object]:
        """As plain values; `dropped` only where the network was cut short, so that older runs' records stay equal."""
        return {name: value for name, value in asdict(self).items() if name != "dropped" or value}


_DRAWS = {Tensor.normal_, Tensor.uniform_} | {
    getattr(nn.init, f"{kind}_")
    for kind in (
        *("kaiming_normal", "kaiming_uniform", "normal", "trunc_normal", "uniform"),
        *("xavier_normal", "xavier_uniform"),
    )
}
"""Tensor's own, and those of `nn.init`, inside which calls of a tensor's are not seen."""


class Undrawn(TorchFunctionMode):
    """Networks that are built in this context have memory as it comes instead of random weights.

    For those whose every weight is loaded next: to draw the 138 million of a VGG16 takes longer than to read them.
    """

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in _DRAWS:
            return args[0] if args else kwargs["tensor"]
        return func(*args, **(kwargs or {}))


def load_weights(network: nn.Module, file: Path | None = None) -> Loaded:
    """Load trained weights in place: into the backbone where the network has one, else into all of it.

    Args:
        network: a network of the registry.
        file: a safetensors file in the key names of the backbone's library; without it, the library's ImageNet weights
            are downloaded once and cached.

    Raises:
        RunError: the file can't be read, or doesn't fit: tensors are missing, unknown or of another shape; or the
            library's weights can't be fetched or don't fit this variant.
    """
    backbone = getattr(network, "features", None)
    if isinstance(backbone, Backbone):
        names = backbone.source.partition("/")[0]
        target, known, label = backbone.body, backbone.left_out, backbone.source
    else:
        target, known, label, names = network, (), type(network).__name__, "its own"
    if file is None:
        if not isinstance(backbone, Backbone):
            raise RunError(f"There are no pretrained weights of {label} to download.", "Name a file: --weights FILE.")
        tensors, source, digest = _from_library(backbone), backbone.source, ""
    else:
        tensors, source, digest = _from_file(file, names), file.name, hashlib.sha256(file.read_bytes()).hexdigest()
    used = {key: tensor for key, tensor in tensors.items() if not key.startswith(known)}
    fresh = _check(target, used, f"{source} doesn't fit {label}")
    target.load_state_dict(used, strict=False)
    dropped = backbone.dropped if isinstance(backbone, Backbone) else ()
    return Loaded(source, digest, len(used), fresh, len(tensors) - len(used), dropped)


def _from_file(file: Path, names: str) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(file)
    except FileNotFoundError:
        raise RunError(f"{file}: there is no such file.", "Check the path.") from None
    except (SafetensorError, OSError) as error:
        hint = f"Use a safetensors file with {names} key names."
        raise RunError(f"{file}: not a readable safetensors file ({reason(error)}).", hint) from None


def _from_library(backbone: Backbone) -> Mapping[str, Tensor]:
    """ImageNet weights from torchvision or timm, through their own caches."""
    library, _, name = backbone.source.partition("/")
    if not backbone.on_hub:
        raise RunError(
            f"The weights of {backbone.source} don't fit this variant of it.",
            "Omit the variant's options, or use its own weights: --weights FILE.",
        )
    try:
        if library == "torchvision":
            from torchvision.models import get_model_weights

            return get_model_weights(name)["IMAGENET1K_V1"].get_state_dict(progress=True, check_hash=True)
        import timm

        return timm.create_model(name, pretrained=True).state_dict()
    except Exception as error:
        # Each library and its transport has errors of its own for a lost connection, a full disk, a refused host.
        reason = str(error).strip().splitlines()
        raise RunError(
            f"The ImageNet weights of {backbone.source} couldn't be downloaded ({reason[0] if reason else error!r}).",
            _OFFLINE.format(names=library),
        ) from error


def _check(target: nn.Module, given: Mapping[str, Tensor], wrong: str) -> tuple[str, ...]:
    """Parts that start fresh; raises when the tensors don't fit otherwise."""
    wanted = {key: t for key, t in target.state_dict().items() if not key.endswith("num_batches_tracked")}
    missing = wanted.keys() - given.keys()
    fresh = tuple(part for part in MAY_BE_MISSING if _keys_of(part, wanted) and _keys_of(part, wanted) <= missing)
    for part in fresh:
        missing -= _keys_of(part, wanted)
    if missing:
        raise RunError(f"{wrong}: it lacks {_some(missing)}.", "Use weights of exactly this network.")
    unknown = {key for key in given if key not in wanted and not key.endswith("num_batches_tracked")}
    if unknown:
        raise RunError(f"{wrong}: it also contains {_some(unknown)}.", "Use weights of exactly this network.")
    for key in sorted(given.keys() & wanted.keys()):
        if given[key].shape != wanted[key].shape:
            shapes = f"{tuple(given[key].shape)} and not {tuple(wanted[key].shape)}"
            raise RunError(f"{wrong}: {key} has shape {shapes}.", "Use weights of exactly this network.")
    return fresh


def _keys_of(part: str, keys: Iterable[str]) -> set[str]:
    return {key for key in keys if key.startswith(f"{part}.")}


def _some(keys: Iterable[str]) -> str:
    """The first keys, and how many more there are."""
    first, *rest = sorted(keys)
    return f"{first} and {len(rest)} more" if rest else first
