"""`lentigo reproduce`: what it offers, and what it refuses before anything is trained."""

import pytest
from typer.testing import CliRunner

from lentigo.cli import app
from lentigo.studies import STUDIES


def test_help_names_every_study():
    text = CliRunner().invoke(app, ["reproduce", "--help"]).stdout
    for name in (*STUDIES, "leakage", "all"):
        assert name in text


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("no_such_study",), "Studies: efficient_cnn"),
        (("efficient_cnn", "--tables", "III,IX"), "no table 'IX'. Tables: I, II, III, IV"),
        (("all", "--tables", "III"), "binary_melanoma has no table 'III'"),
        (("efficient_cnn", "--protocol", "lucky"), "Protocols:"),
        (("efficient_cnn", "--weights", "resnet50_tl=absent.safetensors"), "absent.safetensors: there is no such file"),
    ],
)
def test_a_wrong_wish_is_refused_before_anything_is_trained(arguments, said, run, synthetic_root, tmp_path):
    code, _, err = run("reproduce", *arguments, "--data", synthetic_root, "--out", tmp_path / "out")
    assert code == 1
    assert said in " ".join(err.split())
    assert not (tmp_path / "out").exists()
