"""Nothing reports to anyone: ONNX Runtime's telemetry leaves its session file where it runs."""

import os
import subprocess
import sys

import pytest


def leaves(tmp_path, code: str) -> list[str]:
    environment = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    subprocess.run([sys.executable, "-c", code], check=True, env={**environment, "TMPDIR": str(tmp_path)})
    return [path.name for path in tmp_path.iterdir()]


@pytest.mark.parametrize("code", ["import lentigo.runtime", "import lentigo, onnxruntime"])
def test_lentigo_switches_telemetry_off(tmp_path, code):
    assert leaves(tmp_path, code) == []
