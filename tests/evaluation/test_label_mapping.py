"""A model and data of other labels meet through a stated mapping, and through nothing else."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from lentigo.data import Records
from lentigo.data.records import make_table
from lentigo.errors import DataError
from lentigo.evaluation.label_mapping import MappedPredictor, meet
from lentigo.evaluation.predictions import Predictions
from lentigo.evaluation.provenance import Provenance
from lentigo.labels import BINARY, HAM10000, ISIC2019, Label, LabelSet, find_mapping
from lentigo.runtime import IdSet, Origin, Outputs
from tests.evaluation.imagined import make


def model(labels: LabelSet):
    """A model that always gives 1, 2, 3, ... in proportion."""
    share = np.arange(1, len(labels) + 1) / sum(range(1, len(labels) + 1))
    nobody = IdSet.of([])
    prior = tuple(np.full(len(labels), 1 / len(labels)))
    return SimpleNamespace(
        name="m",
        sha256="0" * 64,
        labels=labels,
        size=8,
        origin=Origin("d", {}, prior, 1.0, nobody, nobody, nobody),
        predict=lambda images: Outputs(np.tile(share, (len(images), 1)).astype(np.float32), None, None),
    )


def records(labels: LabelSet) -> Records:
    ids = [f"i{c}" for c in labels.classes]
    rows = pd.DataFrame({"image_id": ids, "dx": list(labels.classes), "path": ids})
    return Records(make_table(rows, labels), "data", Path("data"), label_set=labels)


def test_the_same_labels_need_nothing():
    one, some = model(HAM10000), records(HAM10000)
    met = meet(one, some)
    assert (met.model, met.records, met.mappings, met.summed) == (one, some, (), False)
    assert meet(one, some, "ham10000").mappings == ()


def test_other_labels_without_a_mapping_are_refused_by_both_names():
    with pytest.raises(DataError, match=r"labels of ISIC2019 .*, m distinguishes HAM10000") as caught:
        meet(model(HAM10000), records(ISIC2019))
    assert "--map NAME" in caught.value.hint
    assert "--map FILE" in caught.value.hint
    with pytest.raises(DataError, match="labels of HAM10000"):
        meet(model(BINARY), records(HAM10000))


def test_the_datas_labels_are_mapped_and_what_has_no_place_is_left_out():
    met = meet(model(HAM10000), records(ISIC2019), "ham10000")
    assert met.model.labels == met.records.label_set == HAM10000
    assert met.records.problem_counts() == {"scc has no target in HAM10000": 1}
    assert met.mappings == ("ISIC2019 to HAM10000: ak -> akiec; scc left out",)
    assert not met.summed


def test_the_models_probabilities_are_summed():
    met = meet(model(HAM10000), records(ISIC2019), "binary")
    assert met.records.counts() == {"benign": 4, "malignant": 4}
    assert isinstance(met.model, MappedPredictor)
    assert met.model.predict(np.zeros((2, 4, 4, 3), np.uint8)).probabilities == pytest.approx(
        np.tile([(3 + 4 + 6 + 7) / 28, (1 + 2 + 5) / 28], (2, 1))
    )
    assert met.model.sha256 != met.sha256 == "0" * 64
    assert met.model.origin.training_prevalence == pytest.approx((4 / 7, 3 / 7))
    assert met.summed


def test_sums_are_given_in_the_one_view_that_they_have():
    table = make(20)
    met = meet(model(HAM10000), records(ISIC2019), "binary")
    pooled = find_mapping("binary", HAM10000)
    columns = pd.DataFrame(pooled.probabilities(table.probabilities), columns=["p_benign", "p_malignant"])
    mapped = pd.concat([table.table[["image_id", "lesion_id"]], columns], axis=1)
    mapped["dx"] = pooled.ids(table.table["dx"])
    said = met.described(Predictions(mapped, {"training_prevalence": [0.5, 0.5], "label_set": BINARY.to_dict()}))
    assert said.meta["training_prevalence"] is None
    warnings = " ".join(Provenance.of(said).warnings)
    assert "Labels mapped as stated: ISIC2019 to BINARY" in warnings
    assert "sums by that mapping" in warnings


def test_a_file_maps_in_the_direction_of_its_labels(tmp_path):
    two = LabelSet("mine", (Label("bad", "to be seen"), Label("good", "to be left")))
    path = tmp_path / "map.csv"
    path.write_text("from,to\nmalignant,bad\nbenign,good\n")
    of_data = meet(model(two), records(BINARY), path)
    assert of_data.records.table["dx"].tolist() == ["good", "bad"]
    of_model = meet(model(BINARY), records(two), path)
    assert of_model.model.labels == two
    assert of_model.summed
    path.write_text("from,to\nmalignant,bad\n")
    with pytest.raises(DataError, match=r"map\.csv: .*has no target for benign"):
        meet(model(two), records(BINARY), path)


def test_a_model_of_malignancy_takes_that_of_its_own_data():
    assert meet(model(BINARY), records(HAM10000), own=True).records.counts() == {"benign": 4, "malignant": 3}


def test_labels_in_another_order_are_the_same_labels():
    turned = LabelSet("turned", HAM10000.labels[::-1], melanoma="mel")
    met = meet(model(HAM10000), records(turned))
    assert met.records.label_set == HAM10000
    assert sorted(met.records.labels.tolist()) == list(range(7))


def test_an_unknown_name_gets_the_known_ones():
    with pytest.raises(DataError, match="Unknown label set 'ham'"):
        meet(model(HAM10000), records(ISIC2019), "ham")
