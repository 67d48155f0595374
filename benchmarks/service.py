"""The service under load, for ten minutes, with damaged images and with workers that are killed: results/service.md.

Load: `lentigo serve` at 1, 8 and 64 clients, beside (a) decoding and the model in process and (b) the same network
behind a plain FastAPI and PyTorch handler, one after the other in one run. Each stage is kept in OUT/service.json when
it is finished, and not repeated by a second run unless --again names it.

python benchmarks/service.py --out results [--data FOLDER] [--minutes 10] [--again load soak kill fuzz api]
"""

import argparse
import asyncio
import io
import json
import multiprocessing
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from common import machine, pixels_of
from lentigo.runtime import Bundle
from lentigo.runtime.shipped import find_bundle
from service_fuzz import fuzz
from service_load import Connection, every, lentigo_service, load, memory, processes, started

CLIENTS = (1, 8, 64)
PORT = 8471
EXCLUDED = "positive_data_acceptance"
STAGES = ("load", "soak", "kill", "fuzz", "api")


def images(folder: Path, count: int = 400) -> list[bytes]:
    files = sorted(folder.rglob("*.jpg"))[:count]
    if not files:
        raise SystemExit(f"{folder}: no JPEG; set LENTIGO_DATA or --data to HAM10000's folder")
    return [path.read_bytes() for path in files]


def in_process(bodies: list[bytes], seconds: float, batch: int, found: Any) -> None:
    """Images a second of one process: decode, model."""
    from lentigo.runtime import Classifier

    classifier = Classifier.load(threads=1)
    classifier.classify_batch(bodies[:50])
    count, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        place = count % (len(bodies) - batch)
        classifier.classify_batch(bodies[place : place + batch])
        count += batch
    found.put(count / (time.perf_counter() - start))


def ceiling(bodies: list[bytes], seconds: float, number: int, batch: int) -> float:
    """Images a second of several processes together."""
    context = multiprocessing.get_context("spawn")
    found = context.Queue()
    running = [context.Process(target=in_process, args=(bodies, seconds, batch, found)) for _ in range(number)]
    for one in running:
        one.start()
    rates = [found.get() for _ in running]
    for one in running:
        one.join()
    return sum(rates)


def at_each(url: str, bodies: list[bytes], seconds: float) -> list[dict[str, float]]:
    load(url, bodies, 8, 2)  # to warm up
    return [{**m._asdict(), "rate": m.rate} for m in (load(url, bodies, clients, seconds) for clients in CLIENTS)]


def load_stage(options: argparse.Namespace, bodies: list[bytes]) -> dict[str, Any]:
    cores = len(os.sched_getaffinity(0))
    seconds = options.seconds
    found: dict[str, Any] = {"cores": cores, "load_before": os.getloadavg()[0], "images": len(bodies)}
    found["bytes"] = statistics.mean(map(len, bodies))
    shipped = Bundle(find_bundle(), threads=1)
    found |= {"seconds": seconds, "pixels": pixels_of(map(io.BytesIO, bodies))}
    found["model"] = f"{shipped.name} ({shipped.sha256[:12]})"
    found["in_process"] = {
        "one at a time, one process": ceiling(bodies, seconds, 1, 1),
        f"batches of 4, {cores} processes": ceiling(bodies, seconds, cores, 4),
    }
    with lentigo_service(PORT) as (url, process):
        found["service"] = at_each(url, bodies, seconds)
        found["megabytes"] = memory(process.pid)
    handler = [sys.executable, "-m", "uvicorn", "service_torch:app", "--port", str(PORT + 1), "--log-level", "error"]
    handler += ["--app-dir", str(Path(__file__).parent)]
    at = f"http://127.0.0.1:{PORT + 1}"
    with started(handler, f"{at}/healthz"):
        found["torch"] = at_each(f"{at}/v1/classify", bodies, seconds)
    with started([*handler, "--workers", str(cores)], f"{at}/healthz", SERVICE_TORCH_THREADS="1"):
        found["torch_workers"] = at_each(f"{at}/v1/classify", bodies, seconds)
    return found


