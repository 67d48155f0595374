"""Several processes that train one network together: how they are started, how they find one another, how they end.

Processes are started here (`lentigo train --devices 2`), or by torchrun or anything else that sets the same variables
(RANK, WORLD_SIZE, LOCAL_RANK, LOCAL_WORLD_SIZE, MASTER_ADDR, MASTER_PORT). Lightning's DDP then averages the
gradients; `shares` makes what depends on a whole batch the same as in one process.
"""

import json
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass
from datetime import timedelta
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import torch
from torch import distributed, multiprocessing

from lentigo import errors
from lentigo.errors import LentigoError, MissingExtraError, RunError
from lentigo.training.devices import Device, find_device

__all__ = ["World", "launch", "started_outside", "together", "wait_for_all", "world"]

PATIENCE = timedelta(hours=2)
"""How long processes wait for one another, such as for the one that decodes the images."""
GRACE = 10.0
"""Seconds that processes have to end by themselves, after Ctrl-C or when another one died."""
INTERRUPTED = 130


@dataclass(frozen=True)
class World:
    """The processes that train together, and which of them this is.

    Attributes:
        rank: of this process, from 0.
        size: how many there are.
        local_rank: of this process among those of its machine.
        local_size: how many are on its machine.
    """

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    local_size: int = 1

    @property
    def writes(self) -> bool:
        """Whether this process writes files and speaks."""
        return self.rank == 0

    def part(self, count: int) -> slice:
        """Which rows of a batch are this process's."""
        share = count // self.size
        return slice(self.rank * share, (self.rank + 1) * share)


def world() -> World:
    """This process among those that train together; the only one where there are no others."""
    return _from_environment() if distributed.is_available() and distributed.is_initialized() else World()


