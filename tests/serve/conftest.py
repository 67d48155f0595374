"""One service on loopback for the whole session: real processes, the model that ships."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from lentigo.data.sources import synthetic
from lentigo.runtime import shipped_models


class Running:
    """A service that was started as `lentigo serve`, and what it has written."""

    def __init__(self, process: subprocess.Popen, log: Path) -> None:
        self.process = process
        self.log = log
        self.url = self._wait_for_url()

    def lines(self) -> list[dict]:
        return [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]

    def events(self, event: str) -> list[dict]:
        return [line for line in self.lines() if line["event"] == event]

    def workers(self) -> list[int]:
        """Process ids of the workers."""
        found = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return [int(pid) for pid in found]

    def until(self, true, seconds: float = 180) -> None:
        """Wait until something is true."""
        end = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < end, self.log.read_text()[-2000:]
            time.sleep(0.02)

    def _wait_for_url(self) -> str:
        self.until(lambda: self.process.poll() is not None or self.events("listening"))
        assert self.process.poll() is None, self.log.read_text()
        said = self.events("listening")[0]
        return f"http://{said['host']}:{said['port']}"


@contextmanager
def running(folder: Path, *arguments: object, **environment: str) -> Iterator[Running]:
    """Start `lentigo serve` in a folder, at a free port; end it."""
    log = folder / "log.jsonl"
    (folder / "tmp").mkdir(exist_ok=True)
    with log.open("wb") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "lentigo", "serve", *map(str, arguments), "--port", "0"],
            stderr=errors,
            cwd=folder,
            env={**os.environ, "TMPDIR": str(folder / "tmp"), **environment},
        )
    try:
        yield Running(process, log)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


ADMIN = {"Authorization": "Bearer let me in"}


@pytest.fixture(scope="session")
def service(bundle_path, tmp_path_factory) -> Iterator[Running]:
    """Two workers, small limits, and a key for the administrator; the model is a copy that tests may replace."""
    folder = tmp_path_factory.mktemp("service")
    shutil.copy(bundle_path, folder / "model.onnx")
    (folder / "serve.toml").write_text('max_bytes = 4_000_000\nmax_pixels = 4_000_000\nadmin_key = "let me in"\n')
    options = ("--config", "serve.toml", "--workers", 2, "--body-timeout", 1, "--header-timeout", 1)
    with running(folder, "./model.onnx", *options) as found:
        yield found


@pytest.fixture(scope="session")
def strict(bundle_path, tmp_path_factory) -> Iterator[Running]:
    """One worker, a tiny queue, little time, keys, one origin allowed, and an audit log."""
    folder = tmp_path_factory.mktemp("strict")
    (folder / "keys").write_text("alpha\nbeta\n")
    options = ("--workers", 1, "--queue", 2, "--max-images", 2, "--api-keys-file", "keys")
    more = ("--max-connections", 20, "--audit-log", "audit.jsonl")
    with running(
        folder,
        bundle_path,
        *options,
        *more,
        LENTIGO_SERVE_TIMEOUT="3",
        LENTIGO_SERVE_CORS_ORIGINS='["https://ward.example"]',
    ) as found:
        yield found


@pytest.fixture
def http(service) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=service.url, timeout=120) as client:
        yield client


@pytest.fixture(scope="session")
def photos(tmp_path_factory) -> list[bytes]:
    """The bytes of some JPEGs of synthetic lesions."""
    root = synthetic.make(tmp_path_factory.mktemp("lesions"), lesions=12, seed=0)
    return [path.read_bytes() for path in sorted(root.rglob("*.jpg"))]


@pytest.fixture(scope="session")
def photo(photos) -> bytes:
    """The bytes of one of them."""
    return photos[0]


@pytest.fixture(scope="session")
def bundle_path() -> Path:
    """In place of a bundle that would have to be trained first."""
    return shipped_models()["lentigo-s"]


@pytest.fixture(scope="session")
def other_bundle() -> Path:
    """Another model."""
    return Path(__file__).parent.parent / "fixtures" / "format_1.onnx"
