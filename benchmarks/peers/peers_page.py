"""The part 'peers' of results/flagships.md, its figure, and the goals of speed, from the cells that were measured."""

from collections.abc import Callable, Collection, Iterable, Sequence
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

from matplotlib.ticker import EngFormatter, NullFormatter
from networks import PEERS, Quality, quality_of_bundle, quality_of_peer
from packaging.requirements import Requirement

from common import machine
from flagships_parts import write_part
from lentigo.evaluation.cost import account, cost
from lentigo.render.markdown import table
from lentigo.render.plots import BLUE, RED, canvas, drawing, save
from lentigo.runtime import Bundle
from lentigo.runtime.metadata import BundleMetadata

__all__ = ["Goal", "goals", "install_bytes", "write"]

Cell = dict[str, Any]
EAGER, INT8, REFERENCE, DEFAULT = "PyTorch eager", "ONNX Runtime int8", "MobileNetV2-TL", "lentigo-s"
INSTALLED = {
    "lentigo": ("lentigo",),
    "PyTorch eager": ("torch", "simplejpeg", "pillow"),
    "PyTorch compiled": ("torch", "simplejpeg", "pillow"),
    "ONNX Runtime fp32": ("onnxruntime", "simplejpeg", "pillow"),
    "ONNX Runtime int8": ("onnxruntime", "simplejpeg", "pillow"),
    "LiteRT fp32": ("ai-edge-litert", "simplejpeg", "pillow"),
}
"""Packages that an engine needs beside Python; of torchvision and timm, which hold the networks, none is counted."""
Goal = tuple[str, str, str, str]


def write(found: Sequence[Cell], bundles: dict[str, Path], command: str, results: Path) -> Path:
    """Write the part of the page, flagships.json and the figure; returns the page."""
    macs = {name: account(path).total_macs for name, path in bundles.items()}
    macs |= {name: cost(PEERS[name], num_classes=7).macs for name in {c["name"] for c in found if c["kind"] == "peer"}}
    opened = {name: Bundle(path, threads=1).metadata for name, path in bundles.items()}
    quality = {name: quality_of_bundle(described.metrics, name, results) for name, described in opened.items()}
    quality |= {name: quality_of_peer(PEERS[name], results) for name in macs if name in PEERS}
    held, integers = goals(found), {name for name, described in opened.items() if in_integers(described)}
    drawn = pareto(found, quality, results / "flagships.svg")
    errors = {(c["kind"], c.get("name"), c.get("engine")): c["error"] for c in found if "error" in c}
    unmeasured = "\n".join(f"- {', '.join(filter(None, of))}: {reason}" for of, reason in errors.items())
    repeats = max((c["repeats"] for c in found), default=0)
    text = f"""{machine("torch", "torchvision", "timm")}. Same JPEGs for all; each cell in a process of its own, on as
many cores as threads; n is at most {repeats} calls a cell, stated with each. LiteRT takes one image at a time. Keras
isn't among the engines: two published networks are compared in it in [speed/peers.txt](speed/peers.txt), and one end to
end in [speed/compression.md](speed/compression.md).{load(found)}

{"![Balanced accuracy against bytes and latency](flagships.svg)" if drawn else "No figure: no quality was measured."}

### Goals of speed

{table(("goal", "asked for", "measured", ""), held)}

### One image, from the bytes of a JPEG to an answer, and the network alone

Milliseconds: median (5th to 95th percentile, n). A bundle's network alone includes what remains of its resize, its
calibration, maps and OOD score. Start-up: from starting Python to the first answer. Balanced accuracy: seven diagnoses,
folds grouped by lesion, balanced prior, where this project has measured it; of peers that of the network in 32 bits,
whatever the engine, as the processors here could train it.

{latencies(found, macs, quality)}

### Throughput

Images a second, end to end.

{throughput(found)}

### A folder of many images

{folders(found)}

### Distance to the floor

The floor is the decoder alone, and MACs over what this machine's products of large matrices reach.

{floor(found, macs, integers)}

### Bytes to install

Packages with all that they need, without Python.

{table(("engine", "packages", "bytes"), installs(found))}

### Not measured

{unmeasured or "Nothing that was asked for."}

Balanced accuracy was read from: {sources(quality)}.
"""
    kept = [{k: v for k, v in c.items() if k not in ("work", "images")} for c in found]
    kept = [c | ({"network": Path(c["network"]).name} if "network" in c else {}) for c in kept]
    data = {"cells": kept, "macs": macs, "quality": {n: vars(q) for n, q in quality.items()}, "goals": held}
    return write_part(results, "peers", data, text, command)


