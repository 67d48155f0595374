"""results/explanations.md and its figure, from the record of `explanations.py`: nothing here is typed by hand."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common import machine
from lentigo.evaluation.statistics.intervals import SCALES, bootstrap, edge_interval, interval
from lentigo.explanation import METHODS
from lentigo.render.markdown import table
from lentigo.render.plots import canvas, drawing, save

CONTROLS = ("blob in the middle", "noise")
SAME = 0.5
"""Maps of a random network are too much like those of the trained one where their rank correlation is above this."""
REPLICATES = 1000


class Measured:
    """One method's figures over all lesions.

    Args:
        lines: the record, a line a lesion.
        name: of the method or control.
    """

    def __init__(self, lines: list[dict[str, Any]], name: str) -> None:
        self.lines, self.name = lines, name
        own = [line["methods"][name] for line in lines]
        self.faithful = np.array([m["insertion"] - m["deletion"] for m in own])
        self.deletion = np.array([m["deletion"] for m in own])
        self.insertion = np.array([m["insertion"] for m in own])
        self.energy = _numbers(m["energy"] for m in own)
        self.pointing = np.array([float(bool(m["pointing"])) for m in own])
        self.stability = _numbers(_mean(m["stability"].values()) if "stability" in m else None for m in own)
        self.random = np.array([_numbers(m["random"]) if "random" in m else np.full(3, np.nan) for m in own])
        self.cost = np.array([m.get("seconds", np.nan) for m in own]) / np.median([line["forward"] for line in lines])

    @property
    def empty(self) -> int:
        """Lesions whose map is empty."""
        return int(np.isnan(self.energy).sum())

    def value(self, values: NDArray, scale: str = "difference") -> "Value":
        """The mean over lesions with its interval."""
        return mean_of(values, self.lines, scale)


class Value:
    """A mean and its interval."""

    def __init__(self, value: float, low: float, high: float, n: int) -> None:
        self.value, self.low, self.high, self.n = value, low, high, n

    def __str__(self) -> str:
        return f"{self.value:.3f} ({self.low:.3f} to {self.high:.3f})"


def mean_of(values: NDArray, lines: list[dict[str, Any]], scale: str = "difference") -> Value:
    """The mean of what is known, with the bootstrap interval over lesions within diagnoses."""
    known = ~np.isnan(values)
    values, kept = values[known], [line for line, k in zip(lines, known, strict=True) if k]
    if len(values) < 2:
        return Value(np.nan, np.nan, np.nan, len(values))
    labels = np.unique([line["dx"] for line in kept], return_inverse=True)[1]
    groups = np.array([line["lesion_id"] for line in kept])
    value = float(values.mean())
    drawn = bootstrap(lambda w: (w @ values) / w.sum(1), labels, groups, REPLICATES, 0)
    if scale == "share" and value in (0, 1):
        low, high = edge_interval(value, len(values))
    else:
        low, high = interval(value, float(np.std(drawn)), [len(values)], SCALES[scale])
    return Value(value, low, high, len(values))


def write_page(
    out: Path, lines: list[dict[str, Any]], *, model: Any, run: Any, settings: dict[str, Any], lookup: float, steps: int
) -> None:
    """Write the page and its figure."""
    found = {name: Measured(lines, name) for name in (*METHODS, *CONTROLS)}
    area = mean_of(np.array([line["area"] for line in lines]), lines, "share")
    closer = sum("random" in line["methods"]["cam"] for line in lines)
    order = sorted(found, key=lambda name: -found[name].faithful.mean())
    figure = out.with_suffix(".png")
    draw(figure, found, order)
    said = [f"`{n}`: {', '.join(f'{k} {v}' for k, v in s.items() if v is not None)}" for n, s in settings.items()]
    text = [
        "# Which explanations can be believed?",
        "",
        f"{len(METHODS)} methods explain {run.model} ({run.recipe.size}x{run.recipe.size} pixels, protocol "
        f"{run.split.protocol}, fold {run.split.fold}) on {len(lines)} lesions of its test part, one image each; the "
        f"target is the run's most probable diagnosis. Randomised networks: the first {closer} of "
        "them. Two controls know nothing of the network: a blob in the middle of the square, and noise. Intervals of "
        f"95 %: bootstrap over lesions within diagnoses, {REPLICATES} resamples. Written by "
        "`benchmarks/explanations.py`; how each figure is defined: [docs/explanations.md](../docs/explanations.md).",
        "",
        "## What it teaches",
        "",
        *(f"{i}. {sentence}" for i, sentence in enumerate(sentences(found, area), 1)),
        "",
        "## Faithfulness and agreement with the lesion's mask",
        "",
        "Insertion less deletion: how much higher the probability is while the most important pixels appear in a "
        f"blurred image than while the mean colour covers them, in {steps} steps each; the control of noise is what "
        "chance gives. On average, "
        f"the lesion covers {area} of the square, which is the share of the map on it to be expected of a map without "
        "preference. Empty maps have no share on the lesion and count as misses of the pointing game.",
        "",
        table(
            ["method", "insertion less deletion", "deletion", "insertion", "map on lesion", "pointing game", "empty"],
            [
                [
                    name,
                    found[name].value(found[name].faithful),
                    f"{found[name].deletion.mean():.3f}",
                    f"{found[name].insertion.mean():.3f}",
                    found[name].value(found[name].energy, "share"),
                    found[name].value(found[name].pointing, "share"),
                    found[name].empty,
                ]
                for name in order
            ],
            right=[3, 4, 7],
        ),
        "",
        "## Sanity, stability and cost",
        "",
        "Rank correlation of the map's pixels with those of the same network whose last third, two thirds and all of "
        "its layers are random: a method that explains the network has little left in the last column. "
        f"{SAME} and more is marked. Stability: the same correlation after noise of 2 grey levels. Cost: "
        "median time of one map in multiples of one prediction "
        f"({1000 * np.median([line['forward'] for line in lines]):.1f} ms), which is part of each.",
        "",
        table(
            ["method", "third random", "two thirds random", "all random", "stability", "forward passes"],
            [
                [
                    name,
                    *(found[name].value(found[name].random[:, k]) for k in range(2)),
                    _marked(found[name].value(found[name].random[:, 2])),
                    found[name].value(found[name].stability),
                    f"{np.nanmedian(found[name].cost):.1f}",
                ]
                for name in order
                if name in METHODS
            ],
            right=[6],
        ),
        "",
        "Once the default model has given a verdict, the class-activation map of another diagnosis over the image "
        f"takes {1000 * lookup:.2f} ms.",
        "",
        f"![Faithfulness against agreement with the mask, and cost]({figure.name})",
        "",
        f"Parameters. {'; '.join(s for s in said if not s.endswith(': '))}.",
        "",
        f"Model {model.sha256[:12]}; {machine('torch', 'captum')}.",
    ]
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text("\n".join(text) + "\n", encoding="utf-8")


def sentences(found: dict[str, Measured], area: Value) -> list[str]:
    """Three sentences, each chosen by what the figures say."""
    methods = sorted((m for n, m in found.items() if n in METHODS), key=lambda m: -m.faithful.mean())
    best, blob = methods[0], found[CONTROLS[0]]
    even = [m.name for m in methods[1:] if best.value(best.faithful - m.faithful).low <= 0]
    beaten = [m for m in methods if m.value(m.faithful - blob.faithful).low > 0]
    lost = [m.name for m in methods if m not in beaten]
    first = f"`{best.name}` is the most faithful (insertion less deletion {best.value(best.faithful)}), "
    first += f"with {_listed(even)} not distinguishable from it" if even else "ahead of every other method"
    first += f"; {len(beaten)} of {len(methods)} methods beat a blob in the middle"
    first += f", {_listed(lost)} not." if lost else "."
    closest = max(methods, key=lambda m: np.nanmean(m.energy))
    both = np.array([[m.faithful.mean(), np.nanmean(m.energy)] for m in methods])
    together = float(np.corrcoef(both.argsort(0).argsort(0).T)[0, 1])
    second = (
        f"`{closest.name}` has most of its map on the lesion ({closest.value(closest.energy, 'share')}, where the "
        f"lesion covers {area.value:.3f}), the blob {blob.value(blob.energy, 'share')}; over the methods, agreement "
        f"with the mask and faithfulness have a rank correlation of {together:.2f}, so that "
    )
    second += "the mask alone is no measure of faithfulness." if together < 0.7 else "here both rank the methods alike."
    stuck = [m.name for m in methods if m.value(m.random[:, 2]).value >= SAME]
    third = "When all weights are random, "
    third += (
        f"the maps of {_listed(stuck)} stay alike (rank correlation {SAME} or more): they show the image more than the "
        "network"
        if stuck
        else f"no method's maps stay alike (rank correlation {SAME} or more), as it should be"
    )
    cheap = min((m for m in methods if m is best or m.name in even), key=lambda m: np.nanmedian(m.cost))
    third += f"; the cheapest of the most faithful is `{cheap.name}`, at {np.nanmedian(cheap.cost):.1f} forward passes."
    return [first, second, third]


def draw(path: Path, found: dict[str, Measured], order: list[str]) -> None:
    """Faithfulness, agreement and what a random network leaves, a row a method."""
    parts = (
        ("insertion less deletion", lambda m: m.value(m.faithful)),
        ("share of map on lesion", lambda m: m.value(m.energy, "share")),
        ("correlation, all random", lambda m: m.value(m.random[:, 2])),
        ("stability", lambda m: m.value(m.stability)),
    )
    with drawing():
        figure, grid = canvas(11, 0.32 * len(order) + 1, 1, len(parts))
        for axes, (title, value) in zip(grid.flat, parts, strict=True):
            for y, name in enumerate(order[::-1]):
                v = value(found[name])
                if not np.isnan(v.value):
                    colour = "0.55" if name in CONTROLS else "C0"
                    axes.plot([v.low, v.high], [y, y], color=colour)
                    axes.plot(v.value, y, "o", color=colour, markersize=4)
            axes.set_yticks(range(len(order)), order[::-1] if axes is grid.flat[0] else [""] * len(order))
            axes.set_ylim(-0.6, len(order) - 0.4)  # the same of all, though controls have no value in some
            axes.set_title(title)
        path.parent.mkdir(parents=True, exist_ok=True)
        save(figure, path)


def _marked(value: Value) -> str:
    return f"**{value}**" if value.value >= SAME else str(value)


def _listed(names: list[str]) -> str:
    quoted = [f"`{name}`" for name in names]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} and {quoted[-1]}"


def _mean(values: Any) -> float | None:
    known = [v for v in values if v is not None]
    return float(np.mean(known)) if known else None


def _numbers(values: Any) -> NDArray[np.float64]:
    return np.array([np.nan if v is None else v for v in values], np.float64)
