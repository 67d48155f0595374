"""The figures of a model that ships, each from the file that measured it, and only if it measured this very model."""

from collections.abc import Mapping
from pathlib import Path
from statistics import fmean
from typing import Any

from flagships_goals import Measured
from flagships_parts import fold_means, read_json
from lentigo.evaluation import Metrics, Predictions
from lentigo.evaluation.clinical.operating_points import of_bundle
from lentigo.evaluation.subgroups.at_threshold import behind
from lentigo.report.first_screen import MISSES_MORE
from lentigo.runtime import Bundle
from lentigo.runtime.costs import read_costs

__all__ = ["ROWS", "before", "figures"]

ROWS = {
    "bytes": "bytes on disk",
    "macs": "MACs of the whole graph, 600x450 pixels",
    "network_macs": "of them the network's",
    "latency": "latency, one thread",
    "folds": "folds run",
    "balanced_accuracy": "balanced accuracy, balanced prior",
    "balanced_accuracy_training": "balanced accuracy, training prevalence",
    "auc_balanced": "macro AUC, balanced prior",
    "auc": "macro AUC, training prevalence",
    "melanoma_balanced": "melanoma sensitivity at 0.80 specificity, balanced prior",
    "melanoma": "melanoma sensitivity at 0.80 specificity, training prevalence",
    "ece_balanced": "ECE, balanced prior",
    "ece": "ECE, training prevalence",
    "ood_auroc": "OOD: mean AUROC over kinds of wrong images",
    "ood_rejected": "OOD: mean share of wrong images not graded",
    "ood_lesions": "OOD: real lesions flagged",
    "cast": "balanced accuracy lost to the strongest colour cast",
    "blur": "balanced accuracy lost to the strongest blur",
    "phone": "phone pictures: balanced accuracy, and share rejected",
    "behind": "groups more than 8 points behind in melanoma sensitivity",
}
"""Figures of the table, in its order."""
METRICS = {
    "balanced_accuracy": ("balanced_accuracy", "equal_prevalence"),
    "balanced_accuracy_training": ("balanced_accuracy", "training_prevalence"),
    "auc_balanced": ("auc.macro", "equal_prevalence"),
    "auc": ("auc.macro", "training_prevalence"),
    "melanoma_balanced": ("sensitivity_at_80_specificity.mel", "equal_prevalence"),
    "melanoma": ("sensitivity_at_80_specificity.mel", "training_prevalence"),
    "ece_balanced": ("ece", "equal_prevalence"),
    "ece": ("ece", "training_prevalence"),
}
"""Metric and view by figure."""


def figures(bundle: Bundle, results: Path, docs: Path, reference: str) -> dict[str, Measured]:
    """All figures of one model.

    Args:
        bundle: the model.
        results: folder with a folder for each model.
        docs: folder with the model cards.
        reference: whose folds `small` is compared with: a folder of `results`.
    """
    folder, name = results / bundle.name, bundle.name
    found = {"bytes": _number(bundle.path.stat().st_size), **_costs(bundle)}
    found |= _accuracy(folder, bundle)
    found |= _ood(_own(folder / "ood.json", bundle))
    found |= _robustness(_own(folder / "robustness.json", bundle))
    found["phone"] = _phone(_own(folder / "phone.json", bundle))
    found["behind"] = _behind(folder / "predictions.parquet", docs / name / "README.md", bundle)
    of_reference = fold_means(results).get(reference)
    found["reference"] = _mean(of_reference, "balanced_accuracy") if of_reference else _none("no folds")
    return found | before(results)


def before(results: Path) -> dict[str, Measured]:
    """What the goals are relative to: the model that shipped before, as `flagships.py before` kept it."""
    kept = read_json(results / "flagships_before.json")
    if kept is None:
        return {key: _none("no flagships_before.json") for key in (*_BEFORE, "cast_half", "blur_half")}
    ood, robust = _ood(kept["ood"]), _robustness(kept["robustness"])
    halves = {f"{key}_half": _number((robust[key].value or 0) / 2, 3) for key in ("cast", "blur")}
    return {"ood_auroc_before": ood["ood_auroc"], "ood_rejected_before": ood["ood_rejected"], **halves}


_BEFORE = ("ood_auroc_before", "ood_rejected_before")


def _none(reason: str) -> Measured:
    return Measured(None, f"not measured: {reason}")


def _number(value: float, digits: int = 0) -> Measured:
    return Measured(value, f"{value:,.{digits}f}")


def _own(path: Path, bundle: Bundle) -> Any:
    """A saved result of this very model; else a sentence that says why there is none."""
    found = read_json(path)
    if found is None:
        return f"no {path.name}"
    sha256 = found.get("model_sha256") or found.get("provenance", {}).get("model_sha256")
    return found if sha256 == bundle.sha256 else f"{path.name} is of another file"


