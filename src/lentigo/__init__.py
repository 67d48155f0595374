"""Small, calibrated, explained and honestly measured skin-lesion classifiers that run anywhere from one file.

A research tool and not a medical device.
"""

__version__ = "0.1.0"
__all__ = ["__version__"]
