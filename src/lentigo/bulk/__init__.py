"""Bulk classification: folders, manifests, shards and parquet in, partitioned parquet out, here or on a Ray cluster."""

from lentigo.bulk.classifying import ENGINES, classify
from lentigo.bulk.summary import Summary

__all__ = ["ENGINES", "Summary", "classify"]
