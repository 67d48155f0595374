"""The approximate search accepts what the exact one accepts, misses little, and says how much."""

import json
import sys

import numpy as np
import pytest

from lentigo import audit
from lentigo.audit.duplicates import approximate, recall
from lentigo.audit.duplicates.local_features import Features, count_consistent
from lentigo.audit.duplicates.perceptual import hash_signs, similar_hashes
from lentigo.errors import DataError, MissingExtraError


@pytest.fixture(scope="module")
def prints(synthetic_records):
    return audit.take_fingerprints(synthetic_records)


@pytest.fixture
def clusters(monkeypatch):
    """Indexes with clusters, as of many images."""
    monkeypatch.setattr(approximate, "SMALL", 20)
    monkeypatch.setattr(approximate, "CHUNK", 64)
    monkeypatch.setattr(recall, "PROBES", 12)


def test_without_clusters_the_same_hashes_are_similar(prints):
    exact = similar_hashes(hash_signs(prints.thumbnails), 8)
    assert approximate.similar_hashes(prints.thumbnails, 8).tolist() == exact.tolist()
    half = len(prints) // 2
    between = approximate.similar_hashes_between(prints.thumbnails[:half], prints.thumbnails[half:], 8)
    wanted = [[i, j - half] for i, j in exact.tolist() if i < half <= j]
    assert set(map(tuple, wanted)) <= set(map(tuple, between.tolist()))


def test_it_accepts_by_the_same_tests_and_says_what_it_misses(synthetic_records, prints, clusters):
    found, measured = audit.find_with_recall(synthetic_records, prints, "approximate")
    rows = {image_id: row for row, image_id in enumerate(prints.ids)}
    assert found
    for d in found:
        features = [prints.features[rows[name]] for name in (d.first, d.second)]
        assert d.kind != "view" or d.score == count_consistent(*features, 10)
    assert [r.kind for r in measured] == ["resized", "recompressed", "mirrored", "cropped"]
    assert all(r.made == 12 for r in measured)
    assert all(r.found >= 10 for r in measured if r.kind != "cropped"), measured


def test_the_report_says_which_search_it_was(synthetic_records, prints, clusters, tmp_path, monkeypatch):
    found = audit.audit(synthetic_records, prints)
    assert found.search == "exact"
    assert "Exact search" in str(found)
    monkeypatch.setattr(sys.modules["lentigo.audit.auditing"], "MOST_EXACT", 10)
    found = audit.audit(synthetic_records, prints)
    found.save(tmp_path / "out")
    saved = json.loads((tmp_path / "out" / "audit.json").read_text())["summary"]
    assert saved["search"] == "approximate"
    assert saved["recall"]["resized"]["made"] == 12
    for text in (str(found), (tmp_path / "out" / "audit.html").read_text()):
        assert "Approximate search: some duplicates are missed" in text
        assert f"resized {saved['recall']['resized']['found']} of 12" in text


def test_images_without_features_are_near_nothing():
    empty = Features(np.zeros((0, 2), np.float32), np.zeros((0, 128), np.uint8))
    assert approximate.near_images([empty] * 3, 2).shape == (0, 2)


def test_neighbours_of_other_data_sets_alone(prints):
    sources = np.arange(len(prints)) % 2
    pairs = approximate.near_images(prints.features, 3, sources)
    assert len(pairs)
    assert (sources[pairs[:, 0]] != sources[pairs[:, 1]]).all()


def test_what_is_refused(synthetic_records, prints, monkeypatch):
    with pytest.raises(DataError, match="Did you mean 'approximate'"):
        audit.audit(synthetic_records, prints, search="aproximate")
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(MissingExtraError, match="cluster"):
        audit.audit(synthetic_records, search="approximate")
