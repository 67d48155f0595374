"""The recipe: values in, values out, and clear words about wrong ones."""

import json
from pathlib import Path

import pytest

from lentigo.errors import DataError, RunError
from lentigo.labels import BINARY, HAM10000, ISIC2019, Label, LabelSet
from lentigo.training import Recipe


def test_it_survives_json():
    recipe = Recipe(size=96, zoom=(0.5, 2.0), balance="none")
    assert Recipe.from_dict(json.loads(json.dumps(recipe.to_dict()))) == recipe


def test_a_file_may_hold_some_entries_and_options_override_it(tmp_path):
    path = tmp_path / "recipe.json"
    path.write_text('{"size": 48, "epochs": 3}')
    assert Recipe.load(path, epochs=5, seed=None) == Recipe(size=48, epochs=5)
    assert Recipe.load() == Recipe()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"sise": 48}', "sise"),
        ("not json", "not a recipe"),
        ("[1]", "not a recipe"),
        ('{"epochs": 3, "epochs": 9}', "'epochs' stands in it twice"),
        ('{"epochs": 0}', "epochs"),
    ],
)
def test_wrong_files_are_named(tmp_path, text, words):
    path = tmp_path / "recipe.json"
    path.write_text(text)
    with pytest.raises(RunError, match=words):
        Recipe.load(path)


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ({"size": 64.5}, ("size is 64.5", "whole number from 8 to 4096")),
        ({"size": 0}, ("size is 0", "from 8")),
        ({"size": None}, ("size is None", "whole number")),
        ({"epochs": "60"}, ("epochs is '60'", "whole number from 1")),
        ({"batch_size": 0}, ("batch_size is 0", "from 1")),
        ({"batch_size": True}, ("batch_size is True", "whole number")),
        ({"mirror": 1}, ("mirror is 1", "true or false")),
        ({"label_smoothing": 1.7}, ("label_smoothing is 1.7", "from 0 to below 1")),
        ({"seed": -1}, ("seed is -1", "from 0 to below 4294967296")),
        ({"learning_rate": float("nan")}, ("learning_rate is nan", "above 0 to 100")),
        ({"learning_rate": float("inf")}, ("learning_rate is inf", "above 0")),
        ({"zoom": (1.2, 0.8)}, ("zoom is (1.2, 0.8)", "smaller magnification first")),
        ({"zoom": (1.0,)}, ("zoom", "")),
        ({"zoom": 1.1}, ("zoom is 1.1", "2 values, each a number above 0")),
        ({"brightness": -0.1}, ("brightness is -0.1", "from 0 to 1")),
        ({"rotation": 270}, ("rotation is 270", "from 0 to 180")),
        ({"plateau_factor": 1.0}, ("plateau_factor is 1.0", "below 1")),
        ({"weight_decay": -0.1}, ("weight_decay is -0.1", "from 0")),
        ({"sise": 48}, ("no entry 'sise'", "Did you mean 'size'")),
        ({"optimizer": "adan"}, ("optimizer is 'adan'", "Did you mean 'adam'")),
        ({"loss": "focall"}, ("Unknown loss 'focall'", "Did you mean 'focal'")),
        ({"loss": {"name": "focal", "params": {"gamma": -1.0}}}, ("gamma is -1.0", "gamma")),
        ({"loss": {"name": "focal", "params": {"gama": 1.0}}}, ("gama", "gamma")),
        ({"callbacks": ["emma"]}, ("Unknown callback 'emma'", "Did you mean 'ema'")),
        ({"callbacks": ["ema"], "ema": 0.9}, ("twice", "callback")),
        ({"augmentations": ["MixUpp"]}, ("MixUpp", "Did you mean 'MixUp'")),
        ({"augmentations": "MixUp"}, ("augmentations is 'MixUp'", "list")),
        ({"augmentations": [{"name": "MixUp", "params": {"alpha": -1.0}}]}, ("alpha", "")),
        ({"augmentations": [{"name": "AddHair", "probability": 1.5}]}, ("probability is 1.5", "")),
        ({"augmentations": ["ShadesOfGrey"]}, ("ShadesOfGrey", "probability below 1")),
        ({"augmentations": ["AddHair"], "frozen_base": True}, ("augmentations would have no effect", "")),
        ({"schedule": "constant", "warmup_epochs": 2}, ("warmup_epochs", "cosine")),
        ({"schedule": "cosine", "epochs": 3, "warmup_epochs": 3}, ("leaves none of 3", "below")),
    ],
)
def test_nonsense_is_refused_with_entry_value_and_range(entries, words):
    with pytest.raises(RunError) as caught:
        Recipe(**entries)
    said = f"{caught.value.message} {caught.value.hint}"
    assert all(word in said for word in words), said


def test_every_number_has_a_range():
    """A new entry can't be left open."""
    for name, field in Recipe.model_fields.items():
        if field.annotation in (int, float):
            assert field.metadata, name


def test_old_files_are_read():
    """As runs and searches wrote them before entries were renamed and losses had names."""
    old = {"size": 32, "loss": "binary", "target": "malignancy", "zoom": [0.9, 1.1], "normalisation": "training"}
    assert Recipe.from_dict(old).loss.name == "binary_cross_entropy"
    assert Recipe.from_dict({"loss": "categorical"}) == Recipe()
    file = Path(__file__).with_name("old_names.json")
    read = Recipe.from_dict(json.loads(file.read_text()))
    assert (read.flip_tta, read.finetune_epochs, read.channel_jitter) == (False, 3, 0.5)


def test_what_another_package_registers_may_be_absent_when_a_run_is_read():
    values = {"callbacks": ["someones_pruning"], "loss": "someones_distillation"}
    assert Recipe.from_dict(values, recorded=True).loss.name == "someones_distillation"
    with pytest.raises(RunError, match="someones"):
        Recipe.from_dict(values)


def test_an_unknown_balance_is_refused():
    with pytest.raises(RunError, match="logit_adjustment"):
        Recipe(balance="magic")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ({"optimizer": "magic"}, "rmsprop"),
        ({"loss": "binary_cross_entropy"}, "malignancy"),
        ({"unfrozen_blocks": 2, "finetune_epochs": 1}, "frozen_base"),
        ({"unfrozen_blocks": 2, "frozen_base": True}, "finetune_epochs"),
    ],
)
def test_what_does_not_go_together_is_refused(entries, words):
    with pytest.raises(RunError) as caught:
        Recipe(**entries)
    assert words in f"{caught.value.message} {caught.value.hint}"


def test_a_recipe_knows_its_outputs_and_whether_it_augments():
    assert Recipe().outputs(HAM10000) == 7
    assert Recipe(target="malignancy").outputs(ISIC2019) == 2
    assert Recipe(target="malignancy", loss="binary_cross_entropy").outputs(HAM10000) == 1
    assert Recipe().outputs(ISIC2019) == 8
    assert Recipe(target="malignancy").learned(ISIC2019) == BINARY
    unknown = LabelSet("mine", (Label("a", "first"), Label("b", "second")))
    with pytest.raises(DataError, match="a, b is not known to be malignant or benign"):
        Recipe(target="malignancy").outputs(unknown)
    still = Recipe(rotation=0, zoom=(1, 1), shift=0, mirror=False, brightness=0, contrast=0, channel_jitter=0)
    assert Recipe().augments
    assert not still.augments
