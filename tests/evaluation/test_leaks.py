"""What was chosen on is not tested on."""

import pytest

from lentigo.errors import LeakError
from lentigo.evaluation.leaks import refuse_same_images, refuse_same_part
from lentigo.evaluation.predictions import Predictions
from lentigo.evaluation.provenance import Provenance
from tests.evaluation.imagined import make


def renamed(predictions: Predictions, lesions: bool = True) -> Predictions:
    """The same predictions of other images, and of other lesions or the same."""
    table = predictions.table.assign(image_id="other " + predictions.table["image_id"])
    if lesions:
        table = table.assign(lesion_id="other " + table["lesion_id"])
    return Predictions(table, predictions.meta)


def test_other_images_of_other_lesions_pass():
    refuse_same_images(make(20), renamed(make(20)))


def test_shared_images_are_counted_and_named():
    with pytest.raises(LeakError, match=r"I00000, .* and 15 more"):
        refuse_same_images(make(20), make(20))


def test_shared_lesions_are_refused_unless_the_protocol_is_leaky():
    with pytest.raises(LeakError, match="other I00000"):
        refuse_same_images(make(20), renamed(make(20), lesions=False))
    refuse_same_images(make(20), renamed(make(20, leaky=True), lesions=False))
    with pytest.raises(LeakError):
        refuse_same_images(make(20), make(20, leaky=True))


def test_same_part_of_the_same_split_is_refused():
    def of(split: str, part: str | None) -> Provenance:
        return Provenance.of(make(20, split_sha256=split, part=part))

    refuse_same_part(of("a", "validation"), of("a", "test"))
    refuse_same_part(of("a", "validation"), of("b", "validation"))
    refuse_same_part(of("a", None), of("a", None))  # nothing is known
    with pytest.raises(LeakError, match="validation part itself"):
        refuse_same_part(of("a", "validation"), of("a", "validation"))
