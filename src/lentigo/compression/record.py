"""What a compression leaves beside its file: sizes, cost, metrics and gate of each step, as JSON and Markdown."""

from collections.abc import Iterator
from typing import Any

from pydantic import Field

from lentigo.compression.gate import GateEntry, GateReport
from lentigo.evaluation.cost import FOOTINGS
from lentigo.evaluation.result import Estimate, Result
from lentigo.render.markdown import table

__all__ = ["CompressionRecord", "StepRecord"]

_NAMES = {"auc": "macro AUC", "ece": "calibration error (ECE)", "disagreement": "another top class than the parent"}


class StepRecord(Result):
    """One step, or the parent before all of them.

    Attributes:
        name: of the step; 'parent' for the exported network that compression started from.
        params: as the recipe states them.
        file: under the folder of the compression; empty where the step made none.
        sha256: of that file.
        size, parts: bytes by footing, and of the parts of the file, as in `evaluation.cost.Account`.
        macs: multiply-accumulates of one image by part of the graph, mirrors included.
        warnings: what could not be counted.
        latency_ms: median milliseconds of one decoded image, on `machine`.
        machine: processor and versions behind the latency.
        metrics: on the validation part, with intervals of 95 %.
        gate: against the parent; None for the parent itself, and where there is no file.
        fault: why there is no file.
        shipped: whether the following steps started from it.
    """

    name: str
    params: dict[str, Any]
    file: str = ""
    sha256: str = ""
    size: dict[str, int] = Field(default_factory=dict)
    parts: dict[str, int] = Field(default_factory=dict)
    macs: dict[str, int] = Field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    latency_ms: float | None = None
    machine: dict[str, str] = Field(default_factory=dict)
    metrics: dict[str, Estimate] = Field(default_factory=dict)
    gate: GateReport | None = None
    fault: str = ""
    shipped: bool = False

    @property
    def outcome(self) -> str:
        """The verdict of the gate and what kept it from passing, in words."""
        if self.fault:
            return f"refused; {self.fault}"
        if self.gate is None:
            return "the parent"
        return "; ".join((self.gate.verdict, *self.gate.reasons))


class CompressionRecord(Result):
    """A whole compression.

    Attributes:
        recipe: as plain values.
        source: what was compressed: network, hash of its weights and of its split.
        steps: the parent first.
        file: the file that ships, under the folder; empty where no step passed.
        sha256: of that file.
    """

    recipe: dict[str, Any]
    source: dict[str, str]
    steps: tuple[StepRecord, ...]
    file: str
    sha256: str

    @property
    def shipped(self) -> tuple[str, ...]:
        """The steps behind the file that ships."""
        return tuple(step.name for step in self.steps[1:] if step.shipped)

    @property
    def withheld(self) -> tuple[StepRecord, ...]:
        """The steps that didn't pass."""
        return tuple(step for step in self.steps if not step.shipped)

    def to_markdown(self) -> str:
        """As a page."""
        return "\n\n".join(self._blocks()) + "\n"

    def _blocks(self) -> Iterator[str]:
        yield f"# Compression of {self.source['network']}"
        yield self.summary
        made = [step for step in self.steps if step.file]
        yield "## Size, cost, speed"
        footings = list(self.steps[0].size)
        yield table(
            ("step", *footings, "MACs", "of which network", "ms an image"),
            (
                (
                    step.name,
                    *(f"{step.size[name]:,}" if name in step.size else "–" for name in footings),
                    f"{sum(step.macs.values()):,}",
                    f"{step.macs['network']:,}",
                    f"{step.latency_ms:.2f}",
                )
                for step in made
            ),
            right=range(1, len(footings) + 4),
        )
        yield "\n".join(f"- {name}: {FOOTINGS[name]}" for name in footings)
        machine = ", ".join(f"{k} {v}" for k, v in self.steps[0].machine.items())
        yield f"Times of one decoded image at a time, on a machine that may do other work: {machine}."
        yield from (f"{step.name}: {warning}" for step in made for warning in step.warnings)
        yield "## Metrics on the validation part"
        names = list(self.steps[0].metrics)
        yield table(("step", *names), ((step.name, *(step.metrics[name] for name in names)) for step in made))
        yield "## The gate"
        yield (
            "Each step against the parent, by paired resamples of the lesions of the validation part. A loss passes if "
            "its whole interval of 95 % is within what is allowed, fails if all of it is beyond, and is undecided "
            "otherwise. Only what passes ships."
        )
        for step in self.steps[1:]:
            if step.gate is not None:
                yield f"### {step.name}: {step.gate.verdict}"
                drawn = f"{step.gate.replicates:,} resamples"
                yield f"{step.gate.images:,} images of {step.gate.lesions:,} lesions, {drawn}."
                yield table(("", "parent", "after", "loss", "allowed", "verdict"), map(_gate_row, step.gate.entries))

    @property
    def summary(self) -> str:
        """What ships, and what doesn't and why."""
        lines = [
            f"Ships: {self.file} ({', '.join(self.shipped)}), {self._bytes(self.steps[0])} before, "
            f"{self._bytes(next(s for s in reversed(self.steps) if s.shipped))} now."
            if self.file
            else "Nothing ships: no step passed the gate."
        ]
        for step in self.withheld:
            lines.append(f"Not shipped: {step.name}: {step.outcome}.")
        return "\n".join(lines)

    @staticmethod
    def _bytes(step: StepRecord) -> str:
        return f"{step.size['file']:,} bytes"


def _gate_row(entry: GateEntry) -> tuple[object, ...]:
    numbers = ("" if value is None else f"{value:.4f}" for value in (entry.parent, entry.child, entry.allowed))
    parent, child, allowed = numbers
    loss = "undefined" if entry.loss.value is None else f"{entry.loss.value:.4f}"
    if entry.loss.low is not None:
        loss += f" ({entry.loss.low:.4f} to {entry.loss.high:.4f})"
    note = f" ({entry.loss.note})" if entry.loss.note else ""
    return _NAMES.get(entry.name, entry.name.replace("_", " ")), parent, child, loss, allowed, entry.verdict + note
