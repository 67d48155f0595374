import numpy as np
import pytest

from lentigo import taxonomy
from lentigo.errors import DataError

# The columns of Verhoeff's check digit, from the dihedral group of order ten.
MULTIPLY = [[(i + j) % 5 if j < 5 else (i + j) % 5 + 5 for j in range(10)] for i in range(5)] + [
    [(i - j) % 5 + 5 if j < 5 else (i - j) % 5 for j in range(10)] for i in range(5, 10)
]
PERMUTE = [list(range(10)), [1, 5, 7, 6, 2, 8, 3, 0, 9, 4]]
for _ in range(6):
    PERMUTE.append([PERMUTE[1][digit] for digit in PERMUTE[-1]])


def verhoeff(number: str) -> int:
    """0 for a number that ends in its right check digit."""
    check = 0
    for place, digit in enumerate(reversed(number)):
        check = MULTIPLY[check][PERMUTE[place % 8][int(digit)]]
    return check


def test_verhoeff_itself_knows_right_from_wrong():
    assert verhoeff("2363") == 0  # the textbook's example: 236 with check digit 3
    assert all(verhoeff(f"236{digit}") for digit in range(10) if digit != 3)


@pytest.mark.parametrize("diagnosis", taxonomy.DIAGNOSES.values(), ids=lambda d: d.id)
def test_snomed_codes_are_concept_ids_with_right_check_digits(diagnosis):
    assert verhoeff(diagnosis.snomed_ct) == 0
    assert 6 <= len(diagnosis.snomed_ct) <= 18
    assert diagnosis.snomed_ct[-3:-1] == "00"  # the partition of core concepts
    assert diagnosis.snomed_term


def test_snomed_codes_differ():
    assert len({d.snomed_ct for d in taxonomy.DIAGNOSES.values()}) == 7


def test_seven_classes_in_alphabetical_order():
    assert taxonomy.CLASSES == ("akiec", "bcc", "bkl", "df", "mel", "nv", "vasc")
    assert tuple(taxonomy.DIAGNOSES) == taxonomy.CLASSES


def test_malignant_and_benign_part_the_classes():
    assert set(taxonomy.MALIGNANT) == {"mel", "bcc", "akiec"}
    assert set(taxonomy.BENIGN) | set(taxonomy.MALIGNANT) == set(taxonomy.CLASSES)
    assert not set(taxonomy.BENIGN) & set(taxonomy.MALIGNANT)
    assert "pre-invasive" in taxonomy.DIAGNOSES["akiec"].note.lower()


@pytest.mark.parametrize(
    ("order", "ids"),
    [
        ("medmnist", "akiec bcc bkl df mel nv vasc"),
        ("kaggle_csv", "akiec bcc bkl df nv vasc mel"),
        ("isic2018", "mel nv bcc akiec bkl df vasc"),
    ],
)
def test_each_label_order_is_held_and_translated(order, ids):
    assert taxonomy.ORDERS[order] == tuple(ids.split())
    one_hot = np.eye(7)
    for column, dx in enumerate(ids.split()):
        translated = taxonomy.reorder(one_hot[column], order)
        assert taxonomy.CLASSES[int(translated.argmax())] == dx
    batch = np.random.default_rng(0).random((2, 3, 7))
    translated = taxonomy.reorder(batch, order)
    assert translated.shape == batch.shape
    assert np.array_equal(translated[..., taxonomy.CLASSES.index("mel")], batch[..., ids.split().index("mel")])


def test_no_other_label_order_is_known():
    assert set(taxonomy.ORDERS) == {"medmnist", "kaggle_csv", "isic2018"}
    with pytest.raises(DataError, match=r"'isic2019'.*medmnist, kaggle_csv, isic2018"):
        taxonomy.reorder(np.eye(7), "isic2019")


@pytest.mark.parametrize(
    ("text", "dx"),
    [
        ("mel", "mel"),
        ("MEL", "mel"),
        ("  nv ", "nv"),
        ("Melanocytic nevi", "nv"),
        ("melanocytic_nevus", "nv"),
        ("Actinic Keratosis", "akiec"),
        ("bowen's disease", "akiec"),
        ("Basal cell carcinoma", "bcc"),
        ("benign keratosis-like lesions", "bkl"),
        ("seborrheic keratosis", "bkl"),
        ("dermatofibroma", "df"),
        ("vascular lesions", "vasc"),
    ],
)
def test_diagnoses_are_found_by_any_name(text, dx):
    assert taxonomy.diagnosis(text).id == dx


@pytest.mark.parametrize("diagnosis", taxonomy.DIAGNOSES.values(), ids=lambda d: d.id)
def test_ids_and_full_names_lead_back_to_the_diagnosis(diagnosis):
    assert taxonomy.diagnosis(diagnosis.id) is diagnosis
    assert taxonomy.diagnosis(diagnosis.name.upper()) is diagnosis


def test_a_misspelling_gets_the_right_spelling():
    with pytest.raises(DataError, match="Did you mean 'melanoma'") as caught:
        taxonomy.diagnosis("melanomma")
    assert caught.value.hint == "Did you mean 'melanoma'?"


@pytest.mark.parametrize("text", ["", "xyzzy"])
def test_nonsense_gets_the_known_ids(text):
    with pytest.raises(DataError, match="Known ids: akiec, bcc"):
        taxonomy.diagnosis(text)


def test_class_index():
    index = taxonomy.class_index(["vasc", "akiec", "mel"])
    assert index.dtype == np.int64
    assert index.tolist() == [6, 0, 4]
    assert taxonomy.class_index([]).shape == (0,)
