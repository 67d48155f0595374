"""Faults of `scale.py`: each disturbs a run on Ray, continues it if it stopped, and gives the account."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
from pyarrow import parquet

from lentigo.bulk import Summary, classify, watchdog
from lentigo.errors import LentigoError

RAY_SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_worker_niceness": "0",  # as the local engine; Ray's own default, 15, starves beside any other program
    "RAY_raylet_start_wait_time_s": "300",
    "RAY_agent_register_timeout_ms": "300000",
    "RAY_gcs_server_request_timeout_seconds": "120",
    "RAY_health_check_timeout_ms": "60000",
}
"""For a busy machine, whose processes take longer to start than Ray waits for them."""
Rows = list[dict[str, Any]]
_PLACE = ("source", "image_id")


@contextmanager
def cluster() -> Iterator[Any]:
    """Three nodes of two processors; with one, Ray Data waits for ever."""
    import ray
    from ray.cluster_utils import Cluster

    found = Cluster(initialize_head=True, head_node_args={"num_cpus": 2, "include_dashboard": False})
    for _ in range(2):
        found.add_node(num_cpus=2)
    ray.init(address=found.address, log_to_driver=False, logging_level="ERROR")
    try:
        yield found
    finally:
        ray.shutdown()
        found.shutdown()


def rows_of(out: Path) -> Rows:
    """All rows of a folder of results."""
    found: Rows = parquet.read_table(out).to_pylist()
    return found


def actors() -> list[psutil.Process]:
    """The processes that classify."""
    named = [(p, " ".join(p.info["cmdline"] or [])) for p in psutil.process_iter(["cmdline"])]
    return [p for p, name in named if name.startswith("ray::") and "_Actor" in name]


def once(out: Path, parts: int, act: Callable[[], None]) -> threading.Thread:
    """Do something as soon as a run has finished some parts."""

    def follow() -> None:
        while len(list(out.glob("part-*.parquet"))) < parts:
            time.sleep(0.02)
        act()

    thread = threading.Thread(target=follow, daemon=True)
    thread.start()
    return thread


def account(out: Path, expected: Rows, said: str, runs: int) -> dict[str, Any]:
    """Rows, ids that stand twice, and rows that differ from an undisturbed run."""
    found = {row["image_id"]: row for row in rows_of(out)}
    wanted = {row["image_id"]: row for row in expected}
    differ = [i for i in set(found) | set(wanted) if _value(found.get(i)) != _value(wanted.get(i))]
    rows = len(rows_of(out))
    return {"runs": runs, "rows": rows, "twice": rows - len(found), "differ": len(differ), "said": said}


def _value(row: dict[str, Any] | None) -> dict[str, Any] | None:
    return None if row is None else {k: v for k, v in row.items() if k not in _PLACE}


def run(source: Path | str, out: Path) -> Summary:
    return classify(source, out, engine="ray", workers=4, progress=False)


def said(found: Summary) -> str:
    """The account in one line, without the folder."""
    kinds = ", ".join(f"{count} {kind}" for kind, count in found.failures.items())
    return f"{found.rows} rows, {found.failed} failed{f' ({kinds})' if kinds else ''}"


def worker(source: Path, out: Path, expected: Rows, nodes: Any) -> dict[str, Any]:
    once(out, 2, lambda: os.kill(actors()[0].pid, signal.SIGKILL))
    return account(out, expected, said(run(source, out)), 1)


def node(source: Path, out: Path, expected: Rows, nodes: Any) -> dict[str, Any]:
    once(out, 2, lambda: nodes.remove_node(next(iter(nodes.worker_nodes)), allow_graceful=False))
    return account(out, expected, said(run(source, out)), 1)


def driver(source: Path, out: Path, expected: Rows, nodes: Any) -> dict[str, Any]:
    command = [sys.executable, "-m", "lentigo", "classify", source, "--out", out]
    process = subprocess.Popen([*command, "--engine", "ray", "--address", nodes.address], stdout=subprocess.DEVNULL)
    once(out, 2, process.kill).join()
    process.wait()
    finished = len(list(out.glob("part-*.parquet")))
    return account(out, expected, f"killed with {finished} parts finished; then {said(run(source, out))}", 2)


def slow(source: Path, out: Path, expected: Rows, nodes: Any) -> dict[str, Any]:
    """All actors of one node stand still for 20 seconds."""

    def stop() -> None:
        chosen = actors()[:1]
        for process in chosen:
            process.suspend()
        time.sleep(20)
        for process in chosen:
            with suppress(psutil.NoSuchProcess):
                process.resume()

    once(out, 2, stop)
    return account(out, expected, said(run(source, out)), 1)


def hung(source: Path, out: Path, expected: Rows, nodes: Any) -> dict[str, Any]:
    """A worker stands still for good; it is given up after 15 seconds here."""
    before, watchdog.PATIENCE = watchdog.PATIENCE, 15.0
    once(out, 2, lambda: os.kill(actors()[0].pid, signal.SIGSTOP))
    try:
        return account(out, expected, said(run(source, out)), 1)
    finally:
        watchdog.PATIENCE = before


def full(source: Path, out: Path, expected: Rows, nodes: Any) -> dict[str, Any]:
    """A disk of 150 kB, made larger before the second run."""
    out.mkdir(parents=True)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=150k", "tmpfs", out], check=False).returncode:
        return {"runs": 0, "rows": 0, "twice": 0, "differ": 0, "said": "not tried: no permission to mount a disk"}
    try:
        with suppress(LentigoError):
            run(source, out / "rows")
            raise SystemExit("the disk did not fill up")
        finished = len(list((out / "rows").glob("part-*.parquet")))
        subprocess.run(["mount", "-o", "remount,size=100m", out], check=True)
        run(source, out / "rows")
        return account(out / "rows", expected, f"stopped: no space left, {finished} parts finished", 2)
    finally:
        subprocess.run(["umount", "-l", out], check=False)


def vanished(source: Path, out: Path, expected: Rows, nodes: Any) -> dict[str, Any]:
    copy = shutil.copytree(source, out.with_name(f"{out.name} source"), copy_function=os.link)
    last = max(copy.iterdir())
    once(out, 1, last.unlink)
    first = run(copy, out)
    os.link(source / last.name, last)
    run(copy, out)
    return account(out, expected, said(first), 2)


def corrupt(source: Path, out: Path, expected: Rows, nodes: Any) -> dict[str, Any]:
    copy = shutil.copytree(source, out.with_name(f"{out.name} source"), copy_function=os.link)
    last = max(copy.iterdir())
    content = last.read_bytes()
    last.unlink()
    last.write_bytes(content[: len(content) // 2])
    first = run(copy, out)
    last.write_bytes(content)
    run(copy, out)
    return account(out, expected, said(first), 2)


def refusing(source: Path, out: Path, expected: Rows, nodes: Any) -> dict[str, Any]:
    """The shards in an object store, of which one is answered with 503 as long as the first run lasts."""
    sys.path.append(str(Path(__file__).parent.parent))
    import s3fs
    from tests.bulk.test_stores import Store, settings

    store = Store()
    os.environ |= settings(store)
    import ray

    ray.shutdown()  # its actors get the variables from the driver that connects next
    ray.init(address=nodes.address, log_to_driver=False, runtime_env={"env_vars": settings(store)})
    files = s3fs.S3FileSystem()
    files.mkdir("shards")
    for path in sorted(source.iterdir()):
        files.put_file(str(path), f"shards/{path.name}")
    last = max(path.name for path in source.iterdir())
    store.refuse = lambda path, times: path.endswith(last)
    first = run("s3://shards", out)
    store.refuse = lambda path, times: False
    run("s3://shards", out)
    return account(out, expected, said(first), 2)


FAULTS: dict[str, Callable[[Path, Path, Rows, Any], dict[str, Any]]] = {
    "worker killed (-9)": worker,
    "node killed (-9)": node,
    "driver killed (-9), continued": driver,
    "a worker stands still for 20 s": slow,
    "a worker stands still for good": hung,
    "disk full, then enlarged": full,
    "shard disappears after listing, then is back": vanished,
    "shard cut in half, then whole": corrupt,
    "object store answers 503, then recovers": refusing,
}
