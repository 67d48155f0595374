"""Licences and citations of all that a model has learned from."""

from dataclasses import replace

from lentigo.export.assemble import _describe
from lentigo.runtime import IdSet
from lentigo.runtime.origins import citations, licences

PRE = {"run": {"data": "isic", "licence": "CC BY-NC 4.0", "citation": "Combalia", "start": {"source": "imagenet"}}}


def test_what_the_start_has_learned_from_counts():
    assert citations("Tschandl", {}) == "Tschandl"
    assert citations("Tschandl", PRE) == "Tschandl Combalia"
    assert citations("Combalia. Tschandl", PRE) == "Combalia. Tschandl"
    assert citations("Combalia", {"run": {"citation": "Combalia. Tschandl"}}) == "Combalia. Tschandl"
    assert citations("Combalia", PRE) == "Combalia"
    assert citations("Tschandl", {"source": "pruned", "parent_start": PRE}) == "Tschandl Combalia"
    assert licences("ham", "CC BY-NC 4.0", PRE) == "CC BY-NC 4.0"
    assert licences("ham", "CC0 1.0", PRE) == "ham: CC0 1.0; isic: CC BY-NC 4.0"
    assert licences("ham", "CC0 1.0", {"run": {"data": "clinic"}}) == "ham: CC0 1.0; clinic: not stated"
    assert licences("ham", "", {}) == ""


def test_a_bundle_states_them(trained_run):
    nothing = IdSet({}).encode()
    start = {"source": "first", "sha256": "a" * 64, "run": {**PRE["run"], "learned": nothing, "seen": nothing}}
    described = _describe(replace(trained_run, start=start), "tiny", 1)
    assert described.citation == "Combalia"
    assert described.licence == "Weights: synthetic: CC0-1.0; isic: CC BY-NC 4.0. Code: Apache-2.0."
