"""The leakage experiment: the arms differ in same-lesion images alone, and the page holds what was measured."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from lentigo import data, studies
from lentigo.data.sources import synthetic
from lentigo.errors import DataError, RunError
from lentigo.studies.budgets import budget
from lentigo.studies.leakage import PAIRED, Leakage, _one_nn_study, _pair
from lentigo.studies.leakage_page import _mix
from lentigo.studies.same_lesion import ABSENT, PRESENT, pair_arms
from lentigo.studies.writing import Reproduction


@pytest.fixture
def records(toy_records):
    """60 lesions of three diagnoses, every other with three images."""
    lesions = [f"L{i:02d}" for i in range(60) for _ in range(1 if i % 2 else 3)]
    names = ("nv", "mel", "bkl")
    return toy_records(lesions, [names[int(lesion[1:]) % 3] for lesion in lesions])


@pytest.mark.parametrize("seed", range(3))
def test_the_arms_differ_in_siblings_alone(records, seed):
    arms = pair_arms(records, seed)
    present, absent = arms.splits[PRESENT], arms.splits[ABSENT]
    assert (present.leaky, absent.leaky) == (True, False)
    for part in ("test", "validation"):
        assert set(present.part(part).ids) == set(absent.part(part).ids)
    assert len(present.train) == len(absent.train)
    assert arms.exchanged == len(set(present.train.ids) - set(absent.train.ids))
    lesions = set(present.test.table["lesion_id"])
    assert len(lesions) == len(present.test)  # one image a lesion
    assert lesions <= set(present.train.table["lesion_id"])
    assert not lesions & set(absent.train.table["lesion_id"])
    assert not lesions & set(present.validation.table["lesion_id"])


def test_what_stands_in_has_the_same_diagnoses_where_there_are_enough(records):
    arms = pair_arms(records)
    counts = [split.train.table["dx"].value_counts() for split in arms.splits.values()]
    assert (counts[0] - counts[1]).abs().max() <= 2


def test_lesions_with_one_image_have_no_siblings(toy_records):
    records = toy_records([f"L{i}" for i in range(20)], ["nv", "mel"] * 10)
    with pytest.raises(DataError, match="several images"):
        pair_arms(records)


def test_too_few_others_are_said_to_be(toy_records):
    records = toy_records(["L0"] * 9 + ["L1", "L2"], ["nv"] * 11)
    with pytest.raises(DataError, match="too few"):
        pair_arms(records)


def test_the_page_holds_what_was_measured(synthetic_root, tmp_path):
    (page,) = studies.reproduce("leakage", synthetic_root, tmp_path, budget="quick")
    found = Leakage.from_json((tmp_path / "leakage" / "leakage.json").read_text())
    text = page.read_text()
    assert (tmp_path / "leakage" / "leakage.svg").stat().st_size > 1000
    assert [o.protocol for o in found.networks] == ["oversampled_then_split_leaky", "image_level_leaky", "grouped"]
    for paired in found.paired:
        assert str(paired.difference) in text
        assert paired.difference.value == pytest.approx((paired.gained - paired.lost) / paired.test_images)
        assert paired.difference.value == pytest.approx(paired.present.value - paired.absent.value)
    assert f"{found.networks[0].native.get('accuracy').value:.3f}" in text
    before = text
    assert studies.reproduce("leakage", synthetic_root, tmp_path, budget="quick")[0].read_text() == before
    other = data.read(synthetic.make(tmp_path / "other", lesions=120, seed=7))
    with pytest.raises(RunError, match="of another split, of other or changed data"):
        _pair(PAIRED[0], other, budget("quick"), tmp_path / "leakage" / "paired")
    with pytest.raises(RunError, match=rf"leakage\.json: source, images and seeds.* {len(other)}, \[0\]\) requested"):
        _one_nn_study(other, budget("quick"), tmp_path / "leakage" / "one_nn")
    (tmp_path / "leakage" / "one_nn" / "leakage.json").write_text("[]")
    with pytest.raises(RunError, match="not a 1-NN baseline"):
        _one_nn_study(other, budget("quick"), tmp_path / "leakage" / "one_nn")
    assert data.read(synthetic_root).name in text
    mix, leak = _mix(found)
    first, last = (found.networks[i].native.get("accuracy").value for i in (0, -1))
    assert mix + leak == pytest.approx(first - last)
    assert f"{mix:.3f}" in text
    svg = (tmp_path / "leakage" / "leakage.svg").read_text()
    for outcome in found.networks:  # each bar has its own baseline, and both kinds of accuracy are drawn
        images = outcome.native.provenance.images_of
        assert f"{max(images.values()) / sum(images.values()):.3f}<" in svg
        for metric in ("accuracy", "balanced_accuracy"):
            assert f"{outcome.native.get(metric).value:.3f}<" in svg


def test_the_share_of_the_mix_is_that_of_the_recalls():
    """A leaky test part of equal halves, recalls 0.9 and 0.5; the honest one is nine tenths of the first class."""

    def outcome(images, recalls, accuracy):
        estimates = {f"recall.{c}": SimpleNamespace(value=r) for c, r in recalls.items()}
        estimates["accuracy"] = SimpleNamespace(value=accuracy)
        return SimpleNamespace(native=SimpleNamespace(provenance=SimpleNamespace(images_of=images), get=estimates.get))

    leaky = outcome({"nv": 50, "mel": 50}, {"nv": 0.9, "mel": 0.5}, 0.7)
    honest = outcome({"nv": 90, "mel": 10}, {"nv": 0.8, "mel": 0.1}, 0.73)
    mix, leak = _mix(SimpleNamespace(networks=(leaky, honest)))
    assert mix == pytest.approx(0.7 - 0.86)
    assert leak == pytest.approx(0.86 - 0.73)


def test_recorded_results_can_be_read():
    results = Path(__file__).parents[2] / "results"
    assert Leakage.from_json((results / "leakage.json").read_text()).networks
    for path in sorted((results / "studies").glob("*/study.json")):
        assert Reproduction.from_json(path.read_text()).outcomes, path
