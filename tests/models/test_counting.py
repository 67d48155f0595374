"""Parameters are counted as Keras counts them."""

from torch import nn

from lentigo.models import count_parameters


def test_moving_statistics_count_and_the_counter_of_batches_does_not():
    assert count_parameters(nn.BatchNorm2d(10)) == (20, 20, 40)


def test_frozen_weights_move_to_the_other_side():
    layer = nn.Linear(3, 4)
    assert count_parameters(layer) == (16, 0, 16)
    layer.weight.requires_grad_(False)
    assert count_parameters(layer) == (4, 12, 16)


def test_layers_inside_are_left_out_on_request():
    assert count_parameters(nn.Sequential(nn.Linear(3, 4)), recurse=False) == (0, 0, 0)
    assert count_parameters(nn.Linear(3, 4), recurse=False).total == 16


def test_a_weight_used_twice_counts_once():
    layer = nn.Linear(3, 3)
    assert count_parameters(nn.Sequential(layer, layer)).total == 12
