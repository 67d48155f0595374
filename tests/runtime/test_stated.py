"""What a model file says of itself: nonsense in any entry is refused when the file is opened, by file and entry."""

import copy
import json

import numpy as np
import onnx
import pytest

from lentigo.errors import BundleError
from lentigo.runtime import Bundle, shipped_models
from lentigo.runtime.bundle import HASH_KEY, METADATA_KEY, sealed
from lentigo.runtime.stated import read_metadata

NAN, INF = float("nan"), float("inf")
PREVALENCE = (0.5, 0.1, 0.1, 0.1, 0.1, 0.05, 0.05)
LABEL = "heads.0.label_set"


@pytest.fixture(scope="module")
def stated():
    """What the model that ships says of itself."""
    model = onnx.load(shipped_models()["lentigo-s"])
    return json.loads(next(p.value for p in model.metadata_props if p.key == METADATA_KEY))


def changed(values, place, value):
    """A copy with another value at a place such as 'heads.0.name'."""
    new = copy.deepcopy(values)
    *path, last = (int(part) if part.isdigit() else part for part in place.split("."))
    owner = new
    for part in path:
        owner = owner[part]
    owner[last] = value
    return new


def test_what_ships_is_taken(stated):
    assert read_metadata(stated, "a.onnx").model_dump(mode="json") == {**stated, "format": 2}


def test_entries_of_later_versions_are_passed_over(stated):
    assert read_metadata({**stated, "of_next_year": 1}, "a.onnx").name == stated["name"]


@pytest.mark.parametrize(
    ("place", "value"),
    [
        *(("name", value) for value in ("", "  ", 7, None, "x" * 300, "a\nb")),
        *(("parameters", value) for value in (-1, 1.5, "12", True)),
        *(("size", value) for value in (0, -5, 10_000, "96", True, NAN)),
        *(("members", value) for value in (0, "3", True)),
        *(("embedding", value) for value in (0, "60", 60.5)),
        *(("temperature", value) for value in (0, -1, NAN, INF, "1", True, 1e300, 1e-300)),
        *(("training_prevalence", value) for value in ([NAN] * 7, [1] * 7, [0] * 7, ["x"] * 7, None)),
        *(("training_prevalence", value) for value in ([-0.5, 1.5], list(map(str, PREVALENCE)), [])),
        *(("operating_points.0.threshold", value) for value in (NAN, -0.1, 1.1, "0.5", True)),
        *(("operating_points.0.target_sensitivity", value) for value in (NAN, 0, -1, 2, "0.9")),
        *(("operating_points.0.validation_images", value) for value in (0, -1, 1.5, "3")),
        *(("no_operating_point", value) for value in ({"mole": "x"}, {"melanoma": "none"}, [])),
        *(("ood_score.threshold", value) for value in (NAN, INF, -INF, 1e300, "1", True)),
        *(("ood_score.target_fpr", value) for value in (NAN, 0, 1, -1, "0.1")),
        ("ood_score.validation_images", -1),
        ("heads.0.name", " "),
        *((f"{LABEL}.name", value) for value in ("", 3, None, "x\ny")),
        *((f"{LABEL}.labels.0.name", value) for value in ("", 3, "x\x1b[0m")),
        *((f"{LABEL}.labels.0.snomed_ct", value) for value in (3, None, "<b>", "12")),
        *((f"{LABEL}.labels.0.aliases", value) for value in ("nevus", [3], None)),
        *((f"{LABEL}.melanoma", value) for value in (None, "akiec", 3)),
        *((f"{LABEL}.labels", value) for value in ([], 3)),
        *((place, value) for place in ("crop", "interpolation", "precision") for value in ("x", None)),
        *((place, "x") for place in ("parent_sha256", "calibration_sha256")),
        *(("split", value) for value in ({}, None, {"protocol": "grouped"})),
        *(("split.fold", value) for value in ("0", None, -1)),
        *(("start", value) for value in ({"a": 1}, {"source": 3}, {"source": "x", "run": {"data": "d"}})),
        *(("start", {"source": "x", "parent_start": value}) for value in (3, "y", {"a": 1})),
        *(("sources", value) for value in ([{}], [3], [{"name": "x"}])),
        *(("metrics", {"equal_prevalence": {"ece": value}}) for value in (3, {}, {"value": "x"}, {"value": NAN})),
        *(("parity", value) for value in ({"x": 3}, [], {"images": "x"})),
        *(("inputs", [{"name": "age", "kind": "number", "missing": value}]) for value in (NAN, None, "x")),
        ("inputs", [{"name": "site", "kind": "category", "missing": -1}]),
        ("inputs", [{"name": "site", "kind": "category", "missing": -0.5, "categories": ["a"]}]),
        ("inputs", [{"name": "site", "kind": "category", "missing": -1, "categories": ["a", "a"]}]),
        ("inputs", [{"name": "age", "kind": "number", "missing": -1}] * 2),
        ("environment", {"python": 3}),
    ],
)
def test_nonsense_is_refused_by_file_and_entry(stated, place, value):
    entry = place.removesuffix(".labels").split(".")[0]
    with pytest.raises(BundleError, match=rf"^a\.onnx: .*{entry}") as refused:
        read_metadata(changed(stated, place, value), "a.onnx")
    assert refused.value.hint
    assert "\n" not in str(refused.value)


