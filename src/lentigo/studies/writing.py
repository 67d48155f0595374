"""A reproduction as a page and as JSON: printed value, arithmetic, their protocol, the honest one, side by side."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from lentigo import data
from lentigo.atomic import write_text
from lentigo.evaluation.catalogue import VIEW_LABELS, choice, entry, label
from lentigo.evaluation.result import Result
from lentigo.render.markdown import table
from lentigo.studies.budgets import Budget
from lentigo.studies.cells import TableValues, fill, metric_of, of_system
from lentigo.studies.figures import draw_figures
from lentigo.studies.numbers import network_cost, number, printed, shown_estimate
from lentigo.studies.outcome import Finished, Outcome, describe_start
from lentigo.studies.sizes import size_blocks
from lentigo.studies.study import Check, Study
from lentigo.studies.variants import VariantOutcome

__all__ = ["Reproduction", "write_study"]

ANSWERS: Mapping[str, tuple[str, str]] = {"diagnosis": ("mel", "nv"), "malignancy": ("malignant", "benign")}
"""Of each task, the class that must not be missed and the commonest one."""
NO_MERIT = ("accuracy", "majority_class_baseline")
"""Of the headline, what is shown of each network's own decisions alone."""


class Reproduction(Result):
    """All of it, as data.

    Attributes:
        study, title, citation: of the paper.
        command: what made it.
        budget: its name and what it means.
        data: the data set, its images and lesions.
        tables: printed values beside ours.
        contradictions: printed values that arithmetic doesn't bear out: about, where, published, recomputed, because.
        outcomes: every training.
        variants: every compressed form of each of them.
    """

    study: str
    title: str
    citation: str
    command: str
    budget: dict[str, str]
    data: dict[str, str | int]
    tables: tuple[TableValues, ...]
    contradictions: tuple[dict[str, str | float], ...]
    outcomes: tuple[Outcome, ...]
    variants: tuple[VariantOutcome, ...] = ()


def write_study(
    study: Study,
    finished: Sequence[Finished],
    records: data.Records,
    budget: Budget,
    command: str,
    folder: Path,
    tables: Sequence[str] = (),
    variants: Sequence[VariantOutcome] = (),
    *,
    planned: int = 0,
) -> Path:
    """Write study.md, study.json and figures/ of a reproduction.

    Args:
        study: what was reproduced.
        finished: its trainings.
        records: the data set.
        budget: what limited them.
        command: the command that repeats it.
        folder: to write into.
        tables: names of the tables to show; without it all.
        variants: compressed forms of the trainings.
        planned: how many trainings there will be. Until then the page says so, and figures are not drawn.
    """
    outcomes = [f.outcome for f in finished]
    protocols = list(dict.fromkeys(o.protocol for o in outcomes))
    chosen = [t for t in study.tables if not tables or t.name in tables]
    found = Reproduction(
        study=study.id,
        title=study.title,
        citation=study.citation,
        command=command,
        budget={"name": budget.name, "summary": budget.summary},
        data={"name": records.name, "images": len(records), "lesions": int(records.table["lesion_id"].nunique())},
        tables=tuple(fill(study, each, outcomes, protocols, records.counts(), variants) for each in chosen),
        contradictions=tuple(
            {
                "about": check.about,
                "where": check.where,
                "published": check.published,
                "recomputed": check.recompute(),
                "unit": check.unit,
                "because": check.because,
            }
            for check in study.contradictions
        ),
        outcomes=tuple(outcomes),
        variants=tuple(variants),
    )
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / "study.json", found.model_dump_json() + "\n")  # many numbers: without indents
    missing = f"{len(finished)} of {planned} trainings" if len(finished) < planned else ""
    figures = {} if missing else draw_figures(study, finished, folder / "figures")
    write_text(folder / "study.md", "\n\n".join(_page(study, found, protocols, figures, missing)) + "\n")
    return folder / "study.md"