def load(found: Iterable[Cell]) -> str:
    """What else the machine did."""
    before = sorted(c["load"] for c in found if c.get("load") is not None)
    if not before:
        return ""
    return f" Load average of the machine before a cell: {before[0]:.1f} to {before[-1]:.1f}."


def goals(found: Iterable[Cell]) -> list[Goal]:
    """The goals of speed, each with what was measured."""
    cells = [c for c in found if "error" not in c]

    def latency(name: str, engine: str) -> float | None:
        of = [c for c in cells if c["kind"] in ("bundle", "peer") and (c["name"], c["engine"]) == (name, engine)]
        return next((c["end_to_end"]["median_ms"] for c in of if (c["batch"], c["threads"]) == (1, 1)), None)

    ours, rows = latency(DEFAULT, "lentigo"), []
    for engine, times in ((EAGER, 10), (INT8, 2)):
        theirs = latency(REFERENCE, engine)
        factor = theirs / ours if theirs and ours else None
        what = f"{DEFAULT}, one core, batch 1, end to end, against {REFERENCE} in {engine}"
        rows.append(_goal(what, f"at least {times} times faster", factor, factor is not None and factor >= times, "x"))
    for threads in sorted({c["threads"] for c in cells if c["kind"] == "folder"}):
        own = [c for c in cells if c["kind"] == "folder" and (c["name"], c["threads"]) == (DEFAULT, threads)]
        alone = [c for c in cells if c["kind"] == "decode" and c["threads"] == threads]
        share = max(own, key=lambda c: c["count"])["images_per_s"] / alone[0]["images_per_s"] if own and alone else None
        what = (
            f"{DEFAULT}, a folder of JPEGs on {threads} core{'s' if threads > 1 else ''}, share of the decoder's rate"
        )
        rows.append(_goal(what, "at least 0.80", share, share is not None and share >= 0.8, ""))
    start = next(
        (c["classify"]["median_ms"] / 1000 for c in cells if c["kind"] == "start" and c["name"] == DEFAULT), None
    )
    rows.append(_goal("`lentigo classify` of one image, whole process", "under 0.3 s", start, (start or 1) < 0.3, " s"))
    return rows


def _goal(what: str, asked: str, value: float | None, held: bool, unit: str) -> Goal:
    if value is None:
        return what, asked, "not measured", "not measured"
    return what, asked, f"{value:.2f}{unit}", "held" if held else "not held"


def _times(of: dict[str, float]) -> str:
    return f"{of['median_ms']:.2f} ({of['p5_ms']:.2f} to {of['p95_ms']:.2f}, {of['n']})"


def _networks(found: Iterable[Cell]) -> list[Cell]:
    return [c for c in found if c["kind"] in ("bundle", "peer") and "error" not in c]


