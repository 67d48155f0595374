"""What a million images take on machines of other sizes, from the throughput that results/scale.json holds.

python benchmarks/sizing.py results/scale.json [--out results/sizing.md]
    [--machine NAME VCPUS PRICE_PER_HOUR ... --dated DAY --source TEXT [--currency USD]]

Without machines, the sizes that clouds rent, in hours: multiply by your price. Prices are the caller's: they are not
looked up here, and the page says when and where they were read.
"""

import argparse
import json
import statistics
import sys
from pathlib import Path
from typing import Any

from flagships_parts import command
from lentigo.atomic import write_text

MILLION = 1_000_000
SIZES = (2, 4, 8, 16, 32, 64)
Machine = tuple[str, int, float | None]
"""Name, vCPUs, price of an hour."""


def rate(figures: dict[str, Any], engine: str, workers: int) -> float:
    """Images a second, the median of the runs."""
    runs = figures.get("speed", {})
    found = [run["rate"] for name, run in runs.items() if name.startswith(f"{engine} {workers} ")]
    if not found:
        raise SystemExit(f"{engine} with {workers} workers was not measured: run benchmarks/scale.py --only speed.")
    return float(statistics.median(found))


def row(machine: Machine, pair: float) -> tuple[str, ...]:
    """Of a machine its images a second, and the hours and the cost of a million.

    Args:
        machine: what it is.
        pair: images a second of two workers on two vCPUs.
    """
    name, vcpus, price = machine
    together = vcpus / 2 * pair
    hours = MILLION / together / 3600
    cost = () if price is None else (f"{price:g}", f"{hours * price:.3f}")
    return (name, f"{vcpus}", f"{together:,.0f}", f"{hours:.3f}", f"{hours * vcpus:.2f}", *cost)


def worked(machine: Machine, pair: float) -> str:
    """The arithmetic of a row, step by step."""
    name, vcpus, price = machine
    together = vcpus / 2 * pair
    hours = MILLION / together / 3600
    steps = [
        f"{vcpus} / 2 x {pair:.1f} = {together:,.1f} images a second",
        f"{MILLION:,} / {together:,.1f} / 3,600 = {hours:.3f} hours",
        f"{hours:.3f} x {vcpus} = {hours * vcpus:.2f} vCPU-hours",
    ]
    steps += [] if price is None else [f"{hours:.3f} x {price:g} = {hours * price:.3f}"]
    return f"{name}: {'; '.join(steps)}."


def page(figures: dict[str, Any], machines: list[Machine], prices: str = "", currency: str = "", line: str = "") -> str:
    """results/sizing.md."""
    pair = rate(figures, "ray", 2)
    head = ["machine", "vCPUs", "images a second", "hours", "vCPU-hours"]
    head += [f"{currency} an hour", f"{currency} for a million"] if prices else []
    measured = [(f"local, {n}", rate(figures, "local", n)) for n in (1, 2)] + [("ray, 2", pair)]
    lines = [
        "# A million images", "",
        *(["```", line, "```", ""] if line else []),
        f"Measured ([scale.md](scale.md)): {figures['machine']}; images of {figures['pixels']}, {figures['model']}.",
        "",
        "| engine, workers | images a second | hours for a million |", "|:--|--:|--:|",
        *(f"| {name} | {value:,.1f} | {MILLION / value / 3600:.3f} |" for name, value in measured), "",
        "## Computed", "",
        "A machine of N vCPUs is taken for N / 2 of the measured machine of two, with a worker of Ray on each: a "
        "process of its own, while the local engine's are threads of one process, of which no more than two were "
        "measured. A vCPU of a cloud is mostly a hardware thread, of which two share a core; whether the measured ones "
        "do is not known. Measure a machine before relying on it. Larger images are decoded for longer. Storage and "
        "transfer are not included.", "",
        "    images a second = vCPUs / 2 x images a second of Ray with two workers",
        "    hours           = 1,000,000 / images a second / 3,600",
        "    vCPU-hours      = hours x vCPUs",
        "    cost            = hours x price of an hour, or vCPU-hours x price of a vCPU-hour", "",
        worked(machines[len(machines) // 2], pair), "",
        *([prices, ""] if prices else []),
        f"| {' | '.join(head)} |", f"|:--{'|--:' * (len(head) - 1)}|",
        *(f"| {' | '.join(row(machine, pair))} |" for machine in machines),
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scale", type=Path, help="figures that benchmarks/scale.py wrote")
    parser.add_argument("--machine", nargs=3, action="append", default=[], metavar=("NAME", "VCPUS", "PRICE"))
    parser.add_argument("--currency", default="USD")
    parser.add_argument("--dated", help="day on which the prices were read")
    parser.add_argument("--source", help="where they were read")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    if given.machine and not (given.dated and given.source):
        parser.error("--machine needs --dated and --source: say when and where its price was read")
    named: list[Machine] = [(name, int(vcpus), float(price)) for name, vcpus, price in given.machine]
    sizes: list[Machine] = [(f"{count} vCPUs", count, None) for count in SIZES]
    prices = f"Prices: {given.source}; {given.dated}." if named else ""
    figures = json.loads(given.scale.read_text(encoding="utf-8"))
    text = page(figures, named or sizes, prices, given.currency, command("benchmarks/sizing.py", sys.argv[1:]))
    print(text)
    if given.out:
        write_text(given.out, text)


if __name__ == "__main__":
    main()
