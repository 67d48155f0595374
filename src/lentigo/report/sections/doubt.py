"""Knowing when not to answer: conformal sets, risk against coverage, and images rejected as out of distribution."""

from lentigo.evaluation.catalogue import PRIORS
from lentigo.evaluation.clinical.conformal import ConformalReport
from lentigo.evaluation.clinical.selective import RiskCoverage
from lentigo.evaluation.ood.rejections import OODRejections
from lentigo.evaluation.result import Estimate
from lentigo.report import curves
from lentigo.report.document import Block, Figure, Forest, Mark, Section, Table, Text, Whisker
from lentigo.report.subject import Subject
from lentigo.report.words import natural_frequency, number

__all__ = ["doubt"]


def doubt(subject: Subject) -> Section:
    """All three."""
    evidence = subject.evidence
    blocks: list[Block] = []
    if evidence.risk_coverage is not None:
        blocks.append(_risk(evidence.risk_coverage))
    if evidence.ood_rejections is not None:
        blocks.append(_flags(evidence.ood_rejections))
    if evidence.conformal is not None:
        blocks += [_coverage(evidence.conformal), _sizes(evidence.conformal)]
    absent = {
        "risk_coverage": "Selective risk",
        "validation": "Conformal sets",
        "ood_rejections": "Out-of-distribution images",
    }
    blocks += [Text(text=f"{name}. {evidence.missing[k]}") for k, name in absent.items() if k in evidence.missing]
    return Section(name="doubt", title="Uncertainty: does it know when not to answer?", blocks=tuple(blocks))


def _risk(found: RiskCoverage) -> Figure:
    curve = curves.estimates(
        "risk", [p.coverage for p in found.points], [p.risk for p in found.points], 0, dots=True, strong=True
    )
    half = min(found.points, key=lambda p: abs(p.coverage - 0.5))
    return Figure(
        name="risk-coverage",
        title="Risk-coverage curve: answering only where it is confident",
        caption=f"Answering for every image, it is wrong in {natural_frequency(found.points[-1].risk)} of 100. "
        f"Answering only for the {half.coverage:.0%} with the highest confidence, in "
        f"{natural_frequency(half.risk)}. Area under "
        f"the curve (AURC) {number(found.area)}; the optimum, ranking every mistake last, is {found.optimal_area:.3f}. "
        f"Prevalence: {PRIORS[found.view]}.",
        x_label="coverage (share of images answered)",
        y_label="selective risk (share of answers that are wrong)",
        curves=(curve,),
        y_range=(0.0, min(1.0, max(0.1, 1.15 * max((*curve.y, *curve.high))))),
    )


def _flags(found: OODRejections) -> Forest:
    rows = [_whisker("all lesions", found.share)]
    rows += [_whisker(c, e) for c, e in found.share_of.items() if e.value is not None]
    highest = max((r.high or r.value or 0.0) for r in rows)
    return Forest(
        name="ood-rejections",
        title="Lesions falsely rejected as out of distribution",
        caption=f"An image above the OOD threshold of {found.threshold:.3f} is not graded. The threshold was set "
        f"on validation images to reject {found.target_fpr:.0%} of real lesions; here it rejects "
        f"{natural_frequency(found.share)} of 100 ({found.images:,} images). How many non-lesion images "
        "it rejects, this "
        "page can't say: benchmarks/ood.py measures that.",
        x_label="share of real lesions that are rejected",
        rows=tuple(rows),
        marks=(Mark(name="target", x=found.target_fpr),),
        x_range=(0.0, min(1.0, max(0.1, 1.05 * highest))),
    )


def _coverage(found: ConformalReport) -> Forest:
    aim = 1 - found.sets.alpha
    rows = tuple(_whisker(c, e) for c, e in found.coverage.items() if e.value is not None)
    short = [c for c, e in found.coverage.items() if e.high is not None and e.high < aim]
    told = (
        f"Below the guaranteed coverage, beyond chance: {', '.join(short)}."
        if short
        else "None is below it beyond chance."
    )
    return Forest(
        name="conformal-coverage",
        title="Conformal prediction sets: diagnoses that can't be ruled out",
        caption="Instead of one answer the model can return a set of diagnoses that contains the true one for at "
        f"least {aim:.0%} of the lesions of every diagnosis, if they resemble the validation lesions; those of another "
        f"clinic may not. {told} " + " ".join(found.sets.warnings),
        x_label="coverage (share of sets that contain the true diagnosis)",
        rows=rows,
        marks=(Mark(name="promised", x=aim),),
    )


def _sizes(found: ConformalReport) -> Table:
    return Table(
        caption="Size of the sets: a large set is honest but of little use.",
        columns=("prediction sets", "value"),
        rows=(
            ("mean number of diagnoses", number(found.size)),
            ("share with exactly one (singletons)", number(found.singletons)),
            ("share of empty sets: like no diagnosis", number(found.empty)),
        ),
    )


def _whisker(name: str, found: Estimate) -> Whisker:
    return Whisker(name=name, value=found.value, low=found.low, high=found.high)
