r"""How fast compressed files are: against the same network in PyTorch (eager, compiled), LiteRT and Keras, in one run.

    LENTIGO_LITERT=ENVIRONMENT python benchmarks/compression_speed.py --work FOLDER --keras PYTHON --out results/speed \
        --networks mobilenet_v2 compact compressed_cnn --run mobilenet_v2=RUN --run compact=RUN --ships mobilenet_v2

FOLDER is that of benchmarks/compression.py, whose files of fold 0 are timed; --run names a run that isn't in it, and
--ships the network whose installed bundle was made from that run. Every row gets decoded images of HAM10000's size,
uint8 [N, 450, 600, 3], and crops, resizes, normalises and answers: with probabilities, maps and OOD score; Keras, of
which only compressed_cnn is written, and PyTorch without the OOD score. Rows take turns.
"""

import argparse
import json
import re
import statistics
import subprocess
import time
import warnings
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch

from common import machine
from lentigo import export, training
from lentigo.atomic import write_text
from lentigo.evaluation.cost.graph import find_roles
from lentigo.export.module import ExportModule, squares
from lentigo.render.markdown import table
from lentigo.runtime import Bundle, LiteRT
from lentigo.runtime.bundle import read_model
from lentigo.runtime.shipped import find_bundle

IMAGE = (450, 600)
BATCHES = (1, 32)
FLAGS = ("avx2", "avx_vnni", "avx512f", "avx512_vnni", "avx512_bf16", "amx_tile", "amx_int8", "amx_bf16")
EAGER, SHIPPED, CLAIM = "PyTorch eager, fp32", "lentigo-s", 5.0
"""The row that others are compared with; the model whose claim is checked; how much faster it has to be."""
FILES = {
    "bundle, fp32": "fp32.json",
    "bundle, int8": "int8-MinMax.json",
    "bundle, mixed precision": "mixed-precision.json",
    "bundle, structured": "structured.json",
    "bundle, structured, int8": "structured-int8.json",
}
"""Rows, and the records of the survey whose files are timed."""
Clock = tuple[float, float]
"""Seconds by the wall, and of the processor."""
Work = Callable[[int], Clock]
"""One call with so many images."""


def clocked(predict: Callable[[np.ndarray], object]) -> Work:
    """Time calls of this process."""

    def once(count: int) -> Clock:
        images = np.random.default_rng(count).integers(0, 256, (count, *IMAGE, 3), dtype=np.uint8)
        wall, processor = time.perf_counter(), time.process_time()
        predict(images)
        return time.perf_counter() - wall, time.process_time() - processor

    return once


def rows_of(
    network: str, folder: Path, run: Path, keras: str | None, threads: int, ships: bool
) -> Iterator[tuple[str, Work]]:
    """Every form of one network that there is."""
    torch.set_num_threads(threads)
    torch._dynamo.reset()  # what was compiled for another number of threads keeps it
    trained = training.load_run(run)
    module = ExportModule(trained.network().cpu(), trained.mean, trained.std, trained.logit_offset).eval()
    compiled = torch.compile(module)
    yield EAGER, clocked(lambda images: module(squares(images, trained.recipe.size)))
    yield "PyTorch compiled, fp32", clocked(lambda images: compiled(squares(images, trained.recipe.size)))
    if keras and network == "compressed_cnn":
        yield "Keras predict_on_batch, fp32", other_process(keras, threads)
    made = {Bundle(path, threads=1).sha256: path for path in folder.glob("*/model.onnx")}
    for name, record in FILES.items():
        if (folder / record).exists():
            file = made[json.loads((folder / record).read_text())["sha256"]]
            yield name, clocked(Bundle(file, threads=threads).predict)
    if ships:
        yield shipped_row(trained), clocked(Bundle(find_bundle(SHIPPED), threads=threads).predict)
    for name, int8 in (("LiteRT, fp32", False), ("LiteRT, weights in int8", True)):
        file = folder / f"litert{'-int8' * int8}.tflite"
        if not file.exists():
            export.litert(Bundle(folder / "fp32" / "model.onnx", threads=1), file, int8=int8)
        yield name, clocked(LiteRT(file, threads=threads).predict)


