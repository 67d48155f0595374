"""What is measured for a report beside the metrics, and what can't be, with the command that would make it."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from lentigo.errors import DataError
from lentigo.evaluation.calibration.diagrams import ReliabilityDiagram, reliability_diagram
from lentigo.evaluation.clinical import conformal, operating_points
from lentigo.evaluation.clinical.conformal import ConformalReport
from lentigo.evaluation.clinical.decision_curves import DecisionCurve, decision_curve
from lentigo.evaluation.clinical.operating_points import OperatingPoint, Performance
from lentigo.evaluation.clinical.selective import RiskCoverage, risk_coverage
from lentigo.evaluation.errors.mistakes import Mistakes, find_mistakes
from lentigo.evaluation.leaks import refuse_same_images
from lentigo.evaluation.ood.rejections import OODRejections, ood_rejections
from lentigo.evaluation.predictions import Predictions
from lentigo.evaluation.provenance import Provenance
from lentigo.evaluation.result import Result
from lentigo.evaluation.robustness.curves import Robustness
from lentigo.evaluation.subgroups.fairness import Fairness, fairness
from lentigo.evaluation.tasks import known_views, task_of, tasks_of
from lentigo.runtime import Bundle

__all__ = ["PREVALENCE", "Evidence", "gather"]

PREVALENCE: Mapping[str, float] = {"melanoma": 0.02, "malignancy": 0.10}
"""Share of positives for which predictive values are worked out where no clinic's own is stated: an illustration."""
SENSITIVITIES = (0.90, 0.95)
"""What thresholds are chosen for on validation predictions."""
ALPHA = 0.10
"""Share of lesions whose conformal set may lack the true diagnosis."""

Found = TypeVar("Found")
Saved = TypeVar("Saved", bound=Result)


class Evidence(Result):
    """What was measured on one table of predictions beside its metrics.

    Attributes:
        prevalence: share of positives by task that predictive values and decision curves are corrected to.
        bundle_points: the bundle's own operating points, applied.
        validation_points: those chosen on the validation predictions, in every known view.
        decision_curves: at the prevalence of the data and at the stated one.
        reliability: of being correct in each known view, and of melanoma.
        conformal, risk_coverage, ood_rejections, fairness, robustness, mistakes: None where they can't be had.
        missing: by the name of what is absent, why, and what would make it.
    """

    prevalence: dict[str, float]
    bundle_points: tuple[Performance, ...]
    validation_points: tuple[Performance, ...]
    decision_curves: tuple[DecisionCurve, ...]
    reliability: tuple[ReliabilityDiagram, ...]
    conformal: ConformalReport | None
    risk_coverage: RiskCoverage | None
    ood_rejections: OODRejections | None
    fairness: Fairness | None
    robustness: Robustness | None
    mistakes: Mistakes | None
    missing: dict[str, str]


def gather(
    predictions: Predictions,
    *,
    folder: Path,
    bundle: Bundle | None = None,
    prevalence: Mapping[str, float] | None = None,
    replicates: int = 1000,
) -> Evidence:
    """Measure all that the predictions, the files beside them and the bundle allow.

    Args:
        predictions: what to measure.
        folder: where they are; validation.parquet, fairness.json and robustness.json beside them are used if they are
            of the same model and images.
        bundle: the model, for its operating points and its OOD threshold.
        prevalence: share of positives in the clinic by task, 'melanoma' and 'malignancy' where the label set knows
            them; without it `PREVALENCE`.
        replicates: bootstrap resamples.

    Raises:
        DataError: a prevalence is stated of a task that the label set doesn't know.
        LeakError: the validation predictions hold images or lesions of the predictions.
    """
    for task in prevalence or {}:
        task_of(predictions, task, two_classes=True)
    known = tasks_of(predictions)
    stated = {task: share for task, share in {**PREVALENCE, **(prevalence or {})}.items() if task in known}
    return _Gatherer(predictions, folder, bundle, stated, replicates).all()


