"""The predictions table, and everything that is computed from it.

>>> from lentigo import evaluation
>>> table = evaluation.predict_part(run, "test")
>>> evaluation.measure(table, replicates=1000)
"""

from lentigo.errors import MissingExtraError

try:
    from lentigo.evaluation import conformal, operating_points
    from lentigo.evaluation.calibrate import Calibration, calibrate
    from lentigo.evaluation.comparison import Comparison, compare
    from lentigo.evaluation.decision_curves import DecisionCurve, decision_curve
    from lentigo.evaluation.diagrams import ReliabilityDiagram, reliability_diagram
    from lentigo.evaluation.evaluate import evaluate
    from lentigo.evaluation.fairness import Fairness, fairness
    from lentigo.evaluation.flags import OddFlags, odd_flags
    from lentigo.evaluation.metrics import HEADLINE, Metrics, measure
    from lentigo.evaluation.mistake_sheet import draw_mistakes, write_mistakes
    from lentigo.evaluation.mistakes import Mistakes, find_mistakes
    from lentigo.evaluation.predict import predict, predict_bundle_part, predict_part
    from lentigo.evaluation.predictions import PROBABILITIES, Predictions
    from lentigo.evaluation.recalibration import Recalibration, recalibrate
    from lentigo.evaluation.robustness import Robustness, robustness
    from lentigo.evaluation.runs import Combined, combine, compare_runs, pool
    from lentigo.evaluation.selective import RiskCoverage, risk_coverage
    from lentigo.evaluation.skin_tone import skin_tones
    from lentigo.evaluation.summary import summarise
    from lentigo.evaluation.tables import combine_tables, compare_tables
except ModuleNotFoundError as missing:
    if missing.name is None or missing.name.startswith("lentigo"):
        raise
    raise MissingExtraError("lentigo.evaluation", "data") from missing

__all__ = [
    "HEADLINE",
    "PROBABILITIES",
    "Calibration",
    "Combined",
    "Comparison",
    "DecisionCurve",
    "Fairness",
    "Metrics",
    "Mistakes",
    "OddFlags",
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
    "odd_flags",
    "operating_points",
    "pool",
    "predict",
    "predict_bundle_part",
    "predict_part",
    "recalibrate",
    "reliability_diagram",
    "risk_coverage",
    "robustness",
    "skin_tones",
    "summarise",
    "write_mistakes",
]
