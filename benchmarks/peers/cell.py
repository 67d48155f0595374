"""One cell of the comparison, in a process of its own: `compare.py` starts it and reads the JSON that it prints.

python benchmarks/peers/cell.py '{"kind": "peer", ...}' STARTED

STARTED is the time of the start, so that the start-up is that of a user: Python, imports, opening, the first answer.
"""

import json
import os
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parent))

import numpy as np

from common import as_installed

IMAGES = 32
"""JPEGs that take turns, so that none stays in the processor's cache for all."""


def spread(times: list[float]) -> dict[str, float]:
    """Milliseconds: median, and 5th and 95th percentile."""
    low, median, high = np.quantile(times, (0.05, 0.5, 0.95))
    return {"median_ms": float(median), "p5_ms": float(low), "p95_ms": float(high), "n": len(times)}


def timed(call: Callable[[int], object], repeats: int, seconds: float) -> list[float]:
    """Milliseconds of each call, after two of warming up; at most so many seconds in all, but three calls at least."""
    for turn in range(2):
        call(turn)
    times: list[float] = []
    end = time.perf_counter() + seconds
    while len(times) < repeats and (len(times) < 3 or time.perf_counter() < end):
        start = time.perf_counter()
        call(len(times))
        times.append(1000 * (time.perf_counter() - start))
    return times


def peak_bytes() -> int | None:
    """Of this process' resident memory so far; None where the system doesn't tell it as Linux does."""
    status = Path("/proc/self/status")
    if not status.is_file():
        return None
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    return 1024 * int(line.split()[1])


def jpegs(folder: str) -> list[bytes]:
    """The first images of a folder, in memory."""
    return [path.read_bytes() for path in sorted(Path(folder).iterdir())[:IMAGES]]


def network_cell(asked: dict[str, Any], started: float) -> dict[str, Any]:
    """Latency of a network in an engine, end to end and alone."""
    from engines import open_bundle, open_peer, prepare

    files, batch, threads = jpegs(asked["images"]), asked["batch"], asked["threads"]
    if asked["kind"] == "bundle":
        path = Path(asked["network"])
        runner = open_bundle(path, threads)
    else:
        work = Path(asked["work"])
        path = prepare(asked["network"], asked["engine"], work)
        if asked.get("prepare"):  # of a process of its own, whose memory and time are nobody's
            return {}
        runner = open_peer(asked["network"], asked["engine"], threads, work, asked["size"])
    batches = [[files[(i * batch + k) % len(files)] for k in range(batch)] for i in range(len(files))]
    runner.answer(batches[0])
    start_up = time.time() - started
    alone = runner.inputs(batch)
    limits = asked["repeats"], asked["seconds"]
    return {
        "start_up_s": start_up,
        "end_to_end": spread(timed(lambda turn: runner.answer(batches[turn % len(batches)]), *limits)),
        "alone": spread(timed(lambda _: runner.network(alone), *limits)),
        "peak_bytes": peak_bytes(),
        "file_bytes": path.stat().st_size,
    }


def decode_cell(asked: dict[str, Any], started: float) -> dict[str, Any]:
    """The decoder alone, which nothing that reads JPEGs can beat: one image, and all cores together."""
    from concurrent.futures import ThreadPoolExecutor

    from lentigo.runtime import decode

    files = jpegs(asked["images"])
    one = spread(timed(lambda turn: decode(files[turn % len(files)]), asked["repeats"], asked["seconds"]))
    count, end, start = 0, time.perf_counter() + asked["seconds"], time.perf_counter()
    with ThreadPoolExecutor(asked["threads"]) as pool:
        while time.perf_counter() < end:
            count += sum(1 for _ in pool.map(lambda jpeg: decode(jpeg).shape, files))
    return {"decode": one, "images_per_s": count / (time.perf_counter() - start)}


def peak_cell(asked: dict[str, Any], started: float) -> dict[str, Any]:
    """Multiply-accumulates a second of a large product of matrices: fp32 in PyTorch, 8 bits in ONNX Runtime."""
    import onnxruntime as ort
    import torch
    from onnx import TensorProto, helper

    side, threads = 1024, asked["threads"]
    torch.set_num_threads(threads)
    a, b = torch.randn(side, side), torch.randn(side, side)
    fp32 = min(timed(lambda _: torch.mm(a, b), asked["repeats"], asked["seconds"]))
    shape, u8, i8 = [side, side], TensorProto.UINT8, TensorProto.INT8
    graph = helper.make_graph(
        [helper.make_node("MatMulInteger", ["a", "b"], ["y"])],
        "product",
        [helper.make_tensor_value_info("a", u8, shape)],
        [helper.make_tensor_value_info("y", TensorProto.INT32, shape)],
        [helper.make_tensor("b", i8, shape, np.random.default_rng(0).integers(-127, 128, side * side).tolist())],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    left = {"a": np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)}
    int8 = min(timed(lambda _: session.run(None, left), asked["repeats"], asked["seconds"]))
    return {"fp32_macs_per_s": side**3 / fp32 * 1000, "int8_macs_per_s": side**3 / int8 * 1000, "side": side}


def folder_cell(asked: dict[str, Any], started: float) -> dict[str, Any]:
    """`classify_files` over a folder: the images of the comparison, again and again under other names."""
    import shutil
    import tempfile

    from lentigo.runtime import classify_files

    files = sorted(Path(asked["images"]).iterdir())[:IMAGES]
    with tempfile.TemporaryDirectory(dir=asked["work"]) as folder:
        for number in range(asked["count"]):
            source, target = (
                files[number % len(files)],
                Path(folder) / f"{number:07d}{files[number % len(files)].suffix}",
            )
            try:
                os.link(source, target)
            except OSError:
                shutil.copyfile(source, target)
        start = time.perf_counter()
        count = sum(1 for _ in classify_files([folder], model=asked["network"]))
        taken = time.perf_counter() - start
    if count != asked["count"]:
        raise RuntimeError(f"{count} of {asked['count']} images have a result")
    return {"images": count, "seconds": taken, "images_per_s": count / taken, "peak_bytes": peak_bytes()}


def start_cell(asked: dict[str, Any], started: float) -> dict[str, Any]:
    """`lentigo classify` of one image, the whole process."""
    import subprocess

    image = sorted(Path(asked["images"]).iterdir())[0]
    command = [sys.executable, "-m", "lentigo", "classify", "--model", asked["network"], str(image)]

    def once(_: int) -> None:
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=as_installed())
        if done.returncode not in (0, 4):  # 4: not gradable, which synthetic images may be
            raise RuntimeError(done.stderr.strip())

    return {"classify": spread(timed(once, asked["repeats"], asked["seconds"]))}


CELLS = {
    "start": start_cell,
    "bundle": network_cell,
    "peer": network_cell,
    "decode": decode_cell,
    "peak": peak_cell,
    "folder": folder_cell,
}


def main() -> None:
    warnings.filterwarnings("ignore")
    asked = json.loads(sys.argv[1])
    if hasattr(os, "sched_setaffinity"):  # so many threads, so many cores
        cores = sorted(os.sched_getaffinity(0))[: asked["threads"]]
        os.sched_setaffinity(0, cores)
    print("CELL " + json.dumps(CELLS[asked["kind"]](asked, float(sys.argv[2]))))


if __name__ == "__main__":
    main()
