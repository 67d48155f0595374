"""What every benchmark prints besides its figure: n, machine, versions."""

import os
import platform
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import IO

from PIL import Image


def machine(*more: str) -> str:
    """Processor, cores and versions in one line; `more` are further packages whose version matters."""
    info = Path("/proc/cpuinfo")
    names = [line.partition(":")[2].strip() for line in info.read_text().splitlines() if line.startswith("model name")]
    processor = names[0] if info.exists() and names else platform.processor() or platform.machine()
    packages = ", ".join(f"{name} {version(name)}" for name in ("lentigo", "onnxruntime", "numpy", "pillow", *more))
    return f"{processor}, {os.cpu_count()} cores; Python {platform.python_version()}, {packages}"


def as_installed() -> dict[str, str]:
    """The environment for timing start-up: modules are kept compiled, as pip leaves them."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def publish(lines: list[str], out: Path | None) -> None:
    """Print lines, and write them to a file if one is named."""
    text = "\n".join(lines) + "\n"
    print(text, end="")
    if out:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(text, encoding="utf-8")


def pixels_of(files: Iterable[str | Path | IO[bytes]]) -> str:
    """Width and height of images: copies of one data set differ in them, and models do on the copies."""
    sizes = {Image.open(path).size for path in files}
    return ", ".join(f"{width}x{height} pixels" for width, height in sorted(sizes)[:3])


def spread(values: list[float], unit: str) -> str:
    """Median, minimum, maximum and n."""
    ordered = sorted(values)
    median = ordered[len(ordered) // 2]
    return f"{median:.3f} {unit} (min {ordered[0]:.3f}, max {ordered[-1]:.3f}, n = {len(ordered)})"
