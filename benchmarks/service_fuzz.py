"""Ten thousand damaged images against a service: statuses, memory, and whether its processes are still the same.

python benchmarks/service_fuzz.py IMAGE [--images 10000]
"""

import argparse
import asyncio
import sys
from collections import Counter
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from service_load import Connection, lentigo_service, memory, processes

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.serve.fuzzing import FORMATS, mutated, originals

ALLOWED = frozenset({200, 413, 415, 422})


async def send(url: str, contents: Sequence[bytes], clients: int = 8) -> Counter[int]:
    """Statuses of the answers; 0 for a connection without one."""
    statuses: Counter[int] = Counter()
    remaining = iter(contents)

    async def ask() -> None:
        connection = Connection(url)
        for content in remaining:
            try:
                status, _ = await connection.post(content)
            except (OSError, EOFError):
                status = 0
            statuses[status] += 1
        connection.close()

    await asyncio.gather(*(ask() for _ in range(clients)))
    return statuses


def fuzz(photo: bytes, count: int, port: int) -> dict[str, Any]:
    """Send `count` mutations of a photograph in every format."""
    files = list(mutated(originals(photo), count, seed=0))
    with lentigo_service(port) as (url, process):
        before = processes(process.pid)
        statuses = asyncio.run(send(url, files[: count // 10]))
        early = memory(process.pid)
        statuses += asyncio.run(send(url, files[count // 10 :]))
        late = memory(process.pid)
        same = processes(process.pid) == before
    return {
        "images": count,
        "formats": ", ".join([*FORMATS, *(["DICOM"] if find_spec("pydicom") else [])]),
        "statuses": {str(status): number for status, number in statuses.items()},
        "unexpected": sum(number for status, number in statuses.items() if status not in ALLOWED),
        "megabytes_before": early,
        "megabytes_after": late,
        "growth": late / early - 1,
        "same_processes": same,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("image", type=Path)
    parser.add_argument("--images", type=int, default=10_000)
    options = parser.parse_args()
    found = fuzz(options.image.read_bytes(), options.images, 8473)
    for name, value in found.items():
        print(f"{name}: {value}")
    sys.exit(bool(found["unexpected"]) or not found["same_processes"])


if __name__ == "__main__":
    main()