def shipped_row(run: training.Run) -> str:
    """Name of the installed bundle's row.

    Raises:
        SystemExit: it is another network than the run's.
    """
    m = Bundle(find_bundle(SHIPPED), threads=1).metadata
    if (m.network, m.size, m.options) != (run.model, run.recipe.size, run.options):
        raise SystemExit(f"{SHIPPED} is {m.network} {m.options} at {m.size} pixels, which {run.path} is not.")
    return f"{SHIPPED} as it ships, {m.precision}"


def parts_of(bundle: Bundle, runs: int = 60) -> dict[str, float]:
    """Microseconds of one image by part of the graph, on one thread, by ONNX Runtime's own profile: medians.

    The probabilities alone are asked for, so that what isn't preprocessing is the network, with what the optimiser adds
    between operators, to change layouts.
    """
    content = read_model(bundle.path)
    graph = onnx.load_model_from_string(content).graph
    roles = find_roles(graph)
    role_of = {node.name: roles[node.output[0]] for node in graph.node}
    spent: dict[str, list[float]] = {}
    with TemporaryDirectory() as folder:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.log_severity_level = 1, 3
        options.enable_profiling, options.profile_file_prefix = True, f"{folder}/profile"
        session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        image = np.random.default_rng(0).integers(0, 256, (1, *IMAGE, 3), dtype=np.uint8)
        for _ in range(runs):
            session.run(["probabilities"], {"image": image})
        events = json.loads(Path(session.end_profiling()).read_text())
    for event in events:
        if event.get("cat") == "Node" and event["name"].endswith("_kernel_time"):
            spent.setdefault(event["name"].removesuffix("_kernel_time"), []).append(event["dur"])
    sums: dict[str, float] = {}
    for node, durations in spent.items():
        role = role_of.get(node, role_of.get(re.split("[_/]", node)[0]))
        part = "preprocessing" if role == "preprocessing" else "network"
        sums[part] = sums.get(part, 0) + statistics.median(durations)
    return sums


def other_process(python: str, threads: int) -> Work:
    """Time calls of the Keras side."""
    side = Path(__file__).parent / "peers" / "keras_latency.py"
    command = [python, str(side), *map(str, (threads, *IMAGE))]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin and process.stdout
    if not process.stdout.readline().startswith("ready"):
        raise SystemExit("The Keras side ended; its message is above.")

    def once(count: int) -> Clock:
        print(count, file=process.stdin, flush=True)
        wall, processor = map(float, process.stdout.readline().split())
        return wall, processor

    return once