def latencies(found: Iterable[Cell], macs: dict[str, int], quality: dict[str, Quality]) -> str:
    """A row for each network, engine and number of threads, at batch 1."""
    rows = [
        (
            c["name"],
            c["engine"],
            c["threads"],
            _times(c["end_to_end"]),
            _times(c["alone"]),
            f"{c['start_up_s']:.2f}",
            "unknown" if c["peak_bytes"] is None else f"{c['peak_bytes'] / 1e6:.0f} MB",
            f"{c['file_bytes']:,}",
            f"{macs[c['name']] / 1e6:,.1f} M",
            quality[c["name"]].text,
        )
        for c in _networks(found)
        if c["batch"] == 1
    ]
    head = ("network", "engine", "threads", "end to end, ms", "network, ms", "start-up, s", "peak memory")
    return table((*head, "bytes on disk", "MACs", "balanced accuracy"), rows)


def throughput(found: Iterable[Cell]) -> str:
    """A row for each network and engine, a column for each batch size and number of threads."""
    cells = _networks(found)
    columns = sorted({(c["threads"], c["batch"]) for c in cells})
    of = {
        (c["name"], c["engine"], c["threads"], c["batch"]): f"{1000 * c['batch'] / c['end_to_end']['median_ms']:,.1f}"
        for c in cells
    }
    names = list(dict.fromkeys((c["name"], c["engine"]) for c in cells))
    head = [f"{threads} thread{'s' if threads > 1 else ''}, batch {batch}" for threads, batch in columns]
    rows = [(*name, *(of.get((*name, *column), "not measured") for column in columns)) for name in names]
    return table(("network", "engine", *head), rows)


def folders(found: Iterable[Cell]) -> str:
    """Images a second by the size of the folder, and the decoder alone."""
    alone = {c["threads"]: c["images_per_s"] for c in found if c["kind"] == "decode" and "error" not in c}
    rows = [
        (
            c["name"],
            c["threads"],
            f"{c['count']:,}",
            f"{c['seconds']:.2f}",
            f"{c['images_per_s']:,.0f}",
            f"{c['images_per_s'] / alone[c['threads']]:.2f}" if c["threads"] in alone else "not measured",
            "unknown" if c["peak_bytes"] is None else f"{c['peak_bytes'] / 1e6:.0f} MB",
        )
        for c in found
        if c["kind"] == "folder" and "error" not in c
    ]
    return table(
        ("model", "cores", "images", "seconds", "images/s", "share of the decoder's rate", "peak memory"), rows
    )


def in_integers(described: BundleMetadata) -> bool:
    """Whether a bundle computes in 8 bits; with weights in clusters it stores 8 and computes in 32."""
    return any((step.get("step"), step.get("precision")) == ("quantize", "int8") for step in described.compression)


def floor(found: Iterable[Cell], macs: dict[str, int], integers: Collection[str]) -> str:
    """What the decoder takes of an answer, and how many times longer than its MACs alone a network takes.

    Args:
        found: what was measured.
        macs: by network.
        integers: names of the bundles that compute in 8 bits.
    """
    decode = {c["threads"]: c["decode"]["median_ms"] for c in found if c["kind"] == "decode" and "error" not in c}
    peaks = {c["threads"]: c for c in found if c["kind"] == "peak" and "error" not in c}
    rows = []
    for c in (c for c in _networks(found) if c["batch"] == 1 and c["threads"] in decode and c["threads"] in peaks):
        peak = peaks[c["threads"]]
        kind = "int8" if c["engine"] == INT8 or (c["kind"] == "bundle" and c["name"] in integers) else "fp32"
        least = 1000 * macs[c["name"]] / peak[f"{kind}_macs_per_s"]
        whole, part = c["end_to_end"]["median_ms"], decode[c["threads"]]
        cells = (f"{part:.2f}", f"{whole / part:.1f}", f"{least:.3f}", f"{c['alone']['median_ms'] / least:.1f}", kind)
        rows.append((c["name"], c["engine"], c["threads"], *cells))
    said = "; ".join(
        f"{t} thread{'s' if t > 1 else ''}: {p['fp32_macs_per_s'] / 1e9:.1f} G MACs/s in fp32, "
        f"{p['int8_macs_per_s'] / 1e9:.1f} in 8 bits ({p['side']} x {p['side']})"
        for t, p in peaks.items()
    )
    head = ("network", "engine", "threads", "decoder, ms", "end to end / decoder", "MACs at the peak, ms")
    return f"{said}.\n\n{table((*head, 'network / that', 'peak of'), rows)}"