def _costs(bundle: Bundle) -> dict[str, Measured]:
    costs = read_costs()
    cost = costs.of(bundle.sha256) if costs else None
    if cost is None:
        return dict.fromkeys(("macs", "network_macs", "latency"), _none("benchmarks/latency.py"))
    return {
        "macs": _number(cost.total_macs),
        "network_macs": _number(cost.macs["network"]),
        "latency": Measured(cost.median_ms, f"{cost.median_ms:.2f} ms (90 % under {cost.p90_ms:.2f})"),
    }


def _accuracy(folder: Path, bundle: Bundle) -> dict[str, Measured]:
    """Means over folds where the file is of one of several; else what it reached on its own test part."""
    means = fold_means(folder.parent).get(bundle.name)
    several = means is not None and bundle.sha256 in means["file"]
    saved = _own(folder / "metrics.json", bundle)
    if isinstance(saved, str):
        found = dict.fromkeys([*METRICS, "folds"], _none(saved))
    else:
        metrics = Metrics.model_validate(saved)
        values = {key: metrics.get(name, view=view) for key, (name, view) in METRICS.items()}
        alone = ", fold of the file alone" if several else ""
        found = {key: Measured(value.value, f"{value}{alone}", 1) for key, value in values.items()}
        split = bundle.metadata.split
        found["folds"] = Measured(1, f"fold {split['fold']} of {split['folds']}, the file itself")
    if several:
        found |= {key: _mean(means, key) for key in METRICS if key in means}
        known = [size for size in means["bytes"] if size]
        sizes = f"; files of {min(known):,} to {max(known):,} bytes, where recorded" if known else ""
        found["folds"] = Measured(means["folds"], f"mean of {means['folds']}, the file's own among them{sizes}")
    return found


def _mean(means: Mapping[str, Any], key: str) -> Measured:
    """One figure's mean over folds."""
    return Measured(means[key]["value"], means[key]["text"], means["folds"])


def _ood(saved: Any) -> dict[str, Measured]:
    if isinstance(saved, str):
        return dict.fromkeys(("ood_auroc", "ood_rejected", "ood_lesions"), _none(saved))
    kinds = saved["wrong"].values()
    return {
        "ood_auroc": _number(fmean(kind["auroc"] for kind in kinds), 4),
        "ood_rejected": _number(fmean(kind["not_judged"] for kind in kinds), 4),
        "ood_lesions": _number(saved["lesions"]["all"]["flagged"], 3),
    }


def _robustness(saved: Any) -> dict[str, Measured]:
    """Losses at the strongest perturbation that was measured."""
    if isinstance(saved, str):
        return {"cast": _none(saved), "blur": _none(saved)}
    found = {}
    for key, curve in {"cast": "colour cast", "blur": "blur"}.items():
        last = saved["curves"][curve]["points"][-1]
        change = last["balanced_accuracy_change"]
        interval = "" if change["low"] is None else f" ({-change['high']:.3f} to {-change['low']:.3f})"
        found[key] = Measured(-change["value"], f"{-change['value']:.3f}{interval}, at {last['strength']:g}")
    return found


def _phone(saved: Any) -> Measured:
    if isinstance(saved, str):
        return _none(saved)
    accuracy, rejected = saved["balanced_accuracy"]["value"], saved["all"]["rejected"]["value"]
    return Measured(accuracy, f"{accuracy:.3f}; {rejected:.3f} of {saved['all']['images']:,}")


def _behind(path: Path, card: Path, bundle: Bundle) -> Measured:
    """Groups that the melanoma threshold serves worse; the value counts those that the model's card doesn't name."""
    if not path.is_file():
        return _none(f"no {path.name}")
    predictions = Predictions.load(path)
    if predictions.meta.get("model_sha256") != bundle.sha256:
        return _none(f"{path.name} is of another file")
    points = [point for point in of_bundle(bundle.metadata) if point.task == "melanoma"]
    if not points:
        return _none("no operating point")
    groups = behind(predictions, points[0])
    if not groups:
        return Measured(0, "none")
    text = card.read_text(encoding="utf-8") if card.is_file() else ""
    first = next((line for line in text.splitlines() if f"{MISSES_MORE}: melanoma" in line), "")
    unsaid = [group for group in groups if str(group) not in first or bundle.sha256 not in text]
    said = f"the card doesn't say so of {len(unsaid)}" if unsaid else "the card says so on its first screen"
    return Measured(len(unsaid), f"{len(groups)}: {', '.join(map(str, groups))}; {said}")
