"""Show costs as tables on a terminal, or as JSON."""

import io
import json
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from rich.console import Console
from rich.table import Table

from lentigo import models
from lentigo.errors import RunError
from lentigo.evaluation.cost.account import Account, account
from lentigo.evaluation.cost.count import PICOJOULES_PER_MAC, Cost, cost
from lentigo.evaluation.cost.measure import Measured, measure
from lentigo.evaluation.cost.measure_bundle import measure_bundle
from lentigo.evaluation.cost.sizes import FOOTINGS, Reduction, checkpoint_bytes, reductions
from lentigo.runtime import Bundle
from lentigo.runtime.shipped import find_bundle

__all__ = ["account_table", "cost_table", "describe_cost", "measured_table", "reduction_table"]

PARTS: Mapping[str, str] = MappingProxyType(
    {
        "weights": "weights",
        "network": "network and maps",
        "ood": "OOD score",
        "preprocessing": "preprocessing",
        "fingerprints": "fingerprints",
        "metadata": "label set, provenance and other metadata",
        "graph": "the graph's text",
    }
)
"""Parts of a bundle in words."""


def describe_cost(
    model: str,
    size: int | None = None,
    classes: int | None = None,
    *,
    against: str | None = None,
    as_json: bool = False,
    measured: bool = False,
) -> str:
    """Count a network of the registry, layer by layer, or account for a run or a file; as tables or as JSON.

    Args:
        model: name of a network, folder of a run, name or path of a bundle, or path of a .tflite file.
        size: pixels a side of a network's input; its native size where not given.
        classes: of a network of the registry; as published where not given.
        against: another of these, that `model` is compared with on every footing that both have a size on.
        as_json: JSON instead of tables.
        measured: also time it on this machine: a network in torch, a bundle in ONNX Runtime.

    Raises:
        RunError: unknown network, a size that doesn't fit, or an option that does not apply.
        BundleError: a file that is not a bundle.
    """
    options: dict[str, Any] = {} if classes is None else {"num_classes": classes}
    found = account(model, size=size, **options)
    if found.kind != "network" and (size, classes) != (None, None):
        raise RunError(f"{model}: a {found.kind} has its own size and classes.", "Leave out --size and --classes.")
    counted = cost(model, size, classes) if found.kind == "network" else None
    timed = _measured(model, found.kind, counted, classes) if measured else None
    smaller = [] if against is None else reductions(account(against), found)
    if as_json:
        values = json.loads(counted.to_json() if counted else found.to_json())
        values |= {"sizes": dict(found.sizes)} if counted else {}
        values |= {"reductions": [r.to_dict() for r in smaller]} if against else {}
        return json.dumps(values | ({"measured": json.loads(timed.to_json())} if timed else {}), indent=2)
    tables = [cost_table(counted)] if counted else []
    tables += [account_table(found)] if counted is None or against else []
    tables += [reduction_table(smaller, model, against)] if against else []
    tables += [measured_table(timed)] if timed else []
    console = Console(file=io.StringIO(), width=Console().width)
    for table in tables:
        console.print(table)
    return console.file.getvalue()  # type: ignore[attr-defined]


def _measured(model: str, kind: str, counted: Cost | None, classes: int | None) -> Measured:
    if counted:
        return measure(models.build(model, classes), counted.size)
    if kind not in ("bundle", "packed bundle"):
        raise RunError(f"{model}: a {kind} is not timed.", "Time its bundle: `lentigo export` creates one.")
    return measure_bundle(Bundle(find_bundle(model), threads=1))


def account_table(found: Account) -> Table:
    """Bytes on every footing, what takes them, and operations."""
    table = Table("", "", title=f"{found.name} ({found.kind})", caption="\n".join(_notes(found)), show_header=False)
    table.caption_justify = "left"
    table.columns[1].justify = "right"
    for footing, size in found.sizes.items():
        table.add_row(FOOTINGS[footing], f"{size:,} bytes")
    if found.parts:
        table.add_section()
    for part, size in found.parts.items():
        table.add_row(f"in the unpacked file: {PARTS[part]}", f"{size:,} bytes")
    if found.macs:
        table.add_section()
    for part, macs in found.macs.items():
        table.add_row(f"MACs for one image: {PARTS[part]}", f"{macs:,}")
    if len(found.macs) > 1:
        table.add_row("MACs for one image: all that is computed", f"{found.total_macs:,}")
    return table


def reduction_table(smaller: Sequence[Reduction], model: str, against: str) -> Table:
    """One row per footing, so that no factor mixes two of them."""
    table = Table(title=f"{model} against {against}, each row on one footing")
    for header in ("footing", "before", "after", "efficiency factor", "reduction"):
        table.add_column(header, justify="left" if header == "footing" else "right")
    for row in smaller:
        table.add_row(
            FOOTINGS[row.footing], f"{row.before:,}", f"{row.after:,}", f"{row.factor:.2f}", f"{row.percent:.2f} %"
        )
    return table


def _notes(found: Account) -> list[str]:
    notes = []
    if found.numbers is not None:
        zeros = "" if found.zeros is None else f", {found.zeros:,} of them zero ({found.zeros / found.numbers:.1%})"
        notes.append(f"numbers: {found.numbers:,}{zeros}")
    if found.image:
        height, width = found.image
        mirrors = "mirrors and all members included" if found.parts else "one pass, without mirrors"
        notes.append(f"MACs: of an image of {width}x{height} pixels, {mirrors}; two FLOPs each")
    return [*notes, *(f"WARNING: {warning}" for warning in found.warnings)]


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
            f"checkpoint with Adam's moments: {checkpoint_bytes(cost.trainable, cost.non_trainable) / 1e6:.2f} MB",
            f"activations in 32 bits: {4e-6 * cost.activations:.2f} MB in training, "
            f"{4e-6 * cost.peak_activations:.2f} MB at the widest layer",
            f"energy, estimated, not measured: {energy} per image",
        )
    )


def measured_table(measured: Measured) -> Table:
    """One row per setting."""
    versions = ", ".join(f"{name} {version}" for name, version in measured.versions.items() if name != "python")
    caption = (
        f"peak memory for one image ({measured.memory}): "
        f"{'unknown here' if measured.peak_bytes is None else f'{measured.peak_bytes / 1e6:.2f} MB'}\n"
        f"{measured.device}; {measured.machine}; {versions}"
    )
    table = Table(
        title=f"measured on images of {measured.image[1]}x{measured.image[0]} pixels",
        caption=caption,
        caption_justify="left",
    )
    for header in ("batch", "threads", "median ms", "90 % below ms", "images/s", "runs"):
        table.add_column(header, justify="right")
    for speed in measured.speeds:
        times = (f"{speed.median_ms:.2f}", f"{speed.p90_ms:.2f}", f"{speed.images_per_second:.0f}")
        table.add_row(str(speed.batch), str(speed.threads), *times, str(speed.runs))
    return table
