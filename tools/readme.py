"""Write what README shows of the models that ship and of the leak study: the tables between marks, and the picture.

python tools/readme.py

The models' figures are those of the bundles' own metadata and of src/lentigo/weights/costs.json, which
benchmarks/latency.py counts and measures. The leak study's table stands in results/leakage.md. The picture is what
`lentigo classify --explain` draws for a synthetic lesion.
"""

import shutil
import tempfile
from pathlib import Path

from lentigo.data.sources import synthetic
from lentigo.render import markdown
from lentigo.runtime import Bundle, classify_files, shipped_models
from lentigo.runtime.costs import Cost, read_costs

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
PICTURE = ROOT / "docs" / "heatmap.png"
LESION = "ISIC_9000074.jpg"
METRICS = {
    "balanced_accuracy": "balanced accuracy",
    "auc.macro": "macro AUC",
    "sensitivity_at_80_specificity.mel": "melanoma sensitivity at 0.80 specificity",
}


def main() -> None:
    """Write all of it."""
    README.write_text(filled(README.read_text(encoding="utf-8")), encoding="utf-8")
    draw()


def filled(readme: str) -> str:
    """README with the tables as they are now."""
    for name, text in {"models": model_table(), "leak": leak_table()}.items():
        start, end = f"<!-- {name}:start, written by tools/readme.py -->", f"<!-- {name}:end -->"
        before, rest = readme.split(start)
        readme = f"{before}{start}\n\n{text}\n\n{end}{rest.split(end)[1]}"
    return readme


def leak_table() -> str:
    """The network of a published study, by the way of splitting."""
    page = (ROOT / "results" / "leakage.md").read_text(encoding="utf-8")
    return page.split("\n## The 28x28 network\n")[1].split("\n## ")[0].strip()


def model_table() -> str:
    """A row for each model that ships, and how the figures came about."""
    costs = read_costs()
    bundles = [Bundle(path, threads=1) for path in shipped_models().values()]
    head = ("model", "file", "parameters", "MACs of the graph", *METRICS.values(), "latency")
    found = {bundle.name: costs.of(bundle.sha256) if costs else None for bundle in bundles}
    rows = [row(bundle, found[bundle.name]) for bundle in bundles]
    notes = [
        f"{b.name}: {b.metadata.split['images']['test']:,} test images of {b.metadata.source}, "
        f"protocol {b.metadata.split['protocol']}, fold {b.metadata.split['fold']}{resize(found[b.name])}."
        for b in bundles
    ]
    measured = (
        f" MACs and latency are of an image of {costs.image[1]}x{costs.image[0]} pixels; latency: median {costs.what}, "
        f"n = {costs.n}; {costs.machine}."
        if costs
        else ""
    )
    return f"{markdown.table(head, rows)}\n\n{' '.join(notes)} At the balanced prior, with intervals of 95 %.{measured}"


def resize(cost: Cost | None) -> str:
    """What crop and resize take of the operations."""
    return f"; crop and resize take {cost.macs['preprocessing'] / 1e6:.0f} M of its MACs" if cost else ""


def row(bundle: Bundle, cost: Cost | None) -> list[str]:
    """What one model takes and reaches."""
    described = bundle.metadata
    measured = described.metrics.get("equal_prevalence", {})
    return [
        bundle.name,
        f"{bundle.path.stat().st_size / 1e6:.2f} MB",
        f"{described.parameters:,}",
        f"{cost.total_macs / 1e6:.0f} M" if cost else "not counted",
        *(interval(measured.get(metric)) for metric in METRICS),
        f"{cost.median_ms:.1f} ms" if cost else "not measured",
    ]


def interval(found: dict[str, float | None] | None) -> str:
    """A metric, with its interval where it has one."""
    if found is None or found["value"] is None:
        return "not measured"
    if found.get("low") is None:
        return f"{found['value']:.3f}"
    return f"{found['value']:.3f} ({found['low']:.3f} to {found['high']:.3f})"


def draw() -> None:
    """The picture."""
    with tempfile.TemporaryDirectory() as folder:
        lesions = synthetic.make(Path(folder) / "lesions", lesions=60, seed=0)
        list(classify_files([str(lesions / "images" / LESION)], explain=Path(folder)))
        shutil.copyfile(next(Path(folder).glob("*.heatmap.png")), PICTURE)


if __name__ == "__main__":
    main()
