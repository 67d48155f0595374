"""The bundle of the trained run in int8, made once."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from lentigo import compression
from lentigo.export.parity import POLICIES
from lentigo.runtime import Bundle


@contextmanager
def ties_decided_otherwise() -> Iterator[None]:
    """A network of two epochs has images between two diagnoses, which rounding decides by the machine's arithmetic."""
    lenient = replace(POLICIES["int8"], same_top_class=0.8)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("lentigo.export.parity.POLICIES", {**POLICIES, "int8": lenient})
        yield


@pytest.fixture(autouse=True)
def _ties() -> Iterator[None]:
    with ties_decided_otherwise():
        yield


@pytest.fixture(scope="session")
def parent(bundle_path):
    return Bundle(bundle_path, threads=1)


@pytest.fixture(scope="session")
def int8(parent, synthetic_records, tmp_path_factory):
    out = tmp_path_factory.mktemp("int8") / "int8.onnx"
    with ties_decided_otherwise():
        return compression.quantize(parent, synthetic_records, out, images=40)
