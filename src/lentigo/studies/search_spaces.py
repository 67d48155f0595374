"""Spaces for searching hyper-parameters.

The paper behind explainable_cnn searches learning rate, filters, batch size and optimizer by grid and genetic
algorithm, but gives neither ranges nor outcome. The ranges here are ours: around what its layers and the other studies
have.
"""

from pathlib import Path
from types import MappingProxyType

from lentigo.training.space import Range, Space, load_space

__all__ = ["SEARCH_SPACES", "search_space"]

_ANY: dict[str, object] = {
    "learning_rate": Range(1e-4, 1e-2, points=3),
    "batch_size": (32, 64, 128),
    "optimizer": ("adam", "rmsprop", "sgd"),
}
_FILTERS = ((16, 32), (32, 64), (64, 128))

SEARCH_SPACES: MappingProxyType[str, Space] = MappingProxyType({"explainable_cnn": {**_ANY, "filters": _FILTERS}})  # type: ignore[dict-item]
"""By network."""


def search_space(model: str, path: Path | None = None) -> Space:
    """The space to search for a network.

    Args:
        model: name of the network; one without a space of its own gets learning rate, batch size and optimizer.
        path: a JSON file with a space to take instead.

    Raises:
        RunError: the file is not a search space.
    """
    return load_space(path) if path else SEARCH_SPACES.get(model, _ANY)  # type: ignore[arg-type]