def started_outside() -> bool:
    """Whether this process was started as one of several."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1 and "RANK" in os.environ


def wait_for_all() -> None:
    """Wait until all processes are here."""
    if world().size > 1:
        distributed.barrier()


@contextmanager
def together(device: Device, devices: int | None, nodes: int | None) -> Iterator[World]:
    """Join the processes that train together, if this is one of them; only the first says anything meanwhile.

    Args:
        device: where they compute: they talk by NCCL on graphics cards, by gloo elsewhere.
        devices, nodes: what was asked for, which must be what was started.

    Raises:
        RunError: other numbers were started, a process has no card of its own, or the others can't be reached.
    """
    if not started_outside():
        yield world()
        return
    if distributed.is_initialized():  # by Ray Train, or in an outer call
        with _heard(world()):
            yield world()
        return
    found = _from_environment()
    asked = {"devices": (devices, found.local_size), "nodes": (nodes, found.size // found.local_size)}
    for name, (wanted, there) in asked.items():
        if wanted is not None and wanted != there:
            raise RunError(f"{wanted} {name} requested, {there} started.", f"Omit --{name}, or start as many.")
    place = find_device(device)
    check_devices(device, found.local_size)
    if place.type == "cuda":
        torch.cuda.set_device(found.local_rank)
    address = ":".join(os.environ.get(name, "") for name in ("MASTER_ADDR", "MASTER_PORT"))
    try:
        distributed.init_process_group(
            "nccl" if place.type == "cuda" else "gloo",
            init_method=os.environ.get("LENTIGO_MEETING", "env://"),
            rank=found.rank,
            world_size=found.size,
            timeout=PATIENCE,
        )
    except (RuntimeError, ValueError, OSError) as error:
        reason = _first_line(error)
        hint = "Set MASTER_ADDR to the first machine and MASTER_PORT to a free port of it, the same for all processes."
        raise RunError(f"The processes can't meet at {address} ({reason}).", hint) from error
    try:
        with _heard(found):
            yield found
    finally:
        distributed.destroy_process_group()
        if not found.writes:
            sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115  what the command says at its end, one process says


@contextmanager
def _heard(this: World) -> Iterator[None]:
    """Only the first process speaks."""
    if this.writes:
        yield
    else:
        with Path(os.devnull).open("w") as nowhere, redirect_stderr(nowhere):
            yield


def check_devices(device: Device, devices: int) -> None:
    """See that a machine has so many devices.

    Raises:
        RunError: it doesn't.
    """
    kind = find_device(device).type
    there = {"cuda": torch.cuda.device_count() if kind == "cuda" else 0, "mps": 1, "cpu": _cores()}[kind]
    names = {"cuda": "CUDA devices", "mps": "MPS device", "cpu": "CPU cores"}
    if devices < 1:
        raise RunError(f"A training can't have {devices} devices.", "It needs one or more.")
    if devices > there:
        raise RunError(f"{devices} devices requested; this machine has {there} {names[kind]}.", "Lower --devices.")


def launch(call: Callable[..., object], given: Mapping[str, Any], device: Device, devices: int, nodes: int) -> None:
    """Call a function in several processes of this machine, which find each other in it by `together`.

    Args:
        call: the function; it and its arguments are pickled.
        given: its arguments by name.
        device: where they compute.
        devices: how many processes on this machine.
        nodes: how many machines; on each, the variables NODE_RANK, MASTER_ADDR and MASTER_PORT say which it is, and
            where the first one is.

    Raises:
        RunError: there are fewer devices, the variables are missing, or a process was killed.
        LentigoError: what the function raised.
        KeyboardInterrupt: Ctrl-C, here or in any of the processes.
    """
    check_devices(device, devices)
    first = _node(nodes) * devices
    with tempfile.TemporaryDirectory(prefix="lentigo-") as notes:
        shared = {"WORLD_SIZE": str(devices * nodes), "LOCAL_WORLD_SIZE": str(devices)}
        shared["OMP_NUM_THREADS"] = os.environ.get("OMP_NUM_THREADS", str(max(1, _cores() // devices)))
        if nodes == 1:
            shared["LENTIGO_MEETING"] = f"file://{Path(notes).absolute()}/meeting"  # no port that could be in use
        started = multiprocessing.start_processes(
            _call, (first, shared, notes, call, dict(given)), nprocs=devices, join=False, start_method="spawn"
        )
        try:
            while not started.join(grace_period=GRACE):
                pass
        except KeyboardInterrupt:
            _stop(started.processes)
            raise KeyboardInterrupt(_interruption(Path(notes))) from None
        except Exception as error:  # torch's own, whichever process is seen to end first
            _raise(Path(notes), started.processes, error)


def _call(local: int, first: int, shared: Mapping[str, str], notes: str, call: Callable, given: dict[str, Any]) -> None:
    """What a started process does."""
    os.environ.update(shared, RANK=str(first + local), LOCAL_RANK=str(local))
    note = Path(notes) / f"{local}.json"
    try:
        call(**given)
    except KeyboardInterrupt as stop:
        note.write_text(json.dumps({"kind": "KeyboardInterrupt", "message": str(stop)}), encoding="utf-8")
        sys.exit(INTERRUPTED)
    except LentigoError as error:
        said = {"kind": type(error).__name__, "message": error.message, "hint": error.hint}
        note.write_text(json.dumps(said), encoding="utf-8")
        sys.exit(1)


def _stop(processes: list[BaseProcess]) -> None:
    """Interrupt processes, and wait for them."""
    for process in processes:
        if process.is_alive() and process.pid:
            os.kill(process.pid, signal.SIGINT)  # from a terminal it has got it already, and is about to end
    for process in processes:
        process.join(GRACE)
        if process.is_alive():
            process.kill()


def _raise(notes: Path, processes: list[BaseProcess], error: Exception) -> None:
    """Say why it ended: an interruption before a kill, a kill before what the others then complained of."""
    said = [json.loads(note.read_text(encoding="utf-8")) for note in sorted(notes.glob("*.json"))]
    if any(note["kind"] == "KeyboardInterrupt" for note in said):
        raise KeyboardInterrupt(_interruption(notes)) from None
    first = getattr(error, "error_index", 0)  # it ended first; the others lost it, or were ended by torch
    code = processes[first].exitcode or 0
    if code < 0:
        raise RunError(
            f"Process {first + 1} of {len(processes)} was killed (signal {-code}).",
            "If memory ran out, lower batch_size or --devices. Re-run with --resume.",
        ) from None
    if said:
        kind = getattr(errors, said[0]["kind"], RunError)
        kind = RunError if kind is MissingExtraError else kind  # whose arguments are others
        raise kind(said[0]["message"], said[0]["hint"]) from None
    raise RunError(f"A process failed: {_last_line(error)}.", "Re-run with --devices 1 to see more.") from error


def _interruption(notes: Path) -> str:
    """The first process's message about it, such as in which epoch."""
    said = [json.loads(note.read_text(encoding="utf-8")) for note in sorted(notes.glob("*.json"))]
    return next((note["message"] for note in said if note["kind"] == "KeyboardInterrupt"), "")


def _node(nodes: int) -> int:
    """Which of the machines this is."""
    if nodes < 1:
        raise RunError(f"A training can't have {nodes} nodes.", "It needs one or more.")
    if nodes == 1:
        return 0
    missing = [name for name in ("NODE_RANK", "MASTER_ADDR", "MASTER_PORT") if not os.environ.get(name)]
    if missing:
        raise RunError(
            f"{nodes} nodes requested, but {', '.join(missing)} is not set.",
            f"On each of them run: NODE_RANK=0 (to {nodes - 1}) MASTER_ADDR=first-machine MASTER_PORT=29500 lentigo "
            "train ..., or start them by torchrun.",
        )
    number = os.environ["NODE_RANK"]
    if not number.isdigit() or int(number) >= nodes:
        raise RunError(f"NODE_RANK is {number!r} for {nodes} nodes.", f"It must be 0 to {nodes - 1}.")
    return int(number)


def _from_environment() -> World:
    names = {"rank": "RANK", "size": "WORLD_SIZE", "local_rank": "LOCAL_RANK", "local_size": "LOCAL_WORLD_SIZE"}
    try:
        return World(**{name: int(os.environ[variable]) for name, variable in names.items()})
    except (KeyError, ValueError):
        found = ", ".join(f"{variable}={os.environ.get(variable, '')}" for variable in names.values())
        raise RunError(f"The processes are not described ({found}).", "Start them by torchrun.") from None


def _cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")


def _last_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[-1].rstrip(".")
