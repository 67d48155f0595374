"""What a million images cost on machines with a given price, from the throughput measured in results/scale.json.

python benchmarks/sizing.py results/scale.json --machine NAME VCPUS PRICE [--machine ...] --dated DAY --source URL
    [--currency USD] [--efficiency 0.9] [--out results/sizing.md]

Prices are the caller's: they are not looked up here, and the page says when and where they were read. A machine is
taken to compute as fast per vCPU as the measured one per core, times what each further worker added where two were
measured, or EFFICIENCY: measure again on a machine before relying on it.
"""

import argparse
import json
import statistics
from pathlib import Path
from typing import Any

from lentigo.atomic import write_text

MILLION = 1_000_000


def rows(rate: float, machines: list[tuple[str, int, float]], efficiency: float) -> list[tuple[str, ...]]:
    """Of each machine its images a second, hours and cost of a million images.

    Args:
        rate: images a second and core.
        machines: name, vCPUs, price of an hour.
        efficiency: share of the rate that each further vCPU adds.
    """
    table = []
    for name, vcpus, price in machines:
        together = rate * (1 + (vcpus - 1) * efficiency)
        hours = MILLION / together / 3600
        table.append((name, f"{vcpus}", f"{price:g}", f"{together:,.0f}", f"{hours:.2f}", f"{hours * price:.2f}"))
    return table


def added_by_a_worker(figures: dict[str, Any]) -> float:
    """Share of the rate of one worker that a second one added, of the medians of their runs."""
    runs = figures.get("speed", {})
    one, two = ([run["rate"] for name, run in runs.items() if name.startswith(f"local {n} ")] for n in (1, 2))
    if not (one and two):
        raise SystemExit("Two workers were not measured: state --efficiency, or run benchmarks/scale.py --only speed.")
    return statistics.median(two) / statistics.median(one) - 1


def page(rate: float, basis: str, given: argparse.Namespace) -> str:
    """results/sizing.md."""
    machines = [(name, int(vcpus), float(price)) for name, vcpus, price in given.machine]
    head = ("machine", "vCPUs", f"{given.currency} an hour", "images a second", "hours", f"{given.currency}")
    lines = [
        "# A million images", "",
        f"Measured: {rate:,.1f} images a second and core ({basis}).", "",
        f"Prices: of {given.dated} from {given.source}, as stated by whoever ran this. Each vCPU after the first is "
        f"taken to add {given.efficiency:.0%} of the rate of one core.", "",
        "images a second = rate x (1 + (vCPUs - 1) x efficiency); hours = 1,000,000 / images a second / 3,600; "
        "cost = hours x price of an hour. Storage and transfer are not included.", "",
        f"| {' | '.join(head)} |", "|:--|--:|--:|--:|--:|--:|",
        *(f"| {' | '.join(row)} |" for row in rows(rate, machines, given.efficiency)),
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scale", type=Path, help="figures that benchmarks/scale.py wrote")
    parser.add_argument("--machine", nargs=3, action="append", required=True, metavar=("NAME", "VCPUS", "PRICE"))
    parser.add_argument("--currency", default="USD")
    parser.add_argument("--dated", required=True, help="day on which the prices were read")
    parser.add_argument("--source", required=True, help="where they were read")
    parser.add_argument("--efficiency", type=float, help="share of the first that each further vCPU adds")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    figures = json.loads(given.scale.read_text(encoding="utf-8"))
    if given.efficiency is None:
        given.efficiency = added_by_a_worker(figures)
    text = page(float(figures["images_per_second_and_core"]), str(figures["machine"]), given)
    print(text)
    if given.out:
        write_text(given.out, text)


if __name__ == "__main__":
    main()
