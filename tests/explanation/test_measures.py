"""Measures on maps whose figures are known: perfect, wrong, random and constant ones."""

from dataclasses import replace

import numpy as np
import pytest

from lentigo.errors import DataError
from lentigo.explanation import explain
from lentigo.explanation.measures import alike, cascade, deletion, insertion, pointing_game, small_changes, stability


@pytest.fixture
def found(network, picture):
    return explain(picture, "cam", "red", model=network)


class TestFaithfulness:
    def test_curves_begin_and_end_where_they_should(self, network, picture, found):
        whole = network.predict(picture[None]).probabilities[0, 0]
        away, back = deletion(network, picture, found), insertion(network, picture, found)
        assert away.answers[0] == pytest.approx(whole, abs=1e-5)
        assert back.answers[-1] == pytest.approx(whole, abs=1e-5)
        mean = np.broadcast_to(picture.mean((0, 1)).round(), picture.shape).astype(np.uint8)
        assert away.answers[-1] == pytest.approx(network.predict(mean[None]).probabilities[0, 0], abs=1e-3)
        assert away.shares[0] == 0
        assert away.shares[-1] == 1

    def test_the_area_is_that_under_the_curve(self, network, picture, found):
        curve = deletion(network, picture, found, steps=4)
        assert curve.area == pytest.approx((curve.answers[1:] + curve.answers[:-1]).mean() / 2)

    def test_a_right_map_is_more_faithful_than_a_wrong_one(self, network, picture, found):
        wrong = replace(found, map=-found.map)
        assert deletion(network, picture, found).area < deletion(network, picture, wrong).area
        assert insertion(network, picture, found).area > insertion(network, picture, wrong).area

    def test_a_constant_map_is_taken_in_random_order(self, network, picture, found):
        even = replace(found, map=np.zeros((4, 4), np.float32))
        right, wrong = found, replace(found, map=-found.map)
        areas = [deletion(network, picture, m).area for m in (right, even, wrong)]
        assert areas == sorted(areas)

    def test_on_a_bundle(self, bundle_path, synthetic_records):
        from lentigo.explanation import open_model

        model, photo = open_model(bundle_path), synthetic_records.table["path"][0]
        map_ = explain(photo, "cam", model=model)
        assert 0 <= deletion(model, photo, map_, steps=3).area <= 1


class TestLocalisation:
    def test_pointing_game(self, found):
        mask = np.zeros((16, 16), bool)
        mask[:4, :4] = True
        assert pointing_game(found, mask) is True
        assert pointing_game(found, ~mask) is False
        assert pointing_game(replace(found, map=-found.map - 1), mask) is None
        with pytest.raises(DataError, match="empty"):
            pointing_game(found, np.zeros((16, 16)))

    def test_energy_is_quantus(self, network, picture, found):
        quantus = pytest.importorskip("quantus")
        mask = np.zeros((16, 16), bool)
        mask[2:9, 1:7] = True
        theirs = quantus.AttributionLocalisation(disable_warnings=True, abs=False, normalise=False)(
            model=network.network,
            x_batch=network.input(picture).numpy(),
            y_batch=np.array([0]),
            a_batch=found.heat()[None, None],
            s_batch=mask[None, None],
            device="cpu",
        )
        assert found.on_lesion(mask).share == pytest.approx(float(theirs[0]), rel=1e-5)


class TestStability:
    def test_alike(self, found):
        assert alike(found, found) == pytest.approx(1)
        assert alike(found, replace(found, map=-found.map)) == pytest.approx(-1)
        assert alike(found, replace(found, map=3 * found.map + 1)) == pytest.approx(1)  # ranks alone count
        assert alike(found, replace(found, map=np.ones((2, 2)))) is None

    def test_ranks_of_ties_are_means(self, found):
        from scipy.stats import spearmanr

        a, b = (np.random.default_rng(s).integers(0, 4, (8, 8)).astype(np.float32) for s in (0, 1))
        ours = alike(replace(found, map=a), replace(found, map=b))
        assert ours == pytest.approx(spearmanr(a.ravel(), b.ravel()).statistic)

    def test_changes_are_small(self, picture):
        changed = small_changes(picture)
        assert changed.keys() == {"noise", "light", "shift"}
        for name, image in changed.items():
            assert image.shape == picture.shape
            assert image.dtype == np.uint8
            assert (image != picture).any()
            if name != "shift":
                assert np.abs(image.astype(int) - picture).max() <= 12

    def test_a_map_of_few_positions_is_stable(self, network, picture, found):
        found = stability(found, picture, model=network)
        assert min(found["light"], found["shift"]) > 0.9
        assert stability(explain(picture, "cam", "red", model=network), picture, model=network, changes=()) == {}


class TestRandomisation:
    def test_layers_are_random_from_the_last_to_the_first(self, trained_run):
        from lentigo.explanation import open_model

        model = open_model(trained_run)
        before = {k: v.clone() for k, v in model.network.state_dict().items()}
        stages = list(cascade(model, stages=3))
        shares = [share for share, _ in stages]
        assert shares == sorted(shares)
        assert shares[-1] == 1
        kept = [n.network.features[0].weight.equal(before["features.0.weight"]) for _, n in stages]
        assert kept == [True, True, False]
        assert not any(n.network.classifier.weight.equal(before["classifier.weight"]) for _, n in stages)
        for name, value in model.network.state_dict().items():
            assert value.equal(before[name])

    def test_random_networks_maps_differ(self, network, picture, found):
        """The sanity check fails where it should: the mean correlation over random networks is far from 1."""
        likeness = []
        for seed in range(10):
            *_, (_, random) = cascade(network, stages=1, seed=seed)
            likeness.append(alike(found, explain(picture, "cam", "red", model=random)))
        assert np.mean([value or 0 for value in likeness]) < 0.5

    def test_no_stages(self, network):
        with pytest.raises(DataError, match="at least one"):
            list(cascade(network, stages=0))
