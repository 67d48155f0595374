"""Reports that people want to read, made from predictions tables alone.

>>> from lentigo.report import report
>>> report(["runs/first/predictions.parquet"], "runs/first/report", bundle="first.onnx")
"""

from lentigo.errors import MissingExtraError

try:
    from lentigo.report.make import report
except ModuleNotFoundError as missing:
    if missing.name is None or missing.name.startswith("lentigo"):
        raise
    raise MissingExtraError("lentigo.report", "data") from missing

__all__ = ["report"]
