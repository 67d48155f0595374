"""The demo, made small: the whole path, and going on after an interruption."""

from pathlib import Path

import pytest

from lentigo import demo as module


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(module, "SYNTHETIC_LESIONS", 130)
    monkeypatch.setattr(module, "SYNTHETIC_EPOCHS", 1)
    monkeypatch.setattr(module, "PICTURES", 3)


def test_it_makes_everything_it_names_and_goes_on_where_it_was(tmp_path, capsys):
    report = module.demo(tmp_path / "demo")
    assert "SYNTHETIC" in report
    for line in report.splitlines():
        if line.startswith("  "):
            assert Path(line.split()[-1]).exists(), line
    assert len(list((tmp_path / "demo" / "explained").glob("*.png"))) == 3
    weights = (tmp_path / "demo" / "run" / "network.safetensors").stat().st_mtime_ns
    capsys.readouterr()
    module.demo(tmp_path / "demo")
    assert (tmp_path / "demo" / "run" / "network.safetensors").stat().st_mtime_ns == weights
