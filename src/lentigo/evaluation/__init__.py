"""The predictions table, and everything that is computed from it.

>>> from lentigo import evaluation
>>> table = evaluation.predict_part(run, "test")
>>> evaluation.measure(table, replicates=1000)
"""

from lentigo.errors import MissingExtraError

try:
    from lentigo.evaluation.calibrate import Calibration, calibrate
    from lentigo.evaluation.evaluate import evaluate
    from lentigo.evaluation.metrics import HEADLINE, Metrics, measure
    from lentigo.evaluation.predict import predict, predict_bundle_part, predict_part
    from lentigo.evaluation.predictions import PROBABILITIES, Predictions
    from lentigo.evaluation.summary import summarise
except ModuleNotFoundError as missing:
    if missing.name is None or missing.name.startswith("lentigo"):
        raise
    raise MissingExtraError("lentigo.evaluation", "data") from missing

__all__ = [
    "HEADLINE",
    "PROBABILITIES",
    "Calibration",
    "Metrics",
    "Predictions",
    "calibrate",
    "evaluate",
    "measure",
    "predict",
    "predict_bundle_part",
    "predict_part",
    "summarise",
]
