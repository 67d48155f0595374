"""LiteRT files, as far as they need no interpreter; tests of real ones are in tests/export/test_lite.py."""

import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType

import numpy as np

from lentigo.runtime.litert import _runner


class Interpreter:
    """One that has a single place for its input, as LiteRT's."""

    def __init__(self, model_content, num_threads):
        self.image = None

    def get_signature_runner(self):
        return self

    def get_input_details(self):
        return {"image": {}}

    def __call__(self, image):
        self.image = image
        time.sleep(0.001)
        return {"output_0": self.image.copy()}


def test_threads_take_turns_at_an_interpreter(monkeypatch):
    module = ModuleType("ai_edge_litert.interpreter")
    module.Interpreter = Interpreter
    monkeypatch.setitem(sys.modules, "ai_edge_litert", ModuleType("ai_edge_litert"))
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", module)
    run, together = _runner(Path("model.tflite"), b"", 1), threading.Barrier(8)

    def ask(number):
        together.wait()
        return run(image=np.full(3, number))["output_0"][0]

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ask, range(8))) == list(range(8))
