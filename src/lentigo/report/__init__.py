"""Reports that people want to read, made from predictions tables alone.

>>> from lentigo.report import report
>>> report(["runs/first/predictions.parquet"], "runs/first/report", bundle="first.onnx")
"""

from lentigo.errors import needs_extra

with needs_extra("lentigo.report", "data"):
    from lentigo.report.make import report

__all__ = ["report"]