class _Gatherer:
    """Collects evidence, and the reasons why some is missing."""

    def __init__(
        self,
        predictions: Predictions,
        folder: Path,
        bundle: Bundle | None,
        prevalence: Mapping[str, float],
        replicates: int,
    ) -> None:
        self.predictions, self.folder, self.bundle = predictions, folder, bundle
        self.prevalence, self.replicates = dict(prevalence), replicates
        self.views = known_views(predictions)
        self.missing: dict[str, str] = {}

    def all(self) -> Evidence:
        validation = self._validation()
        bundle_points = self._bundle_points()
        return Evidence(
            prevalence=self.prevalence,
            bundle_points=bundle_points,
            validation_points=self._validation_points(validation, bundle_points),
            decision_curves=self._decision_curves(),
            reliability=self._reliability(),
            conformal=self._conformal(validation),
            risk_coverage=self._try("risk_coverage", self._risk_coverage),
            ood_rejections=self._ood_rejections(),
            fairness=self._fairness(),
            robustness=self._robustness(),
            mistakes=self._try("mistakes", lambda: find_mistakes(self.predictions, reference=validation)),
            missing=self.missing,
        )

    def _try(self, name: str, make: Callable[[], Found]) -> Found | None:
        """What can be measured; else the reason is kept."""
        try:
            return make()
        except DataError as error:
            self.missing.setdefault(name, error.message)
            return None

    def _again(self, options: str = "") -> str:
        """The command that evaluates the model again."""
        what, model = self.predictions.meta, self.predictions.meta.get("model", "MODEL")
        if what.get("model_sha256"):
            own = "" if what.get("protocol") == "external" else " --own-test"
            return f"lentigo evaluate {model} --data ROOT{own} --out DIR{options}"
        return "lentigo evaluate RUN"

    def _validation(self) -> Predictions | None:
        """Predictions of the validation part of the same split by the same model."""
        path, meta = self.folder / "validation.parquet", self.predictions.meta
        if not path.is_file():
            if meta.get("protocol") == "external":
                self.missing["validation"] = (
                    "Predictions of the model's own validation part are needed, which external data lack. "
                    "Evaluate it on its own test part as well: lentigo evaluate MODEL --data ITS_DATA --own-test "
                    "--out DIR, and report on that."
                )
            else:
                self.missing["validation"] = (
                    f"Predictions of the validation part, validation.parquet, must be beside the predictions: "
                    f"{self._again()} writes them there."
                )
            return None
        validation = Predictions.load(path)
        keys = ("model", "model_sha256", "split_sha256", "seed")
        same = all(validation.meta.get(k) == meta.get(k) for k in keys) and validation.meta.get("part") == "validation"
        if not same:
            self.missing["validation"] = (
                f"The validation.parquet beside the predictions is of another model or split: {self._again()} makes "
                "both again."
            )
            return None
        refuse_same_images(validation, self.predictions)
        return validation

    def _apply(self, points: tuple[OperatingPoint, ...]) -> tuple[Performance, ...]:
        return tuple(
            operating_points.apply(
                point,
                self.predictions,
                clinical_prevalence=self.prevalence[point.task],
                replicates=self.replicates,
            )
            for point in points
            if point.task in self.prevalence
        )

    def _bundle_points(self) -> tuple[Performance, ...]:
        if self.bundle is None:
            self.missing["bundle_points"] = (
                "The model's own thresholds travel in its bundle: lentigo report PREDICTIONS --bundle MODEL --out DIR."
            )
            return ()
        return self._apply(operating_points.of_bundle(self.bundle.metadata))

    def _validation_points(self, validation: Predictions | None, own: Sequence[Performance]) -> tuple[Performance, ...]:
        """Thresholds for the targets for which the bundle has none: one target, one threshold."""
        if validation is None:
            return ()

        def choose(task: str, wanted: float, view: str) -> OperatingPoint | None:
            return self._try(f"{task} points", lambda: operating_points.choose(validation, task, wanted, at=view))

        taken = {(at.point.task, at.point.target, at.point.view) for at in own}
        asked = [(t, s, v) for t in self.prevalence for s in SENSITIVITIES for v in self.views]
        chosen = [choose(*each) for each in asked if each not in taken]
        return self._apply(tuple(point for point in chosen if point is not None))

    def _decision_curves(self) -> tuple[DecisionCurve, ...]:
        if not self.prevalence:
            self.missing["decision_curves"] = "The label set defines neither melanoma nor which labels are malignant."

        def curve(task: str, share: float | None) -> DecisionCurve | None:
            return self._try(
                "decision_curves",
                lambda: decision_curve(self.predictions, task, prevalence=share, replicates=self.replicates),
            )

        found = [curve(task, share) for task, stated in self.prevalence.items() for share in (None, stated)]
        return tuple(c for c in found if c is not None)

    def _reliability(self) -> tuple[ReliabilityDiagram, ...]:
        alarm = self.predictions.label_set.alarm
        answers = [None] if alarm is None else [None, alarm]
        wanted = [(view, answer) for answer in answers for view in self.views]
        return tuple(
            reliability_diagram(self.predictions, answer=answer, view=view, replicates=self.replicates)
            for view, answer in wanted
        )

    def _conformal(self, validation: Predictions | None) -> ConformalReport | None:
        if validation is None:
            return None
        sets = conformal.calibrate(validation, ALPHA)
        return conformal.assess(sets, self.predictions, replicates=self.replicates)

    def _risk_coverage(self) -> RiskCoverage:
        view = "training_prevalence" if "training_prevalence" in self.views else "equal_prevalence"
        return risk_coverage(self.predictions, at=view, replicates=self.replicates)

    def _ood_rejections(self) -> OODRejections | None:
        if self.bundle is None:
            self.missing["ood_rejections"] = (
                "The OOD threshold travels in the bundle: lentigo report PREDICTIONS --bundle MODEL --out DIR."
            )
            return None
        limit = self.bundle.metadata.ood_score
        if limit is None:
            self.missing["ood_rejections"] = f"{self.bundle.name} computes no OOD score."
            return None
        found = self._try(
            "ood_rejections",
            lambda: ood_rejections(self.predictions, limit.threshold, limit.target_fpr, replicates=self.replicates),
        )
        if found is None:
            self.missing["ood_rejections"] = (
                "The predictions have no OOD score, because a run made them: lentigo evaluate BUNDLE --data ROOT "
                "--own-test --out DIR measures it."
            )
        return found

    def _fairness(self) -> Fairness:
        path = self.folder / "fairness.json"
        if path.is_file():
            saved = _load(Fairness, path)
            if saved.provenance == Provenance.of(self.predictions) and saved.replicates == self.replicates:
                return saved
        return fairness(self.predictions, replicates=self.replicates)

    def _robustness(self) -> Robustness | None:
        path = self.folder / "robustness.json"
        wanted = f"{self._again(' --robustness')} measures it" + (
            "." if self.predictions.meta.get("model_sha256") else ", of a bundle (lentigo export)."
        )
        if not path.is_file():
            self.missing["robustness"] = f"Robustness has not been measured: {wanted}"
            return None
        saved = _load(Robustness, path)
        here, there = Provenance.of(self.predictions), saved.provenance
        keys = ("model_sha256", "split_sha256", "protocol", "part")
        if here.model_sha256 is None or any(getattr(here, k) != getattr(there, k) for k in keys):
            self.missing["robustness"] = f"The robustness.json beside the predictions is of another model: {wanted}"
            return None
        return saved


def _load(kind: type[Saved], path: Path) -> Saved:
    """Read what an evaluation saved.

    Raises:
        DataError: damaged, or of another version.
    """
    try:
        return kind.from_json(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(
            f"{path}: can't be read ({str(error).splitlines()[0]}).", "Delete it, or evaluate again."
        ) from None
