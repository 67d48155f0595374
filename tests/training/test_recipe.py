"""The recipe: values in, values out, and clear words about wrong ones."""

import json

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
    [('{"sise": 48}', "sise"), ("not json", "not a recipe"), ("[1]", "not a recipe"), ('{"epochs": 0}', "epochs")],
)
def test_wrong_files_are_named(tmp_path, text, words):
    path = tmp_path / "recipe.json"
    path.write_text(text)
    with pytest.raises(RunError, match=words):
        Recipe.load(path)


def test_an_unknown_balance_is_refused():
    with pytest.raises(RunError, match="logit_adjustment"):
        Recipe(balance="magic")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ({"optimizer": "magic"}, "rmsprop"),
        ({"loss": "binary"}, "malignancy"),
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
    assert Recipe(target="malignancy", loss="binary").outputs(HAM10000) == 1
    assert Recipe().outputs(ISIC2019) == 8
    assert Recipe(target="malignancy").learned(ISIC2019) == BINARY
    unknown = LabelSet("mine", (Label("a", "first"), Label("b", "second")))
    with pytest.raises(DataError, match="a, b is not known to be malignant or benign"):
        Recipe(target="malignancy").outputs(unknown)
    still = Recipe(rotation=0, zoom=(1, 1), shift=0, mirror=False, brightness=0, contrast=0, channel_jitter=0)
    assert Recipe().augments
    assert not still.augments
