import pytest
import torch

from lentigo.data import augment
from lentigo.data.augment import Augmentation, Mixing, Sometimes
from lentigo.errors import DataError


def test_every_public_augmentation_has_a_name_and_works_by_it():
    building_blocks = {"Augmentation", "Compose", "Mixing", "Sometimes"}
    kinds = {k.__name__ for n in augment.__all__ if isinstance(k := getattr(augment, n), type) and n != "Parameters"}
    assert set(augment.names()) == kinds - building_blocks
    images, targets = torch.rand(2, 3, 16, 16), torch.eye(2)
    for name in augment.names():
        step, generator = augment.make(name), torch.Generator().manual_seed(0)
        changed = step(images, targets, generator)[0] if isinstance(step, Mixing) else step(images, generator)
        assert changed.shape == images.shape, name


def test_lists_as_files_have_them_are_intervals():
    step = augment.make("RandomAffine", zoom=[0.9, 1.1], rotation=10)
    assert isinstance(step, Augmentation)
    assert vars(step)["zoom"] == (0.9, 1.1)


def test_a_probability_makes_it_happen_sometimes():
    step = augment.make("AddHair", probability=0.25, most=3)
    assert isinstance(step, Sometimes)
    assert step.probability == 0.25


@pytest.mark.parametrize(
    ("name", "parameters", "message"),
    [
        ("random_afine", {}, "mean 'RandomAffine'"),
        ("cutmix", {}, "mean 'CutMix'"),
        ("nothing like it", {}, "Known: AddHair"),
        ("RandomAffine", {"zom": 2}, "zoom"),
        ("RandomAffine", {"zoom": [1.2, 0.9]}, "above"),
        ("RandomAffine", {"zoom": [0, 1]}, "greater than 0"),
        ("RandomAffine", {"rotation": "60"}, "valid number"),
        ("RandomAffine", {"shift": float("nan")}, "finite"),
        ("RandomFlip", {"vertical": 3}, "boolean"),
        ("AddHair", {"most": 2.5}, "integer"),
        ("Brightness", {"spread": -0.1}, "greater than or equal to 0"),
        ("MixUp", {"alpha": 0.0}, "greater than 0"),
        ("RandAugment", {"magnitude": 11}, "less than or equal to 10"),
        ("MixUp", {"probability": 0.5}, "alpha"),
        ("Contrast", {"probability": 1.5}, "0 to 1"),
        ("Contrast", {"probability": True}, "0 to 1"),
    ],
)
def test_nonsense_is_refused_by_name(name, parameters, message):
    with pytest.raises(DataError, match=message):
        augment.make(name, **parameters)
