"""Procedural dermoscopy-like lesions, for demonstrations and tests: no patient, and no evidence of anything.

Seven classes that differ in visible dermoscopic structure, drawn from a seed and written in the layout of HAM10000.

Structures after Kittler et al., 'Standardization of terminology in dermoscopy/dermatoscopy', J Am Acad Dermatol
74:1093-1106, 2016.
"""

from lentigo.data.sources.synthetic.folder import detect, make, read

__all__ = ["LAYOUT", "PRECEDENCE", "detect", "make", "read"]

LAYOUT = "a folder of synthetic lesions, with SYNTHETIC.txt"
PRECEDENCE = 10
