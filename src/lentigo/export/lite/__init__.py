"""LiteRT files (.tflite) from bundles, made by litert-torch in an environment of its own, which caps torch."""

from lentigo.export.lite.environment import setup_litert
from lentigo.export.lite.write import LiteFile, litert

__all__ = ["LiteFile", "litert", "setup_litert"]