def installs(found: Iterable[Cell]) -> list[tuple[str, str, str]]:
    """Bytes of the packages that each engine needs."""
    engines = dict.fromkeys(c["engine"] for c in _networks(found))
    rows = []
    for engine in engines:
        size = install_bytes(INSTALLED[engine])
        rows.append((engine, ", ".join(INSTALLED[engine]), "not measured: editable" if size is None else f"{size:,}"))
    return rows


def install_bytes(names: Iterable[str]) -> int | None:
    """Bytes of installed packages and of all that they require here; None where one of them is unknown."""
    wanted, seen, total = list(names), set(), 0
    while wanted:
        name = wanted.pop().lower().replace("_", "-")
        if name in seen:
            continue
        seen.add(name)
        try:
            package = distribution(name)
        except PackageNotFoundError:
            return None
        if name == "lentigo":  # installed or not, what counts is the folder
            total += sum(p.stat().st_size for p in _source().rglob("*") if p.is_file() and p.suffix != ".pyc")
        else:
            total += sum(
                Path(str(f.locate())).stat().st_size for f in package.files or () if Path(str(f.locate())).is_file()
            )
        required = [Requirement(text) for text in package.requires or ()]
        wanted += [r.name for r in required if r.marker is None or r.marker.evaluate({"extra": ""})]
    return total


def _source() -> Path:
    import lentigo

    return Path(lentigo.__file__).parent


def pareto(found: Iterable[Cell], quality: dict[str, Quality], out: Path) -> bool:
    """Balanced accuracy against bytes and latency, each network in its fastest engine; False if there is none."""
    cells = [
        c for c in _networks(found) if (c["batch"], c["threads"]) == (1, 1) and quality[c["name"]].value is not None
    ]
    best = {c["name"]: c for c in sorted(cells, key=lambda c: -c["end_to_end"]["median_ms"])}
    if not best:
        return False
    footings: dict[str, Callable[[Cell], float]] = {
        "bytes on disk": lambda cell: cell["file_bytes"],
        "ms, JPEG to answer, one core": lambda cell: cell["end_to_end"]["median_ms"],
    }
    with drawing():
        figure, axes = canvas(9, 3.6, columns=2, sharey=True)
        for axis, (label, value) in zip(axes[0], footings.items(), strict=True):
            above = {"bundle": False, "peer": True}
            for name, cell in sorted(best.items(), key=lambda pair: value(pair[1])):
                at, colour, q = value(cell), RED if cell["kind"] == "bundle" else BLUE, quality[name]
                if q.low is not None and q.high is not None:
                    axis.plot([at, at], [q.low, q.high], color=colour, linewidth=1, alpha=0.5)
                axis.plot(at, q.value, "o" if cell["kind"] == "bundle" else "s", color=colour)
                above[cell["kind"]] ^= True  # in turns, for neighbours' names to have room
                place, side = ((-4, 5), "right") if above[cell["kind"]] else ((4, -11), "left")
                axis.annotate(name, (at, q.value), place, textcoords="offset points", fontsize=7, ha=side)
            axis.set_xscale("log")
            axis.xaxis.set_major_formatter(EngFormatter(sep=" "))
            axis.xaxis.set_minor_formatter(NullFormatter())
            axis.margins(x=0.35)
            axis.set_xlabel(label)
        axes[0][0].set_ylabel("balanced accuracy, grouped folds")
        save(figure, out)
    return True


def sources(quality: dict[str, Quality]) -> str:
    """Where each figure of quality is from."""
    return "; ".join(f"{name}: {q.source}" for name, q in sorted(quality.items()))