def timed(rows: dict[str, Work], turns: int) -> dict[str, dict[int, dict[str, float]]]:
    """Milliseconds a call by row and images at a time; rows take turns, the first three of which warm up."""
    clocks: dict[str, dict[int, list[Clock]]] = {name: {batch: [] for batch in BATCHES} for name in rows}
    for batch in BATCHES:
        for turn in range(3 + (turns if batch == 1 else max(5, turns // 8))):
            for name, work in rows.items():
                clock = work(batch)
                if turn >= 3:
                    clocks[name][batch].append(clock)
    return {name: {batch: _summary(own) for batch, own in by_batch.items()} for name, by_batch in clocks.items()}


def _summary(clocks: list[Clock]) -> dict[str, float]:
    wall, processor = ([1000 * clock[i] for clock in clocks] for i in (0, 1))
    return {
        "wall_ms": statistics.median(wall),
        "processor_ms": statistics.median(processor),
        "least_ms": min(wall),
        "n": len(clocks),
    }


def instruction_sets() -> str:
    """Those that matter here, of /proc/cpuinfo."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    flags = next((line.split() for line in lines if line.startswith("flags")), [])
    return ", ".join(flag for flag in FLAGS if flag in flags) or "unknown"


def page(found: dict[str, Any]) -> str:
    """The measurement as Markdown."""
    blocks = [
        "# Speed of compressed files",
        f"```\n{found['command']}\n```",
        f"From decoded images, uint8 [N, {IMAGE[0]}, {IMAGE[1]}, 3], to the answer, crop and resize included. "
        "Medians of calls that took turns in one run; "
        f"factors are of the wall's time, against {EAGER}, at the same number of images. "
        f"{found['machine']}; {found['versions']}. "
        f"Instruction sets: {found['instruction_sets']}. A LiteRT file takes one image at a time.",
    ]
    for network, by_threads in found["networks"].items():
        blocks.append(f"## {network}")
        for threads, rows in by_threads.items():
            blocks += [f"### {threads} thread{'s' * (int(threads) > 1)}", table(*_table(rows), right=range(1, 9))]
            blocks += [_claim(name, rows) for name in rows if name.startswith(SHIPPED)]
        if parts := found["parts"].get(network):
            blocks.append(
                "Where the time of one image goes on one thread, in microseconds by ONNX Runtime's profile, whose own "
                "time is in them:"
            )
            names = ("preprocessing", "network")
            lines = ((form, *(f"{own.get(name, 0):.0f}" for name in names)) for form, own in parts.items())
            blocks.append(table(("form", "crop and resize", "network"), lines, right=range(1, 3)))
    return "\n\n".join(blocks) + "\n"


def _claim(name: str, rows: dict[str, Any]) -> str:
    """Whether the bundle that ships is as much faster as was aimed at."""
    factor, least = (rows[EAGER][1][key] / rows[name][1][key] for key in ("wall_ms", "least_ms"))
    reached = "" if min(factor, least) >= CLAIM else "not "
    return (
        f"{name}: at one image {factor:.1f} times as fast as {EAGER} by medians, {least:.1f} times by the fastest "
        f"calls: the {CLAIM:g} that were aimed at are {reached}reached on this machine."
    )


def _table(rows: dict[str, Any]) -> tuple[list[str], list[tuple[str, ...]]]:
    header, lines = ["form"], []
    for batch in BATCHES:
        header += [f"ms, {batch} image{'s' * (batch > 1)}", "of the processor", "fastest", "factor"]
    for name, by_batch in rows.items():
        cells = [name]
        for batch in BATCHES:
            own, first = by_batch[batch], rows[EAGER][batch]
            cells += [f"{own[key]:.2f}" for key in ("wall_ms", "processor_ms", "least_ms")]
            cells.append(f"{first['wall_ms'] / own['wall_ms']:.2f}")
        lines.append(tuple(cells))
    return header, lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="the folder of benchmarks/compression.py")
    parser.add_argument("--networks", nargs="+", default=["compact", "compressed_cnn"])
    parser.add_argument("--run", action="append", default=[], help="NETWORK=FOLDER of a run that isn't in it")
    parser.add_argument("--keras", help="a Python that has tensorflow-cpu")
    parser.add_argument("--ships", help="the network of which lentigo-s is")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--turns", type=int, default=60)
    parser.add_argument("--out", type=Path, default=Path("results/speed"))
    options = parser.parse_args()
    warnings.filterwarnings("ignore")
    given = dict(pair.split("=", 1) for pair in options.run)
    networks: dict[str, dict[int, Any]] = {}
    parts: dict[str, dict[str, dict[str, float]]] = {}
    with torch.inference_mode():
        for network in options.networks:
            folder = options.work / network / "fold0"
            run, ships = Path(given.get(network, folder / "run")), network == options.ships
            networks[network] = {
                threads: timed(dict(rows_of(network, folder, run, options.keras, threads, ships)), options.turns)
                for threads in options.threads
            }
            parts[network] = {"bundle, fp32": parts_of(Bundle(folder / "fp32" / "model.onnx", threads=1))}
            if ships:
                parts[network][shipped_row(training.load_run(run))] = parts_of(Bundle(find_bundle(SHIPPED), threads=1))
            print(network, json.dumps(networks[network], indent=1), flush=True)
    words = [f"--run {name}=RUN" for name in given] + ["--keras PYTHON"] * bool(options.keras)
    words += [f"--ships {options.ships}"] * bool(options.ships)
    found = {
        "command": "LENTIGO_LITERT=ENVIRONMENT python benchmarks/compression_speed.py --work FOLDER "
        f"--networks {' '.join(options.networks)} {' '.join(words)} --threads {' '.join(map(str, options.threads))}",
        "machine": machine("torch", "ai-edge-litert"),
        "versions": f"torch of {version('torch')}" if not options.keras else _keras_versions(options.keras),
        "instruction_sets": instruction_sets(),
        "networks": networks,
        "parts": parts,
    }
    write_text(options.out / "compression.json", json.dumps(found, indent=2) + "\n")
    write_text(options.out / "compression.md", page(found))


def _keras_versions(python: str) -> str:
    command = [python, "-m", "pip", "list", "--format=freeze"]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    return ", ".join(line.replace("==", " ") for line in lines if line.split("==")[0] in ("keras", "tensorflow_cpu"))


if __name__ == "__main__":
    main()
