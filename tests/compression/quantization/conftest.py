"""The bundle of the trained run in int8, made once."""

import pytest

from lentigo import compression
from lentigo.runtime import Bundle


@pytest.fixture(scope="session")
def parent(bundle_path):
    return Bundle(bundle_path, threads=1)


@pytest.fixture(scope="session")
def int8(parent, synthetic_records, tmp_path_factory):
    out = tmp_path_factory.mktemp("int8") / "int8.onnx"
    return compression.quantize(parent, synthetic_records, out, images=40)
