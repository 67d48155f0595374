"""Teachers answer for views that any student repeats; killed builds end in the same file; nothing leaks."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.special import log_softmax

from lentigo import compression, data, training
from lentigo.compression import soft_labels as building
from lentigo.errors import BundleError, LeakError, OutputError, RunError
from lentigo.evaluation.run_predictor import RunPredictor
from lentigo.labels import BINARY
from lentigo.runtime import IdSet, Outputs
from lentigo.runtime.perceptual import perceptual_hash
from lentigo.training.views import Views

RECIPE = training.Recipe(size=24, augmentations=[{"name": "GaussianBlur", "probability": 0.5}])


@pytest.fixture(scope="module")
def split(synthetic_records):
    return data.split(synthetic_records)


@pytest.fixture(scope="module")
def teacher(trained_run):
    return RunPredictor(trained_run)


@pytest.fixture(scope="module")
def built(teacher, split, tmp_path_factory):
    """A store of three views, and its file."""
    path = tmp_path_factory.mktemp("store") / "soft.safetensors"
    return compression.build_soft_labels(teacher, split, RECIPE, 3, path), path


def test_answers_are_the_teachers_for_the_views_that_are_drawn_again(built, teacher, split):
    store, path = built
    assert store.log_probabilities.shape == (len(split.train), 3, 7)
    assert store.description.ids == split.train.ids.tolist()
    assert store.description.size == 32  # the teacher's, which is larger than the recipe's
    squares = data.load_pixels(split.records, 32).of(split.train)[5:9]
    views = Views(store.description.augmentation, store.description.seed)
    drawn = views(torch.from_numpy(squares).permute(0, 3, 1, 2), split.train.ids[5:9].tolist(), 2)
    p = teacher.predict(drawn.permute(0, 2, 3, 1).numpy()).probabilities
    assert np.abs(np.log(p) - store.log_probabilities[5:9, 2]).max() < 0.01
    again = compression.load_soft_labels(path)
    assert again.sha256 == store.sha256
    assert np.array_equal(again.log_probabilities, store.log_probabilities)


def test_views_depend_on_seed_image_and_number_alone(synthetic_records):
    squares = torch.from_numpy(data.load_pixels(synthetic_records, 32).array[:12].copy()).permute(0, 3, 1, 2)
    ids = synthetic_records.ids[:12].tolist()
    recipe = training.Recipe(augmentations=["AddHair", {"name": "RandomErasing", "probability": 0.5}, "RandAugment"])
    views = Views(training.views.augmentation_of(recipe), seed=4)
    whole = views(squares, ids, 1)
    order = [7, 2, 11]
    assert torch.equal(views(squares[order], [ids[i] for i in order], 1), whole[order])
    assert torch.equal(torch.cat([views(squares[i : i + 1], ids[i : i + 1], 1) for i in range(12)]), whole)
    for other in (views(squares, ids, 2), Views(training.views.augmentation_of(recipe), 5)(squares, ids, 1)):
        assert (other != whole).flatten(1).any(1).all()
    assert not torch.equal(views(squares[:1], ids[1:2], 1), whole[:1])


def test_killed_anywhere_it_ends_in_the_same_file(built, teacher, split, tmp_path, monkeypatch):
    monkeypatch.setattr(building, "BLOCK", 64)  # several blocks a view
    whole = compression.build_soft_labels(teacher, split, RECIPE, 3, tmp_path / "whole.safetensors")
    written = []

    def killed(path, content):
        if len(written) == 3:
            path.with_suffix(".f16.partial").write_bytes(content[:10])
            raise KeyboardInterrupt
        written.append(path)
        path.write_bytes(content)

    out = tmp_path / "cut.safetensors"
    with monkeypatch.context() as patch:
        patch.setattr(building, "write_bytes", killed)
        with pytest.raises(KeyboardInterrupt):
            compression.build_soft_labels(teacher, split, RECIPE, 3, out)
    assert not out.exists()
    written[0].write_bytes(b"damaged")
    asked = []
    spy = replace(teacher.run)
    monkeypatch.setattr(RunPredictor, "predict", counted(RunPredictor.predict, asked))
    compression.build_soft_labels(RunPredictor(spy), split, RECIPE, 3, out)
    assert out.read_bytes() == (tmp_path / "whole.safetensors").read_bytes()
    assert len(asked) < 3 * len(split.train)  # what was finished is not computed again
    assert [p.name for p in tmp_path.iterdir() if p.is_dir()] == []
    assert np.array_equal(whole.log_probabilities, built[0].log_probabilities)


def counted(function, found):
    def call(self, images):
        found.extend(range(len(images)))
        return function(self, images)

    return call


def test_the_same_call_finds_the_store_and_another_refuses_to_replace_it(built, teacher, split, monkeypatch):
    store, path = built
    monkeypatch.setattr(RunPredictor, "predict", None)
    assert compression.build_soft_labels(teacher, split, RECIPE, 3, path).sha256 == store.sha256
    before = path.read_bytes()
    with pytest.raises(OutputError, match="built from something else"):
        compression.build_soft_labels(teacher, split, RECIPE, 2, path)
    assert path.read_bytes() == before
    work = path.with_name(f"{path.name[:-12]}2.safetensors.unfinished")
    work.mkdir()
    (work / "mine.txt").write_text("kept")
    with pytest.raises(OutputError, match="holds answers of other"):
        compression.build_soft_labels(teacher, split, RECIPE, 3, path.with_name(work.name.removesuffix(".unfinished")))
    assert (work / "mine.txt").read_text() == "kept"


class Shy(RunPredictor):
    """A teacher that is less sure."""

    def predict(self, images):
        return Outputs(super().predict(images).probabilities / 2 + 1 / 14)


def test_several_teachers_answer_with_the_mean_of_their_logs(teacher, split):
    images = data.load_pixels(split.records, 32).array[:6]
    members = [teacher, Shy(teacher.run)]
    classes = split.records.label_set.classes[::-1]
    answers = building.log_probabilities(members, images, classes)
    logs = [np.log(m.predict(images).probabilities)[:, ::-1] for m in members]
    assert np.allclose(answers, log_softmax(np.mean(logs, axis=0), axis=1), atol=1e-4)


def test_a_teacher_that_saw_a_test_image_is_refused(teacher, synthetic_records, tmp_path):
    other = data.split(synthetic_records, fold=1)
    with pytest.raises(LeakError, match="test images, or their lesions, were seen"):
        compression.build_soft_labels(teacher, other, RECIPE, 1, tmp_path / "soft.safetensors")
    assert not list(tmp_path.iterdir())


def renamed(split, name="folders"):
    """The same split of the same pictures, under other ids."""
    table = split.records.table.assign(
        image_id=[f"x{i}" for i in range(len(split.records))],
        lesion_id=[f"y{i}" for i in split.records.table["lesion_id"]],
    )
    new = dict(zip(split.records.ids, table["image_id"], strict=True))
    manifest = split.manifest.assign(image_id=split.manifest["image_id"].map(new))
    return replace(split, records=replace(split.records, table=table, name=name), manifest=manifest)


def test_a_teacher_that_saw_test_images_under_other_ids_is_refused(teacher, split, tmp_path, capsys):
    """By their pixels where it carries fingerprints of them, by the names of the data sets where these tell."""
    out, hashes = tmp_path / "soft.safetensors", [perceptual_hash(p) for p in data.load_pixels(split.records, 96).array]
    member = RunPredictor(teacher.run)
    member.__dict__["origin"] = replace(teacher.origin, pictures=np.array(hashes))
    with pytest.raises(LeakError, match=r"look like training images of .*Take a teacher of the same split"):
        compression.build_soft_labels(member, renamed(split), RECIPE, 1, out)
    member.__dict__["origin"] = replace(teacher.origin, data="dermamnist")
    with pytest.raises(LeakError, match=r"which .* was trained on .dermamnist., there under numbers"):
        compression.build_soft_labels(member, renamed(split, "ham10000"), RECIPE, 1, out)
    assert not list(tmp_path.iterdir())
    building.check_teachers([teacher], renamed(split), RECIPE, 1, out)
    assert "learned from other images than the student: the same picture under another id" in capsys.readouterr().err
    building.check_teachers([teacher], split, RECIPE, 1, out)
    assert "learned from other images" not in capsys.readouterr().err


def test_a_lesion_of_the_test_part_or_a_validation_image_in_training_is_enough(teacher, split, tmp_path):
    origin, out = teacher.origin, tmp_path / "soft.safetensors"
    lesion = IdSet.of([split.test.table["lesion_id"].iloc[0]])
    known = IdSet.of([split.validation.ids[0]])
    for seen, part in ((replace(origin, train=origin.train | lesion), "test"), (replace(origin, train=known), "valid")):
        member = RunPredictor(teacher.run)
        member.__dict__["origin"] = seen
        with pytest.raises(LeakError, match=part):
            compression.build_soft_labels(member, split, RECIPE, 1, out)


def test_teachers_that_can_not_be_asked_are_refused(teacher, split, tmp_path):
    out = tmp_path / "soft.safetensors"
    with pytest.raises(RunError, match="distinguishes"):
        compression.build_soft_labels(teacher, split, RECIPE.replaced(target="malignancy"), 1, out)
    with pytest.raises(RunError, match="no teacher"):
        compression.build_soft_labels([], split, RECIPE, 1, out)
    with pytest.raises(RunError, match="0 views"):
        compression.build_soft_labels(teacher, split, RECIPE, 0, out)
    with pytest.raises(RunError, match="MixUp mixes"):
        compression.build_soft_labels(teacher, split, RECIPE.replaced(augmentations=["MixUp"]), 1, out)
    with pytest.raises(OutputError, match="end in"):
        compression.build_soft_labels(teacher, split, RECIPE, 1, tmp_path / "soft.npz")
    silent = RunPredictor(teacher.run)
    silent.__dict__["origin"] = replace(teacher.origin, train=IdSet({}))
    with pytest.raises(BundleError, match="doesn't say"):
        compression.build_soft_labels(silent, split, RECIPE, 1, out)
    assert BINARY.classes != split.records.label_set.classes
    assert not list(tmp_path.iterdir())


def test_the_command_line_builds_the_same_store(built, trained_run, synthetic_root, tmp_path, run):
    store, _ = built
    (tmp_path / "recipe.json").write_text(
        '{"size": 24, "augmentations": [{"name": "GaussianBlur", "probability": 0.5}]}'
    )
    code, out, err = run(
        *("soft-labels", trained_run.path, "--data", synthetic_root, "--views", 3, "--out", tmp_path / "s.safetensors"),
        *("--recipe", tmp_path / "recipe.json"),
    )
    assert code == 0, err
    assert store.sha256 in out
