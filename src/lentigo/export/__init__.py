"""From a trained network to the one-file bundle, verified against it.

>>> from lentigo import export
>>> export.bundle(run, "first.onnx")
"""

from lentigo.errors import needs_extra

with needs_extra("lentigo.export", "train"):
    from lentigo.export.assemble import bundle
    from lentigo.export.convert import convert
    from lentigo.export.fusion import fuse
    from lentigo.export.lite import LiteFile, litert, setup_litert
    from lentigo.export.parity import POLICIES, Parity, Policy, check_parity
    from lentigo.export.refit import recalibrate
    from lentigo.export.summary import summarise
    from lentigo.export.upgrade import upgrade

__all__ = [
    "POLICIES",
    "LiteFile",
    "Parity",
    "Policy",
    "bundle",
    "check_parity",
    "convert",
    "fuse",
    "litert",
    "recalibrate",
    "setup_litert",
    "summarise",
    "upgrade",
]
