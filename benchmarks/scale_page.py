"""results/scale.md from what `scale.py` kept."""

from typing import Any

__all__ = ["REPEATS", "RUNS", "page"]

RUNS = (("local", 1), ("local", 2), ("ray", 1), ("ray", 2))
"""Engine and workers of the runs that are measured."""
REPEATS = 3


def page(kept: dict[str, Any]) -> str:
    """The page, of the stages that are there."""
    lines = ["# Bulk classification at scale", "", f"Command: `{kept['command']}`.", ""]
    lines += [f"{kept['machine']}. Images: {kept['pixels']}; model {kept['model']}.", ""]
    for stage, write in (("speed", _speed), ("parts", _parts), ("faults", _faults), ("many", _many)):
        if stage in kept:
            lines += [*write(kept), ""]
    return "\n".join(lines)


def _speed(kept: dict[str, Any]) -> list[str]:
    runs = kept["speed"]
    rates = {run: sorted(runs[f"{run[0]} {run[1]} {i}"]["rate"] for i in range(REPEATS)) for run in RUNS}
    middle = {run: values[len(values) // 2] for run, values in rates.items()}
    starts = sorted(runs[f"ray {workers} {i}"]["start"] for workers in (1, 2) for i in range(REPEATS))
    lines = [
        "## Throughput",
        "",
        f"{runs['images']:,} images in tar shards of 100, {REPEATS} runs each, in turn. The start of Ray itself is not",
        f"included ({starts[len(starts) // 2]:.1f} s, median of {len(starts)}), that of its actors is.",
        "",
        "| engine | workers | rows a second: median (all) | ms of a worker for an image |",
        "|:--|--:|--:|--:|",
    ]
    for run in RUNS:
        values = ", ".join(f"{value:.1f}" for value in rates[run])
        lines.append(f"| {run[0]} | {run[1]} | {middle[run]:.1f} ({values}) | {1000 * run[1] / middle[run]:.2f} |")
    for workers in (1, 2):
        extra = 1000 / middle["ray", workers] - 1000 / middle["local", workers]
        lines += ["", f"Overhead of Ray with {workers} worker{'s' * (workers > 1)}: {extra:.2f} ms an image."]
    return lines


def _parts(kept: dict[str, Any]) -> list[str]:
    one = kept["parts"]
    whole = one["ms"]["all"]
    steps = {name: value for name, value in one["ms"].items() if name != "all"}
    steps["the rest: hash, verdict, row, parquet"] = whole - sum(steps.values())
    lines = [
        "## Where the time goes",
        "",
        f"{one['images']} images in tar shards of 100, one worker, median of {one['repeats']} repeats. Shares of",
        "processor time, which other programs disturb less; how long it takes is said by the throughput.",
        "",
        "| step | share |",
        "|:--|--:|",
        *(f"| {name} | {value / whole:.0%} |" for name, value in steps.items()),
        "",
        f"An image has {one['bytes'] / 1000:.1f} kB on average.",
    ]
    if "speed" in kept:
        rate = sorted(kept["speed"][f"local 1 {i}"]["rate"] for i in range(REPEATS))[REPEATS // 2]
        lines[-1] += f" At the rate of one worker above it reads {rate * one['bytes'] / 1e6:.1f} MB a second."
    return lines


def _faults(kept: dict[str, Any]) -> list[str]:
    lines = [
        "## Faults",
        "",
        f"{kept['faults_n']} images in 20 shards; Ray on three nodes of two processors each, on one machine.",
        "Rows after the last run are compared with those of a run that nothing disturbed, on the local engine.",
        "",
        "| fault | runs | rows | ids twice | rows that differ | account of the first run |",
        "|:--|--:|--:|--:|--:|:--|",
    ]
    for name, one in kept["faults"].items():
        cells = (name, one["runs"], one["rows"], one["twice"], one["differ"], one["said"])
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return lines


def _many(kept: dict[str, Any]) -> list[str]:
    one = kept["many"]
    return [
        "## Many images",
        "",
        f"{one['rows']:,} rows of {one['parts']:,} shards, local engine; {one['failed']} failed.",
        f"The last run wrote {one['new_rows']:,} of them at {one['images_per_second']} a second.",
        f"Resident memory in tenths of its time, MB (median): {', '.join(map(str, one['memory_mb']))};",
        f"peak {one['peak_mb']}. Parquet: {one['mb_of_parts']} MB.",
    ]
