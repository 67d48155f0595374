"""The comparison with other networks: what its page says of cells, measured or not."""

import argparse
import sys
from pathlib import Path

import pytest

from lentigo.runtime import Bundle, shipped_models

sys.path.insert(0, str(Path(__file__).parent.parent / "benchmarks"))
sys.path.insert(0, str(Path(__file__).parent.parent / "benchmarks" / "peers"))
import compare
import peers_page
from networks import PEERS, quality_of_peer

ROOT = Path(__file__).parent.parent


def cell(kind, name, engine, ms, **more):
    times = {"median_ms": ms, "p5_ms": ms, "p95_ms": ms, "n": 5}
    measured = {"end_to_end": times, "alone": times, "start_up_s": 1.0, "peak_bytes": 10**8, "file_bytes": 1000}
    of = {"kind": kind, "name": name, "engine": engine, "network": PEERS.get(name, "/far/lentigo-s.onnx")}
    return {**of, "batch": 1, "threads": 1, "repeats": 5, **measured, **more}


def measured(ours, rate):
    fine = {"kind": "decode", "threads": 1, "repeats": 5, "images_per_s": 100.0, "decode": {"median_ms": 1.0}}
    peak = {"kind": "peak", "threads": 1, "repeats": 5, "fp32_macs_per_s": 1e10, "int8_macs_per_s": 1e11, "side": 1024}
    return [
        fine,
        peak,
        cell("bundle", "lentigo-s", "lentigo", ours),
        cell("peer", "MobileNetV2-TL", "PyTorch eager", 30.0),
        cell("peer", "MobileNetV2-TL", "ONNX Runtime int8", 6.0),
        {"kind": "peer", "name": "VGG16-TL", "engine": "LiteRT fp32", "repeats": 5, "error": "not measured: no room"},
        {"kind": "folder", "name": "lentigo-s", "threads": 1, "repeats": 5, "count": 10, "images": 10, "seconds": 1.0}
        | {"images_per_s": rate, "peak_bytes": None},
    ]


@pytest.mark.parametrize(("ours", "rate", "said"), [(3.0, 80.0, "held"), (3.1, 79.0, "not held")])
def test_goals_are_computed(ours, rate, said):
    faster, than_int8, folder, start = (goal[3] for goal in peers_page.goals(measured(ours, rate)))
    assert (faster, than_int8, folder) == (said, said, said)
    assert start == "not measured"


def test_goals_without_cells_are_not_measured():
    assert {goal[3] for goal in peers_page.goals([])} == {"not measured"}


def test_the_page_says_what_was_not_measured(tmp_path):
    page = peers_page.write(measured(3.0, 80.0), {"lentigo-s": shipped_models()["lentigo-s"]}, "python x", tmp_path)
    text = page.read_text()
    assert "- peer, VGG16-TL, LiteRT fp32: not measured: no room" in text
    assert "| MobileNetV2-TL | PyTorch eager | 1 | 30.00 (30.00 to 30.00, 5) |" in text
    assert (tmp_path / "flagships.svg").is_file()
    assert "/far" not in (tmp_path / "flagships.json").read_text()


def test_quality_is_read_where_it_was_measured_honestly():
    found = quality_of_peer("compressed_cnn", ROOT / "results")
    assert found.value is not None and found.source.startswith("results/studies/")
    assert quality_of_peer("mobilenetv2_tl", ROOT / "results").text == "not measured"  # of two classes alone
    assert quality_of_peer("vgg16_tl", ROOT / "results").text == "not measured"  # of another size, from random weights


def test_what_another_machine_measured_is_not_shown_as_of_this_one(tmp_path, monkeypatch):
    (tmp_path / "images").mkdir()
    asked = {"kind": "decode", "threads": 1, "repeats": 5, "images": str(tmp_path / "images"), "work": str(tmp_path)}
    options = argparse.Namespace(work=tmp_path, fresh=False, page_only=True)
    compare.keep(tmp_path / "cells" / f"{compare.key(asked)}.json", asked, {"images_per_s": 1.0})
    assert compare.record(asked, options) == {"images_per_s": 1.0}
    monkeypatch.setattr(compare, "machine", lambda *more: "another processor")
    assert compare.record(asked, options) == {"error": "not measured on this machine yet"}


def test_the_floor_of_a_bundle_is_that_of_its_precision():
    found = measured(3.0, 80.0)
    macs = dict.fromkeys(("lentigo-s", "MobileNetV2-TL"), 10**7)
    for integers, row in ((("lentigo-s",), "| 0.100 | 30.0 | int8 |"), ((), "| 1.000 | 3.0 | fp32 |")):
        line = next(x for x in peers_page.floor(found, macs, integers).splitlines() if x.startswith("| lentigo-s "))
        assert line.endswith(row)


def test_weights_in_clusters_are_not_computed_with_in_8_bits():
    described = Bundle(shipped_models()["lentigo-s"], threads=1).metadata
    assert peers_page.in_integers(described)
    clusters = ({"step": "cluster", "clusters": 256, "kept": []},)
    assert not peers_page.in_integers(described.model_copy(update={"compression": clusters}))


def test_a_cell_is_known_by_what_was_asked(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"1")
    asked = {"kind": "decode", "threads": 1, "repeats": 5, "images": str(tmp_path), "work": "/here"}
    assert compare.key(asked) == compare.key({**asked, "work": "/there"})
    assert compare.key(asked) != compare.key({**asked, "threads": 2})
    (tmp_path / "a.jpg").write_bytes(b"12")
    assert compare.key(asked) != compare.key({**asked, "threads": 2})
