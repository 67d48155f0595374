"""Where a network is trained and asked: 'auto' takes the best device that is there."""

from typing import Literal, get_args

import torch

from lentigo.errors import RunError, did_you_mean

__all__ = ["Device", "find_device"]

Device = Literal["auto", "cpu", "cuda", "mps"]


def find_device(name: str) -> torch.device:
    """The device of that name.

    Args:
        name: 'auto', 'cpu', 'cuda' (NVIDIA, or AMD's ROCm) or 'mps' (Apple).

    Raises:
        RunError: no such name, or no such device in this machine.
    """
    if name not in get_args(Device):
        raise RunError(f"Unknown device {name!r}.", did_you_mean(name, get_args(Device)))
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        return torch.device(next(kind for kind, found in there.items() if found))
    if not there[name]:
        found = ", ".join(kind for kind, found in there.items() if found)
        raise RunError(f"This machine has no {name} device that torch can use.", f"Use auto, or one of: {found}.")
    return torch.device(name)
