"""Measure how fast a network or a bundle runs here, and how much memory it takes. Never compare across machines."""

import json
import os
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

__all__ = ["Measured", "Speed", "machine", "measure"]


@dataclass(frozen=True)
class Speed:
    """Time of one setting.

    Attributes:
        batch: images at a time.
        threads: threads that it may use.
        median_ms: median time of a batch in milliseconds.
        p90_ms: 90 % of the batches took at most this long.
        runs: how many batches were timed.
    """

    batch: int
    threads: int
    median_ms: float
    p90_ms: float
    runs: int

    @property
    def images_per_second(self) -> float:
        """Images a second at the median."""
        return 1000 * self.batch / self.median_ms


@dataclass(frozen=True)
class Measured:
    """What was measured, and where.

    Attributes:
        image: height and width of the images.
        speeds: one a setting.
        peak_bytes: most bytes at once for one image, see `memory`; None where the system does not tell.
        memory: what `peak_bytes` counts.
        device: 'cpu' or the name of the accelerator.
        machine: processor, its cores, and system.
        versions: of Python and what ran it.
    """

    image: tuple[int, int]
    speeds: tuple[Speed, ...]
    peak_bytes: int | None
    memory: str
    device: str
    machine: str
    versions: dict[str, str]

    def to_json(self) -> str:
        """All of it as JSON."""
        return json.dumps(asdict(self), indent=2)


def measure(
    network: nn.Module,
    size: int,
    *,
    batches: Sequence[int] = (1, 32),
    threads: Sequence[int] = (1, 2),
    runs: int = 20,
) -> Measured:
    """Time inference with images of noise, after three warm-up batches.

    Args:
        network: on the device to measure.
        size: input, pixels a side.
        batches: images at a time.
        threads: threads of torch; settings beyond the machine's cores are left out. On an accelerator only one is used.
        runs: batches to time in each setting.
    """
    device = next(network.parameters()).device
    training, before = network.training, torch.get_num_threads()
    settings = [t for t in threads if t <= (os.cpu_count() or 1)] if device.type == "cpu" else [before]
    network.eval()
    try:
        with torch.inference_mode():
            speeds = []
            for count in settings:
                torch.set_num_threads(count)
                speeds += [_time(network, torch.rand(n, 3, size, size, device=device), count, runs) for n in batches]
            peak = _peak_bytes(network, torch.rand(1, 3, size, size, device=device))
    finally:
        torch.set_num_threads(before)
        network.train(training)
    return Measured(
        image=(size, size),
        speeds=tuple(speeds),
        peak_bytes=peak,
        memory="tensors, beyond the weights and the image",
        device="cpu" if device.type == "cpu" else torch.cuda.get_device_name(device),
        machine=machine(),
        versions={"python": platform.python_version(), "torch": torch.__version__},
    )


def _time(network: nn.Module, images: Tensor, threads: int, runs: int) -> Speed:
    times = []
    for _ in range(runs + 3):
        start = time.perf_counter()
        network(images)
        if images.device.type == "cuda":
            torch.cuda.synchronize(images.device)
        times.append(1000 * (time.perf_counter() - start))
    median, p90 = np.quantile(times[3:], (0.5, 0.9))
    return Speed(len(images), threads, float(median), float(p90), runs)


def _peak_bytes(network: nn.Module, images: Tensor) -> int:
    """Most bytes that the tensors made on the way held at once."""
    if images.device.type == "cuda":
        held = torch.cuda.memory_allocated(images.device)
        torch.cuda.reset_peak_memory_stats(images.device)
        network(images)
        return torch.cuda.max_memory_allocated(images.device) - held
    with _LiveTensors() as live:
        network(images)
    return live.peak


class _LiveTensors(TorchDispatchMode):
    """Follows how many bytes the tensors hold that are made inside it."""

    def __init__(self) -> None:
        super().__init__()
        self.peak = 0
        self._made: dict[StorageWeakRef, int] = {}

    def __torch_dispatch__(
        self, func: Callable[..., Any], types: object, args: tuple = (), kwargs: dict[str, Any] | None = None
    ) -> Any:  # whatever the operation gives
        given = {StorageWeakRef(t.untyped_storage()) for t in tree_leaves((args, kwargs)) if isinstance(t, Tensor)}
        result = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(result):
            if isinstance(tensor, Tensor) and (storage := StorageWeakRef(tensor.untyped_storage())) not in given:
                self._made[storage] = tensor.untyped_storage().nbytes()
        self._made = {storage: size for storage, size in self._made.items() if not storage.expired()}
        self.peak = max(self.peak, sum(self._made.values()))
        return result


def machine() -> str:
    """Processor, its cores, and system."""
    return f"{_processor()}, {os.cpu_count()} cores, {platform.platform(terse=True)}"


def _processor() -> str:
    """Name of the processor, as far as the system tells it."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
