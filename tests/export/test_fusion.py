"""A fused bundle: the image's alone where nothing is known, and the terms of the metadata where something is."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from lentigo import export
from lentigo.errors import BundleError, DataError
from lentigo.export.fusion import choose_factor
from lentigo.models.fusion import MISSING, MetadataBranch, dropped
from lentigo.runtime import Bundle, Classifier, OptionalInput, classify_files
from lentigo.runtime.clinical import encode, read_clinical
from lentigo.training.metadata import clinical_inputs, known_of, train_metadata

INPUTS = (
    OptionalInput(name="age", kind="number", missing=-1),
    OptionalInput(name="sex", kind="category", missing=-1, categories=("female", "male")),
    OptionalInput(name="site", kind="category", missing=-1, categories=("back", "face", "scalp")),
)
NOISE = np.random.default_rng(0).integers(0, 256, (3, 40, 50, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def fused(bundle_path, synthetic_root, tmp_path_factory):
    return export.fuse(bundle_path, synthetic_root, tmp_path_factory.mktemp("fused") / "fused.onnx")


def logits(bundle, **known):
    found = bundle.metadata.temperature * np.log(bundle.predict(NOISE, **known).probabilities)
    return found - found.mean(1, keepdims=True)


class TestBranch:
    def test_terms_of_what_is_missing_are_zero_and_the_others_add_up(self):
        branch = MetadataBranch(4, 2, 3)
        for parameter in branch.parameters():
            torch.nn.init.normal_(parameter)

        def of(age=MISSING, sex=MISSING, site=MISSING):
            return branch(torch.tensor([float(age)]), torch.tensor([sex]), torch.tensor([site])).detach().numpy()

        assert np.abs(of()).max() == 0
        assert of(age=0) == pytest.approx(branch.age.bias.detach().numpy()[None])
        assert of(54, 1, 2) == pytest.approx(of(age=54) + of(sex=1) + of(site=2), abs=1e-5)
        assert np.abs(of(sex=0) - of(sex=1)).max() > 0
        half = branch.scaled(0.5)(torch.tensor([54.0]), torch.tensor([1]), torch.tensor([2])).detach().numpy()
        assert half == pytest.approx(0.5 * of(54, 1, 2), abs=1e-5)

    def test_inputs_are_dropped_apart_from_one_another(self):
        values = [torch.arange(4000.0), torch.ones(4000, dtype=torch.int64)]
        one, two = dropped(values, 0.25, torch.Generator().manual_seed(0))
        gone = [(one == MISSING).float().mean().item(), (two == MISSING).float().mean().item()]
        assert gone == pytest.approx([0.25, 0.25], abs=0.03)
        assert ((one == MISSING) & (two == MISSING)).float().mean().item() == pytest.approx(0.0625, abs=0.02)

    def test_it_learns_what_the_metadata_say(self, synthetic_records):
        """Of two sites that tell two diagnoses, each speaks for its own."""
        records = synthetic_records.take(synthetic_records.ids[np.isin(synthetic_records.table["dx"], ["nv", "mel"])])
        table = records.table.assign(site=np.where(records.table["dx"] == "mel", "face", "back"))
        object.__setattr__(records, "table", table)
        inputs = clinical_inputs(records)
        branch = train_metadata(records, inputs)
        mel, nv = (records.label_set.classes.index(c) for c in ("mel", "nv"))
        sites = branch.site.detach().numpy()
        face, back = (inputs[2].categories.index(s) for s in ("face", "back"))
        assert sites[face, mel] - sites[face, nv] > 1
        assert sites[back, mel] - sites[back, nv] < -1

    def test_the_factor_is_zero_where_metadata_say_nothing(self):
        rng = np.random.default_rng(0)
        labels = rng.integers(0, 3, 600)
        image = np.eye(3)[labels] * 2 + rng.normal(size=(600, 3))
        assert choose_factor(image, 3 * rng.normal(size=(600, 3)), labels, np.full(3, 1 / 3)) == 0
        assert choose_factor(image, np.eye(3)[labels], labels, np.full(3, 1 / 3)) > 1


class TestFused:
    def test_with_nothing_known_it_is_the_image_network(self, fused, bundle_path):
        assert logits(fused) == pytest.approx(logits(Bundle(bundle_path)), abs=2e-3)
        assert fused.embed(NOISE) == pytest.approx(Bundle(bundle_path).embed(NOISE), rel=1e-4, abs=1e-4)
        assert fused.metadata.parent_sha256 == Bundle(bundle_path).sha256

    def test_each_input_adds_its_own_term(self, fused):
        sites = next(i for i in fused.metadata.inputs if i.name == "site").categories
        site = logits(fused, site=np.zeros(3, np.int64)) - logits(fused)
        age = logits(fused, age=np.full(3, 70, np.float32)) - logits(fused)
        both = logits(fused, age=np.full(3, 70, np.float32), site=np.zeros(3, np.int64)) - logits(fused)
        assert len(sites) > 1
        assert both == pytest.approx(site + age, abs=5e-3)
        assert np.ptp(site, axis=0).max() < 5e-3  # of the patient, not of the image

    def test_python_takes_words(self, fused):
        classifier = Classifier.load(fused.path)
        sites = next(i for i in fused.metadata.inputs if i.name == "site").categories
        image = NOISE[0].repeat(2, 0)
        known = classifier.classify(image, clinical={"age": "54", "sex": "Female", "site": sites[0]})
        unknown = classifier.classify(image, clinical={"age": "", "sex": None, "site": "unknown"})
        assert unknown.raw == classifier.classify(image).raw
        assert known.raw["probabilities"].keys() == unknown.raw["probabilities"].keys()

    def test_it_is_not_fused_twice_and_needs_its_data(self, fused, synthetic_root, tmp_path):
        with pytest.raises(BundleError, match="takes metadata already"):
            export.fuse(fused.path, synthetic_root, tmp_path / "again.onnx")


class TestTables:
    def table(self, folder, text):
        (folder / "t.csv").write_text(text)
        return folder / "t.csv"

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("image,age\na.jpg,85+\n", r"line 2: the age '85\+' is not a number"),
            ("image,age\na.jpg,-3\n", "is not a number from 0 to 120"),
            ("image,age\na.jpg,inf\n", "is not a number from 0 to 120"),
            ("image,site\na.jpg,tail\n", "doesn't know the site 'tail'"),
            ("image,sex\na.jpg,m\n", "doesn't know the sex 'm'"),
            ("image,dx_type\na.jpg,histo\n", "'dx_type' is never an input"),
            ("image,colour\na.jpg,red\n", "no input 'colour'"),
            ("name,age\na.jpg,5\n", "'image' is missing"),
            ("image,age\na.jpg,5\na.jpg,6\n", "line 3: a.jpg is named twice"),
            ("image,age\na.jpg\n", "another number of cells"),
            ("image,age,age\na.jpg,5,50\n", "two columns are called 'age'"),
        ],
    )
    def test_what_is_refused(self, tmp_path, text, words):
        with pytest.raises(DataError, match=words):
            read_clinical(self.table(tmp_path, text), INPUTS)

    def test_missing_values_are_allowed(self, tmp_path):
        rows = read_clinical(self.table(tmp_path, "image,age,sex,site\na.jpg,,unknown,\nb.jpg,70,Male,SCALP\n"), INPUTS)
        found = encode(INPUTS, list(rows.values()))
        assert [v.tolist() for v in found.values()] == [[-1, 70], [-1, 1], [-1, 2]]

    def test_a_model_without_inputs(self, tmp_path):
        with pytest.raises(DataError, match="takes no metadata"):
            read_clinical(self.table(tmp_path, "image,age\n"), ())
        with pytest.raises(DataError, match="no input 'age'"):
            encode((), [{"age": 5}])


def test_records_give_their_own_values(synthetic_records):
    inputs = clinical_inputs(synthetic_records)
    known = known_of(synthetic_records, inputs)
    assert set(known) == {"age", "sex", "site"}
    ages = synthetic_records.table["age"].to_numpy()
    assert known["age"][~np.isnan(ages)] == pytest.approx(ages[~np.isnan(ages)])
    assert "dx_type" not in known


def test_the_command_line(fused, synthetic_records, run, tmp_path):
    image = Path(synthetic_records.table["path"][0])
    with (tmp_path / "t.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["image", "age"], [image.name, 80]])
    with_age = run("classify", image, "--model", fused.path, "--metadata", tmp_path / "t.csv", "--format", "json")
    without = run("classify", image, "--model", fused.path, "--format", "json")
    assert "Metadata are known for 1 of 1 images" in with_age[2]
    assert json.loads(with_age[1])["raw"] != json.loads(without[1])["raw"]
    (tmp_path / "t.csv").write_text("image,age\nother.jpg,80\n")
    with pytest.raises(DataError, match=r"none of the images is called 'other.jpg'"):
        classify_files(image, model=fused.path, metadata=tmp_path / "t.csv")
