"""Weights and activations in fewer bits: int8, fp16 and clusters, and which layers mind."""

from lentigo.compression.quantization.learned import learned_ranges
from lentigo.compression.quantization.sensitivity import Sensitivity, sensitivity
from lentigo.compression.quantization.steps import cluster, quantize

__all__ = ["Sensitivity", "cluster", "learned_ranges", "quantize", "sensitivity"]