def soak_stage(options: argparse.Namespace, bodies: list[bytes]) -> dict[str, Any]:
    """Eight clients for minutes; memory is read every two seconds."""
    minutes = options.minutes
    with lentigo_service(PORT) as (url, process):
        load(url, bodies, 8, 10)
        before = processes(process.pid)
        done: list[Any] = []
        asking = threading.Thread(target=lambda: done.append(load(url, bodies, 8, 60 * minutes)))
        asking.start()
        values = every(2, lambda: memory(process.pid), lambda: not asking.is_alive())
        same = processes(process.pid) == before
    tenth = max(1, len(values) // 10)
    early, late = statistics.mean(values[tenth : 2 * tenth]), statistics.mean(values[-tenth:])
    met = done[0]
    return {
        "minutes": minutes,
        **met._asdict(),
        "rate": met.rate,
        "megabytes_early": early,
        "megabytes_late": late,
        "megabytes_most": max(values),
        "growth": late / early - 1,
        "same_processes": same,
    }


def kill_stage(options: argparse.Namespace, bodies: list[bytes]) -> dict[str, Any]:
    """Eight clients, and every two seconds a worker is killed; each answer is compared with the one in process."""
    from lentigo.runtime import Classifier

    classifier = Classifier.load(threads=1)
    some = bodies[:50]
    expected = [classifier.classify(body).raw["probabilities"] for body in some]
    statuses: Counter[str] = Counter()
    wrong = killed = 0

    with lentigo_service(PORT) as (url, process):
        end = time.monotonic() + options.seconds * 3

        async def ask(first: int) -> None:
            nonlocal wrong
            connection, i = Connection(url), first
            while time.monotonic() < end:
                i += 1
                try:
                    status, content = await connection.post(some[i % len(some)])
                except (OSError, EOFError):
                    statuses["no answer"] += 1
                    continue
                statuses[str(status)] += 1
                if status == 200:
                    said = json.loads(content)["results"][0]["raw"]["probabilities"]
                    right = expected[i % len(some)]
                    wrong += any(abs(said[name] - right[name]) > 1e-5 for name in right)

        async def kill() -> None:
            nonlocal killed
            while time.monotonic() < end - 2:
                await asyncio.sleep(2)
                if workers := processes(process.pid):
                    os.kill(workers[killed % len(workers)], signal.SIGKILL)
                    killed += 1

        async def everything() -> None:
            await asyncio.gather(kill(), *(ask(k * 7) for k in range(8)))

        asyncio.run(everything())
    return {"killed": killed, "statuses": dict(statuses), "wrong": wrong}


def fuzz_stage(options: argparse.Namespace, bodies: list[bytes]) -> dict[str, Any]:
    return fuzz(bodies[0], options.mutations, PORT)


def api_stage(options: argparse.Namespace, bodies: list[bytes]) -> dict[str, Any]:
    """Schemathesis over the OpenAPI document, all checks but one: it allows any bytes, of which most are no image."""
    with lentigo_service(PORT) as (url, process), tempfile.TemporaryDirectory() as folder:
        before = processes(process.pid)
        command = [sys.executable, "-m", "schemathesis.cli", "run", url.replace("/v1/classify", "/openapi.json")]
        command += [
            "--max-examples",
            str(options.examples),
            "--exclude-checks",
            EXCLUDED,
            "--no-color",
        ]
        ran = subprocess.run(command, check=False, capture_output=True, text=True, cwd=folder)
        lines = [line.strip() for line in ran.stdout.splitlines()]
        same = processes(process.pid) == before
    cases = next((line for line in lines if "generated" in line), "")
    return {"passed": ran.returncode == 0, "cases": cases, "same_processes": same, "output": lines[-60:]}


RUN: dict[str, Callable[[argparse.Namespace, list[bytes]], dict[str, Any]]] = {
    "load": load_stage,
    "soak": soak_stage,
    "kill": kill_stage,
    "fuzz": fuzz_stage,
    "api": api_stage,
}


def page(found: dict[str, Any]) -> str:
    lines = [
        "# The service",
        "",
        "Made by `python benchmarks/service.py --out results`, which also writes `service.json`.",
    ]
    for stage in STAGES:
        if stage in found:
            lines += ["", *SECTIONS[stage](found[stage]), "", f"{found[stage]['machine']}."]
    return "\n".join(lines) + "\n"


def of_load(found: dict[str, Any]) -> list[str]:
    best = max(found["in_process"].values())
    plain = {m["clients"]: m["rate"] for m in found["torch"]}
    lines = [
        "## Load",
        "",
        f"Loopback, {found['cores']} cores for service and clients together, {found['images']} JPEGs of HAM10000, "
        f"{found['pixels']}, {found['bytes'] / 1000:.1f} kB on average; {found['model']}; {found['seconds']:g} s for "
        f"each row; load average before {found['load_before']:.1f}.",
        "",
        "| (a) in process | images/s |",
        "|---|---|",
        *(f"| {how} | {rate:.0f} |" for how, rate in found["in_process"].items()),
        "",
        "| service | clients | requests/s | p50 ms | p95 ms | p99 ms | errors | share of (a) | times (b) |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    names = {
        "service": "lentigo serve",
        "torch": "(b) FastAPI + PyTorch, as tutorials have it",
        "torch_workers": "the same, a process a core of one thread",
    }
    for key, name in names.items():
        for m in found[key]:
            lines.append(
                f"| {name} | {m['clients']} | {m['rate']:.0f} | {m['p50']:.1f} | {m['p95']:.1f} | {m['p99']:.1f} | "
                f"{m['errors']} | {m['rate'] / best:.2f} | {m['rate'] / plain[m['clients']]:.1f} |"
            )
    service = {m["clients"]: m["rate"] for m in found["service"]}
    most = max(service, key=lambda c: service[c])
    times, share = service[most] / max(plain.values()), service[most] / best
    return [
        *lines,
        "",
        f"The highest throughput is {times:.1f} times that of (b) (wanted: 5) and {share:.2f} of (a) (wanted: 0.5). "
        f"All processes take {found['megabytes']:.0f} MB.",
    ]


def of_soak(found: dict[str, Any]) -> list[str]:
    return [
        "## Soak",
        "",
        f"Eight clients for {found['minutes']:g} minutes: {found['requests']} requests, {found['errors']} errors, "
        f"{found['rate']:.0f} requests/s, p99 {found['p99']:.1f} ms. Memory of all processes: "
        f"{found['megabytes_early']:.1f} MB in the second tenth of the time, {found['megabytes_late']:.1f} MB in "
        f"the last ({found['growth']:+.2%}; wanted: within 2 %), at most {found['megabytes_most']:.1f} MB. "
        f"The processes at the end {_are(found['same_processes'])} those of the start.",
    ]


def of_kill(found: dict[str, Any]) -> list[str]:
    statuses = ", ".join(f"{status}: {count}" for status, count in sorted(found["statuses"].items()))
    return [
        "## Killed workers",
        "",
        f"Eight clients while {found['killed']} workers were killed with SIGKILL. Answers by status: {statuses}. "
        f"Answers with other probabilities than in process: {found['wrong']}.",
    ]


def of_fuzz(found: dict[str, Any]) -> list[str]:
    statuses = ", ".join(f"{status}: {count}" for status, count in sorted(found["statuses"].items()))
    return [
        "## Damaged images",
        "",
        f"{found['images']} mutated images ({found['formats']}). Answers by status: {statuses}. Memory: "
        f"{found['megabytes_before']:.1f} MB after the first tenth, {found['megabytes_after']:.1f} MB at the end "
        f"({found['growth']:+.2%}). The processes at the end {_are(found['same_processes'])} those of the start.",
    ]


def of_api(found: dict[str, Any]) -> list[str]:
    said = "no failure" if found["passed"] else "FAILURES, see service.json"
    return ["## The API", "", f"Schemathesis over the OpenAPI document: {said} ({found['cases']})."]


SECTIONS = {"load": of_load, "soak": of_soak, "kill": of_kill, "fuzz": of_fuzz, "api": of_api}


def _are(same: bool) -> str:
    return "are" if same else "are NOT"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("LENTIGO_DATA", ".")))
    parser.add_argument("--minutes", type=float, default=10, help="of the soak")
    parser.add_argument("--seconds", type=float, default=10, help="of each load")
    parser.add_argument("--mutations", type=int, default=10_000)
    parser.add_argument("--examples", type=int, default=100, help="of schemathesis, an operation")
    parser.add_argument("--only", nargs="+", choices=STAGES, default=STAGES)
    parser.add_argument("--again", nargs="*", choices=STAGES, default=[])
    options = parser.parse_args()
    kept = options.out / "service.json"
    found = json.loads(kept.read_text()) if kept.exists() else {}
    bodies = images(options.data)
    options.out.mkdir(parents=True, exist_ok=True)
    for stage in STAGES:
        if stage in options.only and (stage not in found or stage in options.again):
            print(f"{stage} ...", flush=True)
            found[stage] = RUN[stage](options, bodies) | {"machine": machine("uvicorn", "fastapi", "torch")}
            kept.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    (options.out / "service.md").write_text(page(found), encoding="utf-8")
    print(page(found))


if __name__ == "__main__":
    main()
