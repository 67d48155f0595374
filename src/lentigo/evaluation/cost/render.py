"""Show costs as tables on a terminal, or as JSON."""

import io
import json

from rich.console import Console
from rich.table import Table

from lentigo import models
from lentigo.evaluation.cost.count import PICOJOULES_PER_MAC, Cost, cost
from lentigo.evaluation.cost.measure import Measured, measure

__all__ = ["cost_table", "describe_cost", "measured_table"]


def describe_cost(
    model: str, size: int | None = None, classes: int | None = None, *, as_json: bool = False, measured: bool = False
) -> str:
    """Count a network of the registry and, if `measured`, time it on this machine; as tables or as JSON.

    Raises:
        RunError: unknown network, or a size that doesn't fit.
    """
    counted = cost(model, size, classes)
    timed = measure(models.build(model, classes), counted.size) if measured else None
    if as_json:
        values = json.loads(counted.to_json())
        return json.dumps(values | ({"measured": json.loads(timed.to_json())} if timed else {}), indent=2)
    console = Console(file=io.StringIO(), width=Console().width)
    console.print(cost_table(counted))
    if timed:
        console.print(measured_table(timed))
    return console.file.getvalue()  # type: ignore[attr-defined]


def cost_table(cost: Cost) -> Table:
    """One row per layer, totals below."""
    title = f"{cost.model}, {cost.size}x{cost.size} pixels, {cost.num_classes} classes"
    table = Table("layer", "kind", title=title, caption=_caption(cost), caption_justify="left", show_footer=True)
    table.columns[0].footer = "total"
    table.add_column("output", justify="right")
    table.add_column("parameters", justify="right", footer=f"{cost.parameters:,}")
    table.add_column("MACs", justify="right", footer=f"{cost.macs:,}")
    for layer in cost.layers:
        shape = "x".join(map(str, layer.output))
        table.add_row(layer.name, layer.kind, shape, f"{layer.parameters:,}", f"{layer.macs:,}")
    return table


def _caption(cost: Cost) -> str:
    weights = ", ".join(f"{cost.weight_bytes(bits) / 1e6:.2f} MB at {bits} bits" for bits in PICOJOULES_PER_MAC)
    energy = ", ".join(f"{1e3 * cost.energy(bits):.3g} mJ at {bits} bits" for bits in PICOJOULES_PER_MAC)
    return "\n".join(
        (
            f"parameters: {cost.trainable:,} trainable, {cost.non_trainable:,} not (frozen, moving statistics)",
            *(f"WARNING: {warning}" for warning in cost.warnings),
            f"FLOPs: {cost.flops:,}, two per MAC",
            f"weights: {weights}",
            f"activations in 32 bits: {4e-6 * cost.activations:.2f} MB in training, "
            f"{4e-6 * cost.peak_activations:.2f} MB at the widest layer",
            f"energy, estimated, not measured: {energy} per image",
        )
    )


def measured_table(measured: Measured) -> Table:
    """One row per setting."""
    caption = (
        f"peak memory of tensors, excluding weights, for one image: {measured.peak_bytes / 1e6:.2f} MB\n"
        f"{measured.device}; {measured.machine}; torch {measured.versions['torch']}"
    )
    table = Table(title=f"measured at {measured.size}x{measured.size} pixels", caption=caption, caption_justify="left")
    for header in ("batch", "threads", "median ms", "90 % below ms", "images/s", "runs"):
        table.add_column(header, justify="right")
    for speed in measured.speeds:
        times = (f"{speed.median_ms:.2f}", f"{speed.p90_ms:.2f}", f"{speed.images_per_second:.0f}")
        table.add_row(str(speed.batch), str(speed.threads), *times, str(speed.runs))
    return table
