"""Where the numbers come from."""

from lentigo.report.document import Section, Table, Text
from lentigo.report.subject import Subject

__all__ = ["origin"]


def origin(subject: Subject) -> Section:
    """Where the numbers come from."""
    metrics, what = subject.metrics, subject.metrics.provenance
    leaky = {True: "YES", False: "no", None: "unknown"}[what.leaky]
    rows = [
        ("model", subject.name),
        ("data", f"{subject.data}, part {what.part or 'unknown'}"),
        ("images, lesions", f"{what.images:,}, {what.groups:,}"),
        ("protocol", f"{what.protocol or 'unknown'}, fold {subject.predictions.meta.get('fold', 'unknown')}"),
        ("leaky", leaky),
        ("split SHA-256", what.split_sha256 or "unknown"),
        ("model SHA-256", what.model_sha256 or "unknown"),
        ("predictions SHA-256", subject.sha256),
        ("intervals", f"{metrics.level:.0%}, {metrics.replicates:,} resamples of lesions, seed {metrics.seed}"),
    ]
    environment = subject.predictions.meta.get("environment")
    if isinstance(environment, dict):
        rows.append(("made with", ", ".join(f"{k} {v}" for k, v in environment.items())))
    table = Table(
        caption="Intervals cover other lesions of the same case mix, not another clinic, camera or training run.",
        columns=("what", "value"),
        rows=tuple(rows),
    )
    warnings = tuple(Text(text=warning) for warning in what.warnings)
    return Section(name="origin", title="Provenance: where these numbers come from", blocks=(*warnings, table))
