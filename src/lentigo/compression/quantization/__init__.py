"""Weights and activations in fewer bits: int8, fp16 and clusters, and which layers mind."""

from lentigo.compression.quantization.sensitivity import Sensitivity, sensitivity
from lentigo.compression.quantization.steps import cluster, quantize

__all__ = ["Sensitivity", "cluster", "quantize", "sensitivity"]
