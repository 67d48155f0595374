"""Where the trainings of a reproduction run: one after another here, or as independent jobs on a Ray cluster.

A training leaves what it measured in its folder, and is read from there by whoever asks for it next. Ray only sees to
it that all are there before they are asked for, so that both engines write the same results.
"""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, get_args

from lentigo import __version__
from lentigo.bulk.cluster import check_version, connected, explained
from lentigo.errors import LentigoError, RunError, did_you_mean

__all__ = ["Engine", "check_engine", "train_ahead"]

Engine = Literal["local", "ray"]
RETRIES = 3
"""How often a training is begun again, from its last epoch, when its node or process was killed."""


def check_engine(engine: str, address: str | None) -> None:
    """See that there is such an engine.

    Raises:
        RunError: there isn't, or the local one is given an address.
    """
    if engine not in get_args(Engine):
        raise RunError(f"Unknown engine {engine!r}.", did_you_mean(engine, get_args(Engine)))
    if engine == "local" and address is not None:
        raise RunError(f"The local engine has no address {address!r}.", "Add --engine ray, or omit --address.")


def train_ahead(calls: Mapping[Path, Callable[[], object]], engine: Engine, address: str | None = None) -> None:
    """Train what independent calls train, all at once, as far as the cluster has processors; locally, nothing yet.

    Args:
        calls: by the file that each leaves when it is done; those whose file is there are not made.
        engine: where.
        address: of a running cluster; without it one starts on this machine.

    Raises:
        RunError: a training failed, after all others ended; or its file isn't here, because nodes don't share the disk.
        DataError: no cluster answers at the address.
        MissingExtraError: Ray isn't installed.
    """
    missing = {file: call for file, call in calls.items() if not file.exists()}
    if engine == "local" or not missing:
        return
    with connected(address) as ray:
        graphics = 1 if ray.cluster_resources().get("GPU") else 0
        task = ray.remote(_attempt).options(num_cpus=1, num_gpus=graphics, max_retries=RETRIES)
        open_tasks = {task.remote(call, __version__): file for file, call in missing.items()}
        failed: list[tuple[Path, str, str]] = []
        for count in range(1, len(missing) + 1):
            (done,), _ = ray.wait(list(open_tasks), num_returns=1)
            file = open_tasks.pop(done)
            fault = _outcome(ray, done)
            failed += [(file, *fault)] if fault else []
            print(f"{count} of {len(missing)}: {file.parent.name} {'failed' if fault else 'done'}", file=sys.stderr)
    if failed:
        file, message, hint = failed[0]
        more = f" {len(failed) - 1} more failed." if len(failed) > 1 else ""
        raise RunError(f"{file.parent}: {message}{more}", f"{hint} The same command goes on with what is missing.")
    absent = [file for file in missing if not file.exists()]
    if absent:
        raise RunError(
            f"{absent[0]}: trained on another machine, and not here.", "Use an output folder that all nodes share."
        )


def _attempt(call: Callable[[], object], version: str) -> tuple[str, str] | None:
    """On a node: what went wrong, as message and next step; errors of our own are not for Ray to repeat."""
    try:
        check_version(version)
        call()
    except LentigoError as error:
        return error.message, error.hint
    return None


def _outcome(ray: Any, done: Any) -> tuple[str, str] | None:
    try:
        return ray.get(done)
    except ray.exceptions.RayError as error:
        what, hint = explained(error)
        return f"its process ended ({what}).", hint or "Look at the node's memory and disk."
