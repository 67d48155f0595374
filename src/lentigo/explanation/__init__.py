"""Why a model answers as it does: maps of the evidence by many methods, in one form, and whether they can be believed.

What works on any model (class-activation maps, occlusion, RISE) needs no torch. What looks inside the network needs the
run that a bundle was exported from.
"""

from lentigo.explanation.explaining import explain, of_verdict
from lentigo.explanation.files import ExplainedFile, explain_files
from lentigo.explanation.methods import METHODS, Method, parse_settings
from lentigo.explanation.opening import open_model
from lentigo.explanation.pictures import draw_explanation, save_explanation
from lentigo.explanation.result import Explanation

__all__ = [
    "METHODS",
    "ExplainedFile",
    "Explanation",
    "Method",
    "draw_explanation",
    "explain",
    "explain_files",
    "of_verdict",
    "open_model",
    "parse_settings",
    "save_explanation",
]
