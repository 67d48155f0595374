"""What a million images cost on machines with a given price, from the throughput measured in results/scale.json.

python benchmarks/sizing.py results/scale.json --machine NAME VCPUS PRICE [--machine ...] --dated DAY --source TEXT
    [--currency USD] [--efficiency 1] [--out results/sizing.md]

Prices are the caller's: they are not looked up here, and the page says when and where they were read. A machine is
taken to compute as fast per vCPU as the measured one per processor with all of them at work: measure again on a machine
before relying on it. --efficiency states which share of that is taken, where it is known.
"""

import argparse
import json
import statistics
from pathlib import Path
from typing import Any

from lentigo.atomic import write_text

MILLION = 1_000_000


def measured(figures: dict[str, Any]) -> tuple[int, float]:
    """The largest number of workers that was measured without Ray, and their images a second: median of their runs."""
    runs = figures.get("speed", {})
    rates: dict[int, list[float]] = {}
    for name, run in runs.items():
        if name.startswith("local "):
            rates.setdefault(int(name.split()[1]), []).append(run["rate"])
    if not rates:
        raise SystemExit("No throughput in these figures: run benchmarks/scale.py --only speed.")
    workers = max(rates)
    return workers, statistics.median(rates[workers])


def row(name: str, vcpus: int, price: float | None, rate: float) -> tuple[str, ...]:
    """A machine with its images a second, and hours and cost of a million images."""
    hours = MILLION / rate / 3600
    cost = ("–", "–") if price is None else (f"{price:g}", f"{hours * price:.3f}")
    return name, f"{vcpus}", cost[0], f"{rate:,.0f}", f"{hours:.3f}", cost[1]


def page(figures: dict[str, Any], given: argparse.Namespace) -> str:
    """results/sizing.md."""
    workers, rate = measured(figures)
    each = rate / workers
    rows = [row("the measured one", workers, None, rate)]
    for name, vcpus, price in given.machine:
        rows.append(row(name, int(vcpus), float(price), each * int(vcpus) * given.efficiency))
    head = ("machine", "vCPUs", f"{given.currency} an hour", "images a second", "hours", given.currency)
    share = "" if given.efficiency == 1 else f" x {given.efficiency:g}"
    lines = [
        "# A million images", "",
        f"Measured: {rate:,.1f} images a second with {workers} workers on {workers} processors, {each:,.1f} for each "
        f"({figures['machine']}; images of {figures['pixels']}, {figures['model']}). On machines of a cloud a vCPU is "
        "mostly a hardware thread, of which two share a core; whether the measured ones do is not known.", "",
        f"images a second = {each:,.1f} x vCPUs{share}; hours = 1,000,000 / images a second / 3,600; cost = hours x "
        "price of an hour. All but the first row is computed, not measured. Storage and transfer are not included.", "",
        f"Prices: {given.source}; {given.dated}.", "",
        f"| {' | '.join(head)} |", "|:--|--:|--:|--:|--:|--:|",
        *(f"| {' | '.join(one)} |" for one in rows),
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scale", type=Path, help="figures that benchmarks/scale.py wrote")
    parser.add_argument("--machine", nargs=3, action="append", required=True, metavar=("NAME", "VCPUS", "PRICE"))
    parser.add_argument("--currency", default="USD")
    parser.add_argument("--dated", required=True, help="day on which the prices were read")
    parser.add_argument("--source", required=True, help="where they were read")
    parser.add_argument("--efficiency", type=float, default=1.0, help="share of the measured rate per processor")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    text = page(json.loads(given.scale.read_text(encoding="utf-8")), given)
    print(text)
    if given.out:
        write_text(given.out, text)


if __name__ == "__main__":
    main()
