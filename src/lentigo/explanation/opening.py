"""Whatever can be explained, as one kind of thing: a predictor, with its network where a method looks inside."""

import os
from pathlib import Path
from typing import Any

from lentigo.errors import BundleError, RunError
from lentigo.explanation.methods.registry import Method
from lentigo.runtime import Bundle, Classifier
from lentigo.runtime.shipped import find_bundle

__all__ = ["check_fits", "open_model"]


def open_model(model: Any = None) -> Any:
    """A model that can be explained: `predict`, `labels`, `size`, `name` and `sha256`, as any `Predictor` has them.

    Args:
        model: name of a model that ships, path of a bundle or of a run's folder, a `Classifier`, a `Run`, an
            `explanation.network.Network`, or any `Predictor`, which is returned as it is; None is the default model.

    Raises:
        BundleError: unknown model, or not a bundle.
        RunError: not a finished run.
        MissingExtraError: a run, without torch.
    """
    if isinstance(model, Classifier):
        return model.bundle
    if isinstance(model, str | os.PathLike) and Path(os.fsdecode(model)).expanduser().is_dir():
        from lentigo.training import load_run

        model = load_run(Path(os.fsdecode(model)).expanduser())
    if model is None or isinstance(model, str | os.PathLike):
        return Bundle(find_bundle(model))
    if hasattr(model, "trained_network"):
        from lentigo.explanation.network import Network

        return Network.of_run(model)
    if not hasattr(model, "predict"):
        raise BundleError(
            f"{type(model).__name__} is not a model that can be explained.",
            "Pass a bundle, a classifier, a run, or explanation.network.Network(your network, ...).",
        )
    return model


def check_fits(method: Method, model: Any) -> None:
    """Refuse a method that looks inside the network for a model that has none to look into.

    Raises:
        RunError: the model is a bundle, or another kind without a torch network.
    """
    if method.needs == "network" and not hasattr(model, "score"):
        raise RunError(
            f"{method.name} looks inside the network, which {model.name} doesn't show.",
            "Name the run's folder instead of the bundle, or use cam, occlusion or rise.",
        )
