"""Load on an HTTP service: wrk where it is installed, else a client of our own; and the processes of a service.

Used by service.py and service_fuzz.py.
"""

import asyncio
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import urlopen

__all__ = ["Connection", "Measured", "lentigo_service", "load", "memory", "processes", "started"]

_LUA = """
local count = %d
local bodies = {}
for i = 0, count - 1 do
  local file = io.open("%s/" .. i, "rb")
  bodies[i] = file:read("*a")
  file:close()
end
local n = 0
request = function()
  n = (n + 1) %% count
  return wrk.format("POST", "%s", {["Content-Type"] = "application/octet-stream"}, bodies[n])
end
done = function(summary, latency, requests)
  local e = summary.errors
  io.write(string.format(
    '\\nRESULT {"requests": %%d, "seconds": %%f, "p50": %%f, "p95": %%f, "p99": %%f, "errors": %%d}\\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(95) / 1e3,
    latency:percentile(99) / 1e3, e.connect + e.read + e.write + e.status + e.timeout))
end
"""


class Measured(NamedTuple):
    """What a load met: latencies in milliseconds; errors are answers other than 200 and broken connections."""

    clients: int
    requests: int
    seconds: float
    p50: float
    p95: float
    p99: float
    errors: int

    @property
    def rate(self) -> float:
        """Correct answers a second."""
        return (self.requests - self.errors) / self.seconds


def load(url: str, bodies: Sequence[bytes], clients: int, seconds: float) -> Measured:
    """Ask again and again, each client as soon as it has its answer."""
    if not shutil.which("wrk"):
        command = [sys.executable, __file__, url, str(clients), str(seconds)]
        with tempfile.TemporaryDirectory() as folder:
            _write(Path(folder), bodies)
            answer = subprocess.run([*command, folder], check=True, capture_output=True, text=True).stdout
        return Measured(clients, **json.loads(answer))
    parts = urlsplit(url)
    with tempfile.TemporaryDirectory() as folder:
        _write(Path(folder), bodies)
        script = Path(folder) / "post.lua"
        script.write_text(_LUA % (len(bodies), folder, parts.path))
        command = ["wrk", "-t1", f"-c{clients}", f"-d{int(seconds)}s", "--timeout", "30s", "-s", str(script)]
        said = subprocess.run([*command, f"http://{parts.netloc}"], check=True, capture_output=True, text=True).stdout
    return Measured(clients, **json.loads(said.partition("RESULT ")[2]))


class Connection:
    """A connection that stays open; plain HTTP/1.1 with Content-Length, for little work on the client's side."""

    def __init__(self, url: str) -> None:
        self._parts = urlsplit(url)
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def post(self, body: bytes) -> tuple[int, bytes]:
        """Status and body of the answer.

        Raises:
            OSError, EOFError: the connection broke.
        """
        if self._writer is None or self._writer.is_closing():
            self._reader, self._writer = await asyncio.open_connection(self._parts.hostname, self._parts.port)
        assert self._reader
        head = f"POST {self._parts.path} HTTP/1.1\r\nHost: {self._parts.netloc}\r\nContent-Length: {len(body)}\r\n\r\n"
        self._writer.write(head.encode() + body)
        try:
            answer = (await self._reader.readuntil(b"\r\n\r\n")).lower()
            length = int(answer.partition(b"content-length:")[2].partition(b"\r\n")[0])
            content = await self._reader.readexactly(length)
        except BaseException:
            self.close()
            raise
        if b"connection: close" in answer:
            self.close()
        return int(answer.split()[1]), content

    def close(self) -> None:
        """Close it; the next request opens another."""
        if self._writer:
            self._writer.close()
            self._writer = None


async def _own_load(url: str, bodies: Sequence[bytes], clients: int, seconds: float) -> dict[str, float]:
    times: list[float] = []
    statuses: Counter[int] = Counter()
    started = time.perf_counter()

    async def ask(first: int) -> None:
        connection, i = Connection(url), first
        while time.perf_counter() - started < seconds:
            i += 1
            asked = time.perf_counter()
            try:
                status, _ = await connection.post(bodies[i % len(bodies)])
            except (OSError, EOFError):
                status = 0
            statuses[status] += 1
            times.append(1000 * (time.perf_counter() - asked))
        connection.close()

    await asyncio.gather(*(ask(k * 7) for k in range(clients)))
    cuts = statistics.quantiles(times, n=100, method="inclusive")
    count = sum(statuses.values())
    return {
        "requests": count,
        "seconds": time.perf_counter() - started,
        "p50": cuts[49],
        "p95": cuts[94],
        "p99": cuts[98],
        "errors": count - statuses[200],
    }


def _write(folder: Path, bodies: Sequence[bytes]) -> None:
    for i, body in enumerate(bodies):
        (folder / str(i)).write_bytes(body)


@contextmanager
def started(command: Sequence[str], ready: str, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """A server process, once `ready` answers; ended at the end."""
    process = subprocess.Popen(command, env={**os.environ, **environment})
    try:
        _wait(process, ready)
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(process: subprocess.Popen[bytes], ready: str, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while True:
        try:
            urlopen(ready, timeout=5).close()
            return
        except (URLError, TimeoutError):
            if process.poll() is not None or time.monotonic() > end:
                raise SystemExit(f"{ready} did not answer") from None
            time.sleep(0.1)


@contextmanager
def lentigo_service(port: int, *options: str) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """`lentigo serve` with its default model; gives the address of classify, and the process."""
    command = [sys.executable, "-m", "lentigo", "serve", "--port", str(port), "--log-level", "error", *options]
    with started(command, f"http://127.0.0.1:{port}/readyz") as process:
        yield f"http://127.0.0.1:{port}/v1/classify", process


def processes(parent: int) -> list[int]:
    """Ids of a process's children."""
    return [int(pid) for pid in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]


def memory(parent: int) -> float:
    """Millions of bytes of a process and its children; what several share is counted once (PSS)."""
    total = 0
    for pid in (parent, *processes(parent)):
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        total += next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return 1024 * total / 1e6  # the kernel counts in KiB


def every(seconds: float, what: Callable[[], float], until: Callable[[], bool]) -> list[float]:
    """Values of something, regularly, until something else is true."""
    found = []
    while not until():
        found.append(what())
        time.sleep(seconds)
    return found


if __name__ == "__main__":
    named, number, duration, place = sys.argv[1:]
    contents = [path.read_bytes() for path in sorted(Path(place).iterdir())]
    print(json.dumps(asyncio.run(_own_load(named, contents, int(number), float(duration)))))