def _page(
    study: Study, found: Reproduction, protocols: Sequence[str], figures: dict[str, Path], missing: str
) -> Iterable[str]:
    """Blocks of Markdown."""
    first = found.outcomes[0]
    yield f"# {study.id}: published, recomputed, measured"
    yield f"{study.title}. {study.citation}."
    yield f"```\n{found.command}\n```"
    if missing:
        yield f"**Not finished: {missing} are in these tables.** Figures are drawn at the end."
    yield (
        f"**Budget {found.budget['name']}**: {found.budget['summary']}. Data: {found.data['name']}, "
        f"{found.data['images']:,} images of {found.data['lesions']:,} lesions. Machine: "
        + ", ".join(f"{k} {v}" if k != "machine" else v for k, v in first.machine.items())
        + ". Intervals are 95 %, by bootstrap over lesions. Times were measured on a shared machine: "
        "compare only their ratios."
    )
    leaky = [p for p in protocols if p.endswith("_leaky")]
    honest = [p for p in protocols if p not in leaky]
    yield (
        f"Columns of measured values: {', '.join(f'`{p}`' for p in leaky) or 'none'} as the paper splits its images, "
        "with images of the same lesion in training and test; "
        f"{', '.join(f'`{p}`' for p in honest) or 'none'} without a leak."
    )
    yield "## Systems"
    yield table(
        ("system", "network", "input", "parameters", "start", "protocol", "train", "test", "epochs (of)", "s", "ms"),
        (_run_row(outcome) for outcome in found.outcomes),
    )
    yield "Parameters as Keras counts them; s: seconds of training; ms: inference latency at batch size 1."
    yield "## Native predictions: as each network decides"
    yield _metrics_table(found.outcomes, protocols, honest=False)
    yield f"## As lentigo reports it: calibrated on validation, {VIEW_LABELS['equal_prevalence']}"
    yield _metrics_table(found.outcomes, protocols, honest=True)
    yield "## The paper's tables"
    for shown in found.tables:
        yield f"### Table {shown.name}: {shown.caption}" if shown.name != "text" else f"### {shown.caption}"
        yield _table_of(shown, protocols)
    if found.variants:
        yield from size_blocks(study.variants, found.variants)
    contradictions = study.contradictions
    if contradictions:
        yield "## Where the paper contradicts itself"
        yield _checks_table(contradictions)
    if others := [check for check in study.checks if check not in contradictions]:
        yield "## Where recomputation agrees or is inconclusive"
        yield _checks_table(others)
    if study.remarks:
        yield "## Remarks"
        yield "\n".join(f"- {remark}" for remark in study.remarks)
    yield "## What the paper leaves open, and what is assumed"
    left_open = dict.fromkeys(f"{remark}" for system in study.systems for remark in system.left_open)
    yield "\n".join(f"- {remark}" for remark in left_open)
    yield "## Figures"
    for title, path in figures.items():
        yield f"**{title}**\n\n![{title}](figures/{path.name})"
    yield (
        "Sample grids, augmented samples and predictions on single images show images of the data set. They are in "
        "`pictures/` of the folder that the command writes, and not here."
    )


def _checks_table(checks: Sequence[Check]) -> str:
    return table(
        ("about", "where", "published", "recomputed", "why"),
        ((c.about, c.where, printed(c.published), number(c.recompute()), c.because) for c in checks),
    )


def _run_row(outcome: Outcome) -> tuple[str, ...]:
    return (
        outcome.system,
        f"`{outcome.network}`",
        f"{outcome.size} px",
        f"{network_cost(outcome.network, outcome.size, len(_classes(outcome))).parameters:,}",
        describe_start(outcome.start),
        f"`{outcome.protocol}` {outcome.fold}",
        f"{outcome.train_images:,}",
        f"{outcome.test_images:,}",
        f"{outcome.trained_epochs} ({outcome.target_epochs})",
        f"{outcome.seconds:,.0f}",
        f"{outcome.milliseconds:.1f}",
    )


def _classes(outcome: Outcome) -> tuple[str, ...]:
    """What the network distinguishes."""
    return outcome.native.views["equal_prevalence"][outcome.task].classes


def _metrics_table(outcomes: Sequence[Outcome], protocols: Sequence[str], *, honest: bool) -> str:
    names = _metrics(outcomes[0].task, honest=honest)
    rows = []
    for system in dict.fromkeys(o.system for o in outcomes):
        for protocol in protocols:
            own = of_system(outcomes, system, protocol)
            if own:
                values = (metric_of(own, name, honest=honest) for name in names)
                rows.append(
                    (system, f"`{protocol}`", f"{sum(o.test_images for o in own):,}", *map(shown_estimate, values))
                )
    return table(("system", "protocol", "n", *map(label, names)), rows)


def _metrics(task: str, *, honest: bool) -> tuple[str, ...]:
    """What is shown of the calibrated answers (honest), or of the network's own decisions as papers judge them."""
    alarm, majority = ANSWERS[task]
    names = choice("headline" if honest else "paper", alarm=alarm, majority=majority)
    return tuple(name for name in names if not honest or entry(name).name not in NO_MERIT)


def _table_of(shown: TableValues, protocols: Sequence[str]) -> str:
    """A printed table; columns that would be empty are left out."""
    measured = any(cell.measured for cell in shown.cells)
    columns: dict[str, list[str]] = {
        "row": [cell.row for cell in shown.cells],
        "value": [cell.column for cell in shown.cells],
        "published": [printed(cell.published) for cell in shown.cells],
        "recomputed": [number(cell.recomputed) for cell in shown.cells],
    }
    for protocol in protocols if measured else ():
        columns[f"`{protocol}`"] = [shown_estimate(c.measured.get(protocol)) if c.measured else "" for c in shown.cells]
    columns["note"] = [cell.note for cell in shown.cells]
    kept = {name: cells for name, cells in columns.items() if any(cells)}
    return table(tuple(kept), zip(*kept.values(), strict=True))
