r"""How fast compressed files are: against the same network in PyTorch (eager, compiled), LiteRT and Keras, in one run.

    LENTIGO_LITERT=ENVIRONMENT python benchmarks/compression_speed.py --work FOLDER --networks compact compressed_cnn \
        --run compact=RUN --keras PYTHON --threads 1 --out results/speed

FOLDER is that of benchmarks/compression.py, whose files of fold 0 are timed; --run names a run that isn't in it. Every
row gets decoded images of HAM10000's size, uint8 [N, 450, 600, 3], and crops, resizes, normalises and answers: with
probabilities, maps and OOD score; Keras, of which only compressed_cnn is written, and PyTorch without the OOD score.
Rows take turns.
"""

import argparse
import json
import statistics
import subprocess
import time
import warnings
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch

from common import machine
from lentigo import export, training
from lentigo.atomic import write_text
from lentigo.export.module import ExportModule, squares
from lentigo.render.markdown import table
from lentigo.runtime import Bundle, LiteRT

IMAGE = (450, 600)
BATCHES = (1, 32)
FLAGS = ("avx2", "avx_vnni", "avx512f", "avx512_vnni", "avx512_bf16", "amx_tile", "amx_int8", "amx_bf16")
EAGER, INT8, CLAIM = "PyTorch eager, fp32", "bundle, int8", 5.0
FILES = {
    "bundle, fp32": "fp32.json",
    INT8: "int8-MinMax.json",
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


def rows_of(network: str, folder: Path, run: Path, keras: str | None, threads: int) -> Iterator[tuple[str, Work]]:
    """Every form of one network that there is."""
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
    for name, int8 in (("LiteRT, fp32", False), ("LiteRT, weights in int8", True)):
        file = folder / f"litert{'-int8' * int8}.tflite"
        if not file.exists():
            export.litert(Bundle(folder / "fp32" / "model.onnx", threads=1), file, int8=int8)
        yield name, clocked(LiteRT(file, threads=threads).predict)


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
        f"From decoded images, uint8 [N, {IMAGE[0]}, {IMAGE[1]}, 3], to the answer, crop and resize included; "
        f"{found['threads']} thread{'s' * (found['threads'] > 1)}. Medians of calls that took turns in one run; "
        f"factors are of the wall's time, against {EAGER}, at the same number of images. "
        f"{found['machine']}; {found['versions']}. "
        f"Instruction sets: {found['instruction_sets']}. A LiteRT file takes one image at a time.",
    ]
    for network, rows in found["networks"].items():
        blocks += [f"## {network}", table(*_table(rows), right=range(1, 9))]
        if network == "compact" and INT8 in rows:
            factor = rows[EAGER][1]["wall_ms"] / rows[INT8][1]["wall_ms"]
            least = rows[EAGER][1]["least_ms"] / rows[INT8][1]["least_ms"]
            blocks.append(
                f"Its int8 bundle at one image is {factor:.1f} times as fast as {EAGER} by medians, {least:.1f} times "
                f"by the fastest calls: the {CLAIM:g} that were aimed at are "
                f"{'' if min(factor, least) >= CLAIM else 'not '}reached on this machine."
            )
    return "\n\n".join(blocks) + "\n"


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
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--turns", type=int, default=60)
    parser.add_argument("--out", type=Path, default=Path("results/speed"))
    options = parser.parse_args()
    warnings.filterwarnings("ignore")
    torch.set_num_threads(options.threads)
    given = dict(pair.split("=", 1) for pair in options.run)
    networks = {}
    with torch.inference_mode():
        for network in options.networks:
            folder = options.work / network / "fold0"
            run = Path(given.get(network, folder / "run"))
            networks[network] = timed(
                dict(rows_of(network, folder, run, options.keras, options.threads)), options.turns
            )
            print(network, json.dumps(networks[network], indent=1), flush=True)
    runs = "".join(f" --run {name}=RUN" for name in given) + (" --keras PYTHON" if options.keras else "")
    found = {
        "command": "LENTIGO_LITERT=ENVIRONMENT python benchmarks/compression_speed.py --work FOLDER "
        f"--networks {' '.join(options.networks)}{runs} --threads {options.threads}",
        "threads": options.threads,
        "machine": machine("torch", "ai-edge-litert"),
        "versions": f"torch of {version('torch')}" if not options.keras else _keras_versions(options.keras),
        "instruction_sets": instruction_sets(),
        "networks": networks,
    }
    write_text(options.out / "compression.json", json.dumps(found, indent=2) + "\n")
    write_text(options.out / "compression.md", page(found))


def _keras_versions(python: str) -> str:
    command = [python, "-m", "pip", "list", "--format=freeze"]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    return ", ".join(line.replace("==", " ") for line in lines if line.split("==")[0] in ("keras", "tensorflow_cpu"))


if __name__ == "__main__":
    main()
