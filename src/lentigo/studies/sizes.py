"""Sizes of compressed forms: as printed, counted as the paper counted, and each on the same footings; with accuracy."""

from collections.abc import Iterator, Sequence
from statistics import fmean

from lentigo.evaluation import combine
from lentigo.evaluation.result import Estimate
from lentigo.render.markdown import table
from lentigo.studies.numbers import number, printed, shown_estimate
from lentigo.studies.study import Variant
from lentigo.studies.variants import VariantOutcome, of_variant

__all__ = ["size_blocks"]

MEBIBYTE = 2**20
LOSSLESS = "weights_zip"
"""Footing of the size that is not counted but measured: weights after a general compressor."""


def size_blocks(variants: Sequence[Variant], outcomes: Sequence[VariantOutcome]) -> Iterator[str]:
    """Blocks of Markdown: sizes on one footing, and what each form is worth under the protocols that were run."""
    protocols = list(dict.fromkeys(outcome.protocol for outcome in outcomes))
    yield "## Sizes of the compressed forms, on one footing"
    yield (
        "As published: sizes of different things. On its footing: the same things counted here, in MiB. The other "
        "columns measure every form alike, in bytes of the files that the command writes, the mean over protocols; "
        "the factor in parentheses is the first form's size over this one's, in the same column."
    )
    yield _sizes(variants, outcomes)
    yield "## What the compressed forms are worth"
    yield (
        "Accuracy as each network decides; balanced accuracy calibrated, at the balanced prior. "
        "Protocols ending in `_leaky` have images of the same lesion in training and test."
    )
    yield table(
        ("form", "published", *(f"{name}, `{p}`" for name in ("accuracy", "balanced accuracy") for p in protocols)),
        (
            (
                variant.name,
                printed(variant.accuracy),
                *(
                    _worth(of_variant(outcomes, variant.name, p), name)
                    for name in ("accuracy", "balanced_accuracy")
                    for p in protocols
                ),
            )
            for variant in variants
        ),
    )
    outside = [f"- {o.variant}, `{o.protocol}` {o.fold}: {'; '.join(o.outside)}" for o in outcomes if o.outside]
    if outside:
        words = (
            "Measured, although these files differ too much from what they were made from for lentigo to write them:"
        )
        yield "\n".join((words, "", *outside))
    faults = [f"- {o.variant}, `{o.protocol}` {o.fold}: {o.fault}" for o in outcomes if o.fault]
    if faults:
        yield "\n".join(("Refused, as the file differs too much from what it was made from:", "", *faults))


def _sizes(variants: Sequence[Variant], outcomes: Sequence[VariantOutcome]) -> str:
    footings = list(dict.fromkeys(name for outcome in outcomes for name in outcome.size))
    rows, first = [], {footing: _mean(variants[0], outcomes, footing) for footing in footings}
    for variant in variants:
        lossless = _mean(variant, outcomes, LOSSLESS)
        same = variant.same_footing() if variant.same_footing else lossless and lossless / MEBIBYTE
        values = {footing: _mean(variant, outcomes, footing) for footing in footings}
        rows.append(
            (
                variant.name,
                printed(variant.megabytes),
                _beside(same, variant),
                printed(round(variants[0].megabytes / variant.megabytes, 2)),
                *(_with_factor(values[footing], first[footing]) for footing in footings),
            )
        )
    return table(("form", "published MB", "on its footing, MiB", "published factor", *footings), rows)


def _beside(size: float | None, variant: Variant) -> str:
    """A size in MiB, how far it is from the published one, and what was counted."""
    if size is None:
        return "–"
    return f"{number(size)} ({100 * (size / variant.megabytes - 1):+.1f} %), {variant.counted}"


def _mean(variant: Variant, outcomes: Sequence[VariantOutcome], footing: str) -> float | None:
    found = [o.size[footing] for o in outcomes if o.variant == variant.name and footing in o.size]
    return fmean(found) if found else None


def _with_factor(size: float | None, first: float | None) -> str:
    return "–" if size is None or first is None else f"{size:,.0f} ({first / size:.2f})"


def _worth(outcomes: Sequence[VariantOutcome], name: str) -> str:
    """A metric of one training with its bootstrap interval, of several their mean; or why there is none."""
    if any(o.fault for o in outcomes):
        return "refused"
    found = [m for o in outcomes for m in [o.native if name == "accuracy" else o.honest] if m is not None]
    if len(found) < 2:
        return shown_estimate(found[0].get(name, outcomes[0].task) if found else None)
    spread = combine(found).views["equal_prevalence"][outcomes[0].task][name]
    return shown_estimate(Estimate(value=spread.mean, low=spread.low, high=spread.high, note=spread.note))
