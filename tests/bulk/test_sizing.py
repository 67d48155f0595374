"""The pages of `benchmarks/scale.py` and `sizing.py`: their arithmetic."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
import scale_page
import sizing

RATES = {"local 1": (90, 100, 120), "local 2": (140, 150, 160), "ray 1": (80, 80, 80), "ray 2": (100, 125, 130)}
FIGURES = {
    "command": "c",
    "machine": "m",
    "pixels": "8x8 pixels",
    "model": "lentigo-s.onnx",
    "speed": {"images": 9}
    | {f"{run} {i}": {"rate": rate, "start": 2.0} for run, rates in RATES.items() for i, rate in enumerate(rates)},
    "parts": {
        "images": 9,
        "bytes": 20_000,
        "repeats": 5,
        "ms": {"reading the shard": 0.5, "decoding": 1.0, "network": 2.0, "all": 4.0},
    },
}


def test_a_million_images_step_by_step():
    text = sizing.page(FIGURES, [("small", 2, None), ("large", 16, None)])
    assert "| ray, 2 | 125.0 | 2.222 |" in text
    assert "large: 16 / 2 x 125.0 = 1,000.0 images a second; 1,000,000 / 1,000.0 / 3,600 = 0.278 hours" in text
    assert "| small | 2 | 125 | 2.222 | 4.44 |" in text
    assert "| large | 16 | 1,000 | 0.278 | 4.44 |" in text


def test_prices_are_those_that_were_stated():
    text = sizing.page(FIGURES, [("large", 16, 0.9)], "Prices: of a day from a source.", "EUR")
    assert "0.278 x 0.9 = 0.250" in text
    assert "Prices: of a day from a source." in text
    assert "| large | 16 | 1,000 | 0.278 | 4.44 | 0.9 | 0.250 |" in text


def test_what_was_not_measured_is_not_computed():
    with pytest.raises(SystemExit, match="ray with 2 workers was not measured"):
        sizing.page({**FIGURES, "speed": {}}, [("small", 2, None)])


def test_where_the_time_goes():
    text = scale_page.page(FIGURES)
    assert "| network | 50% |" in text
    assert "| the rest: hash, verdict, row, parquet | 12% |" in text
    assert "20.0 kB on average. At the rate of one worker above it reads 2.0 MB a second" in text
