"""Groups are measured as tables of their own, gaps know how many were compared, skin tones say how they were had."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from lentigo import data
from lentigo.evaluation import Predictions, measure
from lentigo.evaluation.metrics.ranges import range_of
from lentigo.evaluation.result import Estimate
from lentigo.evaluation.statistics.intervals import SCALES, interval
from lentigo.evaluation.subgroups.fairness import Fairness, fairness
from lentigo.evaluation.subgroups.skin_tone import BANDS, band, individual_typology_angle, skin_tones
from lentigo.runtime.colour import cielab
from tests.evaluation.imagined import make


@pytest.fixture(scope="module")
def predictions():
    """Two equal sexes, ages, one large and one tiny source, a site where every lesion is a nevus."""
    base = make(600, seed=2, per_lesion=1)
    rng = np.random.default_rng(0)
    table = base.table.assign(
        sex=rng.choice(["female", "male", "unknown"], 600, p=[0.49, 0.49, 0.02]),
        age=rng.choice([*range(0, 90, 5), np.nan], 600),
        site=np.where((base.table["dx"] == "nv") & (rng.random(600) < 0.1), "foot", "back"),
        source=["tiny"] * 6 + ["large"] * 594,
    )
    return Predictions(table, base.meta)


@pytest.fixture(scope="module")
def found(predictions):
    return fairness(predictions, replicates=100)


def test_a_group_is_measured_as_a_table_of_its_own(predictions, found):
    groups = {g.name: g for g in found.factors["sex"].groups}
    for name in ("female", "male"):
        alone = Predictions(predictions.table[predictions.table["sex"] == name], predictions.meta)
        expected = measure(alone)
        assert groups[name].images == len(alone)
        for metric in found.factors["sex"].gaps:
            assert groups[name].values[metric].value == pytest.approx(expected.get(metric).value, abs=1e-12)
    assert found.factors["sex"].unknown == (predictions.table["sex"] == "unknown").sum()


def test_every_image_is_in_a_group_or_unknown(predictions, found):
    assert set(found.factors) == {"sex", "age", "site", "source", "dx_type"}
    for factor in found.factors.values():
        assert sum(g.images for g in factor.groups) + factor.unknown == len(predictions)
    ages = predictions.table["age"]
    bands = [g.name for g in found.factors["age"].groups]
    assert bands == ["0 to 29", "30 to 44", "45 to 59", "60 to 74", "75 and over"]
    assert found.factors["age"].groups[1].images == ((ages >= 30) & (ages < 45)).sum()
    assert found.factors["dx_type"].unknown == len(predictions)  # the table has no such column


def test_too_small_a_group_says_so(found):
    tiny = next(g for g in found.factors["source"].groups if g.name == "tiny")
    assert tiny.lesions == 6
    assert all(v.value is None and "too few lesions" in v.note for v in tiny.values.values())
    gap = found.factors["source"].gaps["recall.mel"]
    assert gap.difference.value is None
    assert "tiny" in gap.difference.note


def test_averages_over_fewer_diagnoses_are_not_compared(found):
    foot = next(g for g in found.factors["site"].groups if g.name == "foot")
    assert "averages are over the other 1" in foot.note
    assert foot.values["auc.mel"].note == "every image shows nv"
    gap = found.factors["site"].gaps["balanced_accuracy"]
    assert gap.difference.value is None
    assert "foot" in gap.difference.note
    assert found.factors["site"].gaps["accuracy"].difference.value is not None


def test_a_gap_is_best_less_worst(found):
    gap = found.factors["age"].gaps["specificity.mel"]
    values = {g.name: g.values["specificity.mel"].value for g in found.factors["age"].groups if g.name in gap.compared}
    assert (gap.best, gap.worst) == (max(values, key=values.get), min(values, key=values.get))
    assert gap.difference.value == pytest.approx(max(values.values()) - min(values.values()))
    assert 0 <= gap.difference.low <= gap.difference.value <= gap.difference.high <= 1


def test_a_proxy_is_called_one(found):
    assert "proxy" in found.factors["dx_type"].about
    assert "NOT a group of patients" in found.factors["dx_type"].about


def test_it_is_the_same_again_and_survives_json(predictions, found):
    assert fairness(predictions, replicates=100) == found
    assert Fairness.from_json(found.to_json()) == found


def test_without_resamples_there_are_values_and_no_gaps(predictions):
    bare = fairness(predictions, replicates=0)
    assert bare.factors["sex"].groups[0].values["auc.mel"].value is not None
    assert bare.factors["sex"].gaps["auc.mel"].difference.value is None


@pytest.mark.parametrize("truth", [[0.8] * 5, [0.9, 0.85, 0.7], [0.8, 0.8]])
def test_the_interval_of_a_range_holds_the_truth(truth):
    """At least 93 times in 100 of 600 simulated sets of groups; it is made to be on the safe side."""
    rng = np.random.default_rng(1)
    n = 400
    held = 0
    for _ in range(600):
        shares = rng.binomial(n, truth) / n
        ends = [interval(s, np.sqrt(s * (1 - s) / n), [n], SCALES["share"]) for s in shares]
        gap = range_of([Estimate(value=s, low=a, high=b) for s, (a, b) in zip(shares, ends, strict=True)])
        held += gap.low <= max(truth) - min(truth) <= gap.high
    assert held / 600 >= 0.93


def test_a_large_difference_is_seen():
    gap = range_of([Estimate(value=0.9, low=0.88, high=0.92), Estimate(value=0.6, low=0.55, high=0.65)])
    assert gap.value == pytest.approx(0.3)
    assert gap.low == pytest.approx(0.3 - np.hypot(0.02, 0.05), abs=1e-6)


def test_bands_of_the_angle():
    assert individual_typology_angle(60, 10) == pytest.approx(45)
    assert [band(a) for a in (60, 50, 30, 20, 0, -40)] == list(BANDS)
    assert band(55) == "light"  # a band ends at its upper angle


@pytest.fixture
def records(tmp_path):
    """Images of one lesion in the middle, on three skins; the first two with masks, one of which covers all."""
    skins = {"pale": (235, 205, 180), "covered": (235, 205, 180), "brown": (120, 80, 55), "blue": (180, 180, 220)}
    (tmp_path / "images").mkdir()
    (tmp_path / "masks").mkdir()
    disc = np.hypot(*np.mgrid[-45:45, -60:60]) < 20
    rows = []
    for i, (name, colour) in enumerate(skins.items()):
        image = np.full((90, 120, 3), colour, dtype=np.uint8)
        image[disc] = (60, 30, 20)
        Image.fromarray(image).save(tmp_path / "images" / f"{name}.png")
        rows.append({"image_id": name, "lesion_id": f"l{i}", "dx": "nv", "path": tmp_path / "images" / f"{name}.png"})
    Image.fromarray(disc).save(tmp_path / "masks" / "pale_segmentation.png")
    Image.fromarray(np.ones_like(disc)).save(tmp_path / "masks" / "covered_segmentation.png")
    table = pd.DataFrame(rows).assign(path=lambda t: t["path"].astype(str))
    return data.Records(data.records.make_table(table), "skins", tmp_path)


def test_skin_outside_the_mask_or_in_the_ring(records):
    tones = skin_tones(records).set_index("image_id")
    lightness, _, yellow = cielab(np.array([235, 205, 180], dtype=np.uint8))
    assert tones.loc["pale", "ita"] == pytest.approx(individual_typology_angle(lightness, yellow))
    assert list(tones["how"]) == ["mask", "mask", "border ring", "border ring"]
    assert tones.loc["brown", "band"] in ("brown", "dark", "tan")
    assert tones.loc["covered", "reason"] == "the mask leaves no skin"
    assert "bluish" in tones.loc["blue", "reason"]
    assert tones.loc[["covered", "blue"], ["ita", "band"]].isna().all(axis=None)


def test_skin_tone_is_a_factor_with_its_limits_said(predictions):
    rng = np.random.default_rng(3)
    ids = predictions.table["image_id"]
    skin = pd.DataFrame({"image_id": ids, "ita": rng.normal(50, 10, len(ids)), "how": "mask", "reason": ""})
    skin["band"] = [band(a) for a in skin["ita"]]
    skin.loc[:4, ["ita", "band"]] = None
    skin.loc[:4, "reason"] = "the mask leaves no skin"
    factor = fairness(predictions, skin=skin, replicates=20).factors["skin_tone"]
    assert factor.unknown == 5
    assert [g.name for g in factor.groups] == [b for b in BANDS if (skin["band"] == b).any()]
    assert "white balance" in factor.about
    assert "595 by lesion mask" in factor.about
    assert "5 without an estimate because the mask leaves no skin" in factor.about
