"""The predictions table, and everything that is computed from it.

>>> from lentigo import evaluation
>>> table = evaluation.predict_part(run, "test")
>>> evaluation.measure(table, replicates=1000)
"""

from lentigo.errors import needs_extra

with needs_extra("lentigo.evaluation", "data"):
    from lentigo.evaluation.calibration.diagrams import ReliabilityDiagram, reliability_diagram
    from lentigo.evaluation.calibration.recalibration import Recalibration, recalibrate
    from lentigo.evaluation.calibration.temperature import Calibration, calibrate
    from lentigo.evaluation.clinical import conformal, operating_points
    from lentigo.evaluation.clinical.decision_curves import DecisionCurve, decision_curve
    from lentigo.evaluation.clinical.selective import RiskCoverage, risk_coverage
    from lentigo.evaluation.errors.mistake_sheet import draw_mistakes, write_mistakes
    from lentigo.evaluation.errors.mistakes import Mistakes, find_mistakes
    from lentigo.evaluation.evaluate import evaluate
    from lentigo.evaluation.metrics.measure import Metrics, measure
    from lentigo.evaluation.metrics.summary import summarise
    from lentigo.evaluation.ood.rejections import OODRejections, ood_rejections
    from lentigo.evaluation.predict import predict, predict_files, predict_own_part, predict_part
    from lentigo.evaluation.predictions import Predictions
    from lentigo.evaluation.robustness.curves import Robustness, robustness
    from lentigo.evaluation.statistics.comparison import Comparison, compare
    from lentigo.evaluation.statistics.runs import Combined, combine, compare_runs, pool
    from lentigo.evaluation.statistics.tables import combine_tables, compare_tables
    from lentigo.evaluation.subgroups.fairness import Fairness, fairness
    from lentigo.evaluation.subgroups.skin_tone import skin_tones

__all__ = [
    "Calibration",
    "Combined",
    "Comparison",
    "DecisionCurve",
    "Fairness",
    "Metrics",
    "Mistakes",
    "OODRejections",
    "Predictions",
    "Recalibration",
    "ReliabilityDiagram",
    "RiskCoverage",
    "Robustness",
    "calibrate",
    "combine",
    "combine_tables",
    "compare",
    "compare_runs",
    "compare_tables",
    "conformal",
    "decision_curve",
    "draw_mistakes",
    "evaluate",
    "fairness",
    "find_mistakes",
    "measure",
    "ood_rejections",
    "operating_points",
    "pool",
    "predict",
    "predict_files",
    "predict_own_part",
    "predict_part",
    "recalibrate",
    "reliability_diagram",
    "risk_coverage",
    "robustness",
    "skin_tones",
    "summarise",
    "write_mistakes",
]
