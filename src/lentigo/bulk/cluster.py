"""Ray: the cluster at an address, the one that is connected already, or a new one on this machine; and what it says."""

import os
import re
import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lentigo import __version__
from lentigo.errors import DataError, LentigoError, needs_extra

__all__ = ["check_version", "connected", "explained"]

ANSWER = 5.0
"""Seconds within which something must listen at an address; Ray itself would try for a minute and more."""
ENOUGH = 100
"""Megabytes that a disk must have left not to be suspected."""
_HERE = (None, "local")
_SETTINGS = b"\x04"
"""Type of the frame with which both sides of HTTP/2 begin (RFC 9113, sections 3.4 and 6.5)."""
_GREETING = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0" + _SETTINGS + b"\0" * 5
_COLOUR, _CAUSE = re.compile(r"\x1b\[[0-9;]*m"), re.compile(r"[A-Za-z_][\w.]*(Error|Exception): ")
_HINTS = {
    "No module named": "Install lentigo with the same extras on every node, for the Python that runs Ray there.",
    "uthentication": "Put the cluster's token into RAY_AUTH_TOKEN, or into ~/.ray/auth_token, here and on every node.",
    "No space left on device": "Free some space for Ray's files (in /tmp, or RAY_TMPDIR) and objects (/dev/shm).",
}
_QUIET = {"log_to_driver": False, "logging_level": "ERROR", "configure_logging": True}


@contextmanager
def connected(address: str | None, processors: int = 1) -> Iterator[Any]:
    """Ray, connected: to the cluster at an address, to the one that is connected already, or to a new one here.

    Args:
        address: HOST:PORT of a running cluster; 'auto' for the one that this machine belongs to; None starts one here.
        processors: how many it must have.

    Raises:
        MissingExtraError: Ray is not installed.
        DataError: no cluster at that address, one of another version of Ray or Python, or one with too few processors;
            or this process is connected to another one.
        LentigoError: Ray does not start here.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # before it is imported: nothing reports to anyone
    with needs_extra("The engine Ray", "cluster"):
        import ray
        import ray.data
    ours = not ray.is_initialized()
    if ours:
        _start(ray) if address in _HERE else _join(ray, str(address))
    try:
        if not ours:
            _refuse_other(ray, address)
        _refuse_small(ray, processors)
        yield ray
    finally:
        if ours:
            ray.shutdown()


def check_version(wanted: str) -> None:
    """On a node: see that its lentigo is that of whoever sends it work.

    Raises:
        LentigoError: it is another one, whose results may be others.
    """
    if __version__ != wanted:
        raise LentigoError(
            f"A node of the cluster has lentigo {__version__}, and the work comes from {wanted}.",
            "Install the same version on every node.",
        )


def explained(error: BaseException) -> tuple[str, str]:
    """What an error of Ray says, in a line, and the next step: its own texts are pages of tracebacks."""
    lines = [_COLOUR.sub("", line).strip() for line in str(error).splitlines() if line.strip()]
    causes = [line for line in lines if _CAUSE.match(line)]
    what = (causes[-1] if causes else lines[0] if lines else type(error).__name__).rstrip(".")
    for sign, hint in _HINTS.items():
        if sign in what:
            return what, hint
    return what, ""


def _start(ray: Any) -> None:
    """A cluster of this machine alone."""
    try:
        # Ray Data waits for ever on a node of one processor.
        ray.init(address="local", num_cpus=max(2, os.cpu_count() or 1), include_dashboard=False, **_QUIET)
    except Exception as error:  # Ray has no class for it
        ray.shutdown()
        what, hint = explained(error)
        raise LentigoError(
            f"Ray does not start on this machine ({what}).",
            hint or _full() or "Free some memory, disk (/tmp/ray) and /dev/shm, or use --engine local.",
        ) from error


def _full() -> str:
    """What to do where a disk that Ray needs is full: it only says that it waited too long."""
    for folder in map(Path, (os.environ.get("RAY_TMPDIR", "/tmp"), "/dev/shm")):
        if folder.is_dir() and (left := shutil.disk_usage(folder).free / 1e6) < ENOUGH:
            return f"{folder} has {left:.0f} MB left. Free some; RAY_TMPDIR names another folder for Ray's files."
    return ""


def _join(ray: Any, address: str) -> None:
    start = "Start one (`ray start --head`) and name it as HOST:6379."
    named = _recorded() if address == "auto" else address
    if named is not None:
        _refuse_silent(named, start)
    try:
        ray.init(address=address, **_QUIET)
    except Exception as error:  # as well
        ray.shutdown()
        if "Version mismatch" in str(error):
            found = ", ".join(line.strip() for line in str(error).splitlines()[1:] if line.strip())
            raise DataError(
                f"{address}: this cluster has another version of Ray or Python ({found}).",
                "Install the cluster's versions here, or these on all of its nodes.",
            ) from None
        what, hint = explained(error)
        raise DataError(f"{address}: no Ray cluster answers ({what}).", hint or start) from None


def _recorded() -> str | None:
    """What 'auto' stands for: a cluster that was once started, whether or not it still is there."""
    file = Path(os.environ.get("RAY_TMPDIR", "/tmp"), "ray", "ray_current_cluster")
    return os.environ.get("RAY_ADDRESS") or (file.read_text().strip() if file.is_file() else None)


def _refuse_silent(address: str, hint: str) -> None:
    """See that what listens there speaks HTTP/2, as gRPC does, and answers: not another server, nor one that hangs."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise DataError(f"{address}: not an address of a Ray cluster.", "Write it as HOST:PORT, or auto.")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=ANSWER) as there:
            if os.environ.get("RAY_USE_TLS", "0") == "0":
                there.sendall(_GREETING)
                if there.recv(9)[3:4] != _SETTINGS:
                    raise DataError(f"{address}: what listens there is not Ray.", hint)
    except OSError as error:
        reason = str(error.strerror or error).lower()
        raise DataError(f"{address}: no Ray cluster answers ({reason}).", hint) from None


def _refuse_other(ray: Any, address: str | None) -> None:
    """A process is in one cluster at a time: one that is named must be that."""
    there = ray.get_runtime_context().gcs_address
    if address not in (None, "auto") and not _same(str(address), there):
        raise DataError(
            f"{address}: this process is connected to the Ray cluster at {there} already.",
            "Omit the address to use that one, or call ray.shutdown() first.",
        )


def _same(address: str, there: str) -> bool:
    """Whether two addresses name one cluster: Ray knows no loopback, but the number of this machine."""
    host, _, port = address.rpartition(":")
    known, _, number = there.rpartition(":")
    try:
        found, wanted = (socket.gethostbyname(one.strip("[]")) for one in (host, known))
    except OSError:
        return False
    return port == number and (found == wanted or found.startswith("127."))


def _refuse_small(ray: Any, processors: int) -> None:
    until = time.monotonic() + ANSWER  # nodes may be about to join
    while (there := int(ray.cluster_resources().get("CPU", 0))) < processors and time.monotonic() < until:
        time.sleep(0.2)
    if there < processors:  # Ray would wait for more for ever, without a word
        raise DataError(
            f"The Ray cluster has {there} processors, and {processors} are needed.",
            "Start nodes with more: `ray start --num-cpus N`.",
        )