def test_two_thresholds_for_one_thing_are_refused(stated):
    points = [stated["operating_points"][0], {**stated["operating_points"][0], "threshold": 0.9}]
    with pytest.raises(BundleError, match="operating_points states two thresholds"):
        read_metadata({**stated, "operating_points": points}, "a.onnx")


def test_a_threshold_for_what_the_labels_do_not_know_is_refused(stated):
    new = changed(stated, f"{LABEL}.labels.0.malignant", None)
    with pytest.raises(BundleError, match="a threshold for malignancy, of which its labels"):
        read_metadata(new, "a.onnx")


@pytest.mark.parametrize(
    ("place", "text"),
    [
        ("name", "lentigo\x1b[31m"),
        ("network", "a\tb"),
        ("source", "ham\u202e10000"),
        ("licence", "CC0\x07"),
        ("notice", "\ud800"),
        ("environment", {"py\x1bthon": "3"}),
        ("recipe", {"deep": [{"er": "\x00"}]}),
    ],
)
def test_what_acts_on_a_terminal_is_refused(stated, place, text):
    with pytest.raises(BundleError, match=rf"a\.onnx: {place}.* holds the character '\\"):
        read_metadata({**stated, place: text}, "a.onnx")


def test_lines_are_allowed_where_people_write_them(stated):
    assert read_metadata({**stated, "citation": "one\n\ttwo"}, "a.onnx").citation == "one\n\ttwo"


class TestOpening:
    """The same, with a hash that fits, through the file."""

    @pytest.fixture
    def opening(self, stated, tmp_path):
        def write(text):
            model = onnx.load(shipped_models()["lentigo-s"])
            del model.metadata_props[:]
            model.metadata_props.add(key=METADATA_KEY, value=text)
            model.metadata_props.add(key=HASH_KEY, value="0" * 64)
            (tmp_path / "a.onnx").write_bytes(sealed(model.SerializeToString()))
            return Bundle(tmp_path / "a.onnx", threads=1)

        return write

    def test_unchanged(self, opening, stated):
        assert opening(json.dumps(stated)).predict(np.zeros((1, 96, 96, 3), np.uint8)).probabilities.shape == (1, 7)

    @pytest.mark.parametrize("format", [0, -1, "2", 2.5, True, None, NAN])
    def test_a_format_that_is_none(self, opening, stated, format):
        with pytest.raises(BundleError, match="format is"):
            opening(json.dumps({**stated, "format": format}))

    def test_an_entry_that_stands_twice(self, opening, stated):
        with pytest.raises(BundleError, match="'temperature' stands in it twice"):
            opening('{"temperature": 1.0, ' + json.dumps(stated)[1:])

    def test_entries_without_end(self, opening, stated):
        with pytest.raises(BundleError, match="damaged"):
            opening(json.dumps(stated)[:-1] + ', "x": ' + "[" * 100_000 + "]" * 100_000 + "}")

    @pytest.mark.parametrize("output", ["cam", "nowhere", "embedding"])
    def test_a_head_without_its_output(self, opening, stated, output):
        with pytest.raises(BundleError, match="does not match its metadata"):
            opening(json.dumps(changed(stated, "heads.0.output", output)))

    @pytest.mark.parametrize("part", ["train", "validation", "test", "perceptual"])
    @pytest.mark.parametrize("text", ["x", "<b>", "c-", "é"])
    def test_fingerprints_that_are_none(self, opening, stated, part, text):
        with pytest.raises(BundleError, match="fingerprints are damaged"):
            opening(json.dumps(changed(stated, f"fingerprints.{part}", text)))
