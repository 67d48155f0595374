"""Whether it serves some people, sites and cameras worse: each group's metrics, counts and gaps."""

from lentigo.evaluation.catalogue import PRIORS
from lentigo.evaluation.provenance import Provenance
from lentigo.evaluation.subgroups.fairness import Factor, Fairness
from lentigo.report.document import Block, Forest, Section, Table, Text, Whisker
from lentigo.report.subject import Subject
from lentigo.report.words import number, plural

__all__ = ["groups"]

TITLES = {
    "sex": "Sex",
    "age": "Age, years",
    "site": "Body site",
    "source": "Source",
    "dx_type": "Diagnosis confirmation (a proxy, not a group of people)",
    "skin_tone": "Estimated skin tone (approximate)",
}


def groups(subject: Subject) -> Section:
    """A figure of one metric over all groups, the gaps, and a table for each factor."""
    found = subject.evidence.fairness
    title = "Subgroups: who is in these images, and is it worse for some?"
    known = {k: f for k, f in found.factors.items() if f.groups} if found else {}
    if found is None or not known:
        text = (
            "The predictions have no patient metadata: no sex, age, body site or source. Put a metadata table beside "
            "the images and evaluate again."
        )
        return Section(name="people", title=title, blocks=(Text(text=text),))
    alarm = found.provenance.label_set.alarm
    forests = [] if alarm is None else [_forest(found, known, alarm)]
    drawn = [f for f in forests if f.rows]  # none without a group that has both kinds of lesion
    blocks: list[Block] = [*drawn, *_gaps(known, found.provenance)]
    blocks += [_table(factor, f, subject) for factor, f in known.items()]
    unknown = [TITLES[k].lower() for k in found.factors if k not in known]
    if unknown:
        blocks.append(Text(text=f"Unknown for every image: {', '.join(unknown)}."))
    return Section(name="people", title=title, blocks=tuple(blocks))


def _forest(found: Fairness, known: dict[str, Factor], alarm: str) -> Forest:
    rows, name = list[Whisker](), found.provenance.label_set[alarm].name
    for factor, f in known.items():
        measured = [g for g in f.groups if g.values[f"auc.{alarm}"].value is not None]
        if measured:
            rows.append(Whisker(name=TITLES[factor].partition(" (")[0], heading=True))
        for g in measured:
            e = g.values[f"auc.{alarm}"]
            rows.append(
                Whisker(
                    name=f"{g.name} ({g.lesions_of[alarm]} of {g.lesions:,})", value=e.value, low=e.low, high=e.high
                )
            )
    ends = [v for r in rows for v in (r.low, r.value) if v is not None]
    return Forest(
        name="melanoma-by-group",
        title=f"AUC for {name}, by subgroup",
        caption=f"AUC: how often a {name} of the group is ranked above another lesion of the group; 0.5 is chance. "
        f"In brackets lesions that are {plural(name)}, of all lesions. Where a group has few of them its interval is "
        "wide and inconclusive. Groups of fewer than 10 lesions have no numbers. "
        f"{found.replicates:,} resamples.",
        x_label=f"{found.provenance.label(f'auc.{alarm}')}, {PRIORS['equal_prevalence']}",
        rows=tuple(rows),
        x_range=(min(0.5, *ends, 0.5), 1.0),
    )


def _gaps(known: dict[str, Factor], what: Provenance) -> list[Block]:
    rows = []
    for factor, f in known.items():
        for metric in what.shown("group"):
            gap = f.gaps[metric]
            if gap.best is None or gap.difference.value is None:
                continue
            difference = gap.difference
            beyond = "yes" if difference.low else "not shown"
            rows.append(
                (
                    f"{TITLES[factor].partition(' (')[0]}: {what.label(metric)}",
                    gap.best,
                    gap.worst or "",
                    str(difference),
                    beyond,
                )
            )
    if not rows:
        return [Text(text="No two groups can be compared: too few lesions, or missing diagnoses.")]
    return [
        Table(
            caption="The gap between the best and the worst group. Its interval accounts for having selected them from "
            "all. 'Not shown' is not 'equal': with few lesions a real gap can go undetected. Groups that lack a "
            "diagnosis, or have too few lesions for an interval, are left out of a comparison.",
            columns=("gap", "best", "worst", "difference", "beyond chance"),
            rows=tuple(rows),
        )
    ]


def _table(factor: str, found: Factor, subject: Subject) -> Table:
    n, what = len(subject.predictions), subject.metrics.provenance
    counted = [c for c in (what.label_set.alarm,) if c is not None]
    unknown = f" Unknown: {found.unknown:,} of {n:,} images." if found.unknown else ""
    return Table(
        caption=f"{TITLES[factor]}. {found.about}{unknown}",
        columns=(
            "group",
            "images",
            "lesions",
            *(plural(what.label_set[c].name) for c in counted),
            *map(what.label, what.shown("group")),
            "note",
        ),
        rows=tuple(
            (
                g.name,
                f"{g.images:,} ({g.images / n:.0%})",
                f"{g.lesions:,}",
                *(f"{g.lesions_of[c]:,}" for c in counted),
                *(number(g.values[m]) if not g.note.startswith("too few") else "–" for m in what.shown("group")),
                g.note,
            )
            for g in found.groups
        ),
    )
