"""Sizes as published come out on the paper's own footing, and every form is measured on the same ones."""

import pytest

from lentigo.evaluation import measure
from lentigo.studies import STUDIES
from lentigo.studies.cells import fill
from lentigo.studies.sizes import size_blocks
from lentigo.studies.variants import VariantOutcome
from tests.evaluation import imagined

STUDY = STUDIES["compressed_cnn"]
COUNTS = dict.fromkeys(("nv", "mel", "bkl", "bcc", "akiec", "vasc", "df"), 1)


def outcome(variant, protocol, size) -> VariantOutcome:
    metrics = measure(imagined.make(100, part="test", protocol=protocol))
    return VariantOutcome(
        variant=variant.name,
        of=variant.of,
        protocol=protocol,
        fold=0,
        seed=0,
        task="diagnosis",
        budget="quick",
        steps=(),
        sha256="0",
        size={"weights": size, "weights_zip": size // 4, "file": 2 * size},
        native=metrics,
        honest=metrics,
    )


@pytest.mark.parametrize("variant", STUDY.variants, ids=lambda v: v.name)
def test_the_published_size_is_that_of_the_same_things_counted_here(variant):
    if variant.same_footing is None:  # 0.39 MB is whatever lossless compression makes of the pruned weights
        assert variant.steps[-1] == "zst"
    else:
        assert variant.same_footing() == pytest.approx(variant.megabytes, rel=0.02)


def test_sizes_and_accuracies_stand_side_by_side():
    protocols = (*STUDY.protocols, STUDY.honest)
    found = [
        outcome(variant, protocol, 1_000_000 // number)
        for number, variant in enumerate(STUDY.variants, 1)
        for protocol in protocols
    ]
    text = "\n".join(size_blocks(STUDY.variants, found))
    assert (
        "| Base Model | 14.74 | 14.58 (-1.1 %), 32-bit weights and the two moments of Adam | 1 | 1,000,000 (1.00)"
        in text
    )
    assert "| MBWP | 4.96 | 4.864 (-1.9 %), 32-bit weights | 2.97 | 500,000 (2.00)" in text
    assert all(f"accuracy, `{protocol}`" in text for protocol in protocols)
    assert "not run" not in text
    assert "not run" in "\n".join(size_blocks(STUDY.variants, found[:4]))


def test_a_form_that_violates_the_policy_is_measured_and_named():
    odd = outcome(STUDY.variants[3], "grouped", 50).model_copy(update={"outside": ("maps by up to 9",)})
    text = "\n".join(size_blocks(STUDY.variants, [outcome(STUDY.variants[0], "grouped", 100), odd]))
    assert "- MBWP + Quantization (8-bits), `grouped` 0: maps by up to 9" in text
    assert "50 (2.00)" in text and "refused" not in text.lower()


def test_a_form_that_was_refused_says_so_and_has_no_numbers():
    refused = outcome(STUDY.variants[3], "grouped", 1).model_copy(
        update={"fault": "it differs", "size": {}, "native": None, "honest": None}
    )
    text = "\n".join(size_blocks(STUDY.variants, [outcome(STUDY.variants[0], "grouped", 100), refused]))
    assert "| refused |" in text and "- MBWP + Quantization (8-bits), `grouped` 0: it differs" in text


def test_table_8_and_section_4_hold_what_each_form_is_worth():
    found = [outcome(variant, "grouped", 100) for variant in STUDY.variants[:-1]]
    found.append(outcome(STUDY.variants[-1], "grouped", 1).model_copy(update={"fault": "it differs", "native": None}))
    cells = fill(STUDY, STUDY.table("8"), [], ["grouped"], COUNTS, found).cells
    measured = {c.row: c.measured["grouped"] for c in cells if c.column == "accuracy"}
    assert measured.pop(STUDY.variants[0].name) is None  # of the training, which there is none of here
    assert {value.value for value in measured.values()} == {found[1].native.get("accuracy", "diagnosis").value}
    prototype = fill(STUDY, STUDY.table("text"), [], ["grouped"], COUNTS, found).cells
    assert next(c for c in prototype if c.row == "F1").measured == {"grouped": None}  # refused: no number
