"""Training on several data sets, and from a run that was pretrained on another."""

import dataclasses
import json
import shutil
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from lentigo import data, export, training
from lentigo.errors import DataWarning, LeakError, RunError
from lentigo.runtime import IdSet
from lentigo.training import starting
from lentigo.training.batches import EpochShuffle, epoch_positions
from lentigo.training.hooks import BatchContext
from lentigo.training.inputs import PixelInput
from lentigo.training.learner import Learner
from lentigo.training.sources import SourceMix, main_prior

RECIPE = training.Recipe(size=16, epochs=1, batch_size=16)


def make(folder: Path, prefix: str, dx: list[str]) -> Path:
    """A folder with a table and an image of 16 pixels for each diagnosis; two images show one lesion."""
    folder.mkdir()
    ids = [f"{prefix}_{i:07d}" for i in range(len(dx))]
    rows = {"image_id": ids, "lesion_id": [f"{prefix}L_{i // 2:07d}" for i in range(len(dx))], "dx": dx}
    pd.DataFrame(rows).to_csv(folder / "labels.csv", index=False)
    for i, name in enumerate(ids):
        pixels = np.random.default_rng([ord(prefix[0]), i]).integers(0, 255, (16, 16, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{name}.png")
    return folder


@pytest.fixture(scope="module")
def roots(tmp_path_factory) -> tuple[Path, Path]:
    """A main data set of 160 images of all diagnoses, and another of 80 that has other shares, and AK and SCC."""
    folder = tmp_path_factory.mktemp("several")
    main = [("nv", "nv", "nv", "nv", "mel", "bkl", "bcc", "akiec", "df", "vasc")[i // 2 % 10] for i in range(160)]
    other = [("BCC", "BCC", "AK", "SCC", "NV")[i // 2 % 5] for i in range(80)]
    return make(folder / "clinic", "C", main), make(folder / "other", "O", other)


@pytest.fixture(scope="module")
def split(roots) -> data.Split:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)
        return data.split(data.read(roots, labels=["HAM10000", "ISIC2019"]))


@pytest.fixture(scope="module")
def joined_run(split, tmp_path_factory) -> training.Run:
    recipe = RECIPE.replaced(source_shares={"clinic": 0.75, "other": 0.25})
    return training.train("compact", split, recipe, out=tmp_path_factory.mktemp("joined") / "run")


def test_the_prior_is_that_of_the_main_data_set_and_known_where_that_one_is_tested(split):
    order = split.train.label_set.classes
    own = split.train.labels[split.train.source_numbers == 0]
    assert main_prior(split.train) == pytest.approx(np.bincount(own, minlength=len(order)) / len(own))
    tested = data.split(split.records, "external")
    assert set(tested.test.table["data_set"]) == {"clinic"}
    found = dict(zip(order, main_prior(tested.train), strict=True))
    assert found["bcc"] == pytest.approx(0.5, abs=0.1)
    assert sum(found.values()) == pytest.approx(1)


@pytest.fixture(scope="module")
def pretrained(roots, tmp_path_factory) -> training.Run:
    """A run on the other data set alone, with its own eight labels."""
    alone = data.split(data.read(roots[1], labels="ISIC2019"))
    return training.train("compact", alone, RECIPE, out=tmp_path_factory.mktemp("pretrained") / "first")


@pytest.mark.filterwarnings("ignore::lentigo.errors.DataWarning")
def test_a_run_on_several_data_sets_remembers_them_and_reads_them_again(joined_run, split):
    run = training.load_run(joined_run.path)
    assert run.sources == joined_run.sources
    clinic, other = run.sources
    assert (clinic.name, other.name) == ("clinic", "other")
    assert clinic.images == (split.train.table["data_set"] == "clinic").sum()
    assert clinic.share == pytest.approx(0.75, abs=0.02)
    order = run.label_set.classes
    assert dict(zip(order, other.prior, strict=True)) == pytest.approx(
        {"bcc": 0.5, "akiec": 0.25, "nv": 0.25} | dict.fromkeys(("mel", "bkl", "df", "vasc"), 0)
    )
    assert run.prior == clinic.prior  # what is validated and tested, not the mixture
    assert dict(other.mapping)["scc"] is None
    assert run.split.hash == split.hash
    assert run.records.problem_counts()["scc has no target in HAM10000"] == 16


@pytest.mark.filterwarnings("ignore::lentigo.errors.DataWarning")
def test_the_bundle_names_all_data_sets_and_knows_their_images(joined_run, split, tmp_path):
    metadata = export.bundle(joined_run, tmp_path / "joined.onnx").metadata
    assert [source["name"] for source in metadata.sources] == ["clinic", "other"]
    assert metadata.source == "clinic+other"
    assert metadata.training_prevalence == joined_run.sources[0].prior
    known = IdSet.decode(metadata.fingerprints.train)
    assert known.contains(split.train.ids).all()
    assert (split.train.table["data_set"] == "other").any()
    assert not known.contains(split.test.ids).any()


@pytest.mark.filterwarnings("ignore::lentigo.errors.DataWarning")
def test_a_moved_run_is_told_where_each_data_set_is(joined_run, roots, tmp_path):
    moved = [shutil.copytree(root, tmp_path / root.name) for root in roots]
    run = training.load_run(joined_run.path, moved)
    assert Path(run.records.roots[1]).is_relative_to(tmp_path)
    assert run.split.hash == joined_run.split_sha256
    with pytest.raises(RunError, match="3 data sets named for a run of 2"):
        training.load_run(joined_run.path, [*moved, tmp_path])


def test_logits_are_adjusted_by_the_shares_of_the_images_own_data_set():
    priors, balance = torch.tensor([[0.8, 0.2], [0.5, 0.5]]), {}
    for name in ("logit_adjustment", "none", "class_weights"):
        recipe = training.Recipe(size=8, balance=name, label_smoothing=0)
        learner = Learner(
            torch.nn.Identity(), PixelInput(recipe, torch.zeros(3), torch.ones(3)), recipe, priors,
            ids=np.array(["a", "b", "c"], object), sources=np.array([0, 1, 1]), shares=torch.tensor([0.25, 0.75]),
        )  # fmt: skip
        balance[name] = learner
    learner, positions = balance["logit_adjustment"], torch.tensor([1, 0])
    logits, targets = torch.zeros(2, 2), torch.eye(2)[[0, 0]]
    context = BatchContext(
        0, 0, 0, positions, targets.argmax(1), logits, targets, learner.ids, learner._offset(positions)
    )
    assert torch.allclose(context.offset.exp(), priors[[1, 0]])
    assert learner.loss(logits, context) == pytest.approx(-(np.log(0.5) + np.log(0.8)) / 2)
    assert torch.allclose(learner.fitted(logits).softmax(1), priors[[0, 0]])  # validation is the main data set's
    mixed = torch.tensor([0.25, 0.75]) @ priors
    assert torch.allclose(balance["none"].equal(logits), -mixed.log().expand(2, 2))
    assert torch.allclose(balance["class_weights"].class_weights, 1 / mixed / 2)


def test_an_epoch_has_the_data_sets_by_their_shares(split):
    recipe = RECIPE.replaced(source_shares={"clinic": 0.8, "other": 0.2})
    positions = epoch_positions(recipe, split, split.train.ids)
    assert isinstance(positions, SourceMix)
    main = int((split.train.source_numbers == 0).sum())
    assert positions.counts == (main, round(main / 4))
    order, came = EpochShuffle(positions, seed=0), np.zeros(len(split.train), int)
    others = len(split.train) - main
    for epoch in range(others):  # by then each other image has come equally often
        order.set_epoch(epoch)
        drawn = list(order)
        assert len(drawn) == len(order) == len(positions)
        assert len(set(drawn)) == len(drawn)
        came += np.bincount(drawn, minlength=len(came))
    assert set(came[split.train.source_numbers == 0]) == {others}
    assert set(came[split.train.source_numbers == 1]) == {positions.counts[1]}
    order.set_epoch(0)
    assert list(order) == list(EpochShuffle(positions, seed=0))


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        (
            {"source_shares": {"clinic": 0.5, "elsewhere": 0.5}},
            "name clinic, elsewhere; the data sets are clinic, other",
        ),
        ({"augmentations": ["MixUp"]}, "MixUp mixes images of data sets"),
    ],
)
def test_recipes_that_do_not_fit_several_data_sets_are_refused(split, tmp_path, entries, said):
    with pytest.raises(RunError, match=said):
        training.train("compact", split, RECIPE.replaced(**entries), out=tmp_path / "run")
    with pytest.raises(RunError, match=r"sum to 0\.7"):
        RECIPE.replaced(source_shares={"a": 0.5, "b": 0.2})
    with pytest.raises(RunError, match="both say how often"):
        RECIPE.replaced(source_shares={"a": 0.5, "b": 0.5}, balance="oversampling")


def test_shares_without_several_data_sets_are_refused(roots, tmp_path):
    alone = data.split(data.read(roots[0]))
    with pytest.raises(RunError, match="the data sets are only one"):
        training.train("compact", alone, RECIPE.replaced(source_shares={"a": 0.5, "b": 0.5}), out=tmp_path / "run")


def test_a_training_starts_from_a_run_with_other_labels(pretrained, roots, tmp_path, capsys):
    alone, weights = data.split(data.read(roots[0])), pretrained.path
    run = training.train("compact", alone, RECIPE, out=tmp_path / "run", weights=weights)
    assert "classifier.bias, classifier.weight starts from random weights" in capsys.readouterr().err
    assert run.start["run"]["data"] == "other"
    assert run.start["run"]["labels"] == "ISIC2019"
    assert run.start["left_out"] == 2
    assert run.mean == pretrained.mean
    assert run.started_from[1].contains(pretrained.split.validation.ids).all()
    metadata = export.bundle(run, tmp_path / "started.onnx").metadata
    assert IdSet.decode(metadata.fingerprints.train).contains(pretrained.split.train.ids).all()
    assert "seen" not in json.dumps(metadata.start)
    same = weights / "network.safetensors"
    assert training.train("compact", alone, RECIPE, out=tmp_path / "run", weights=same, resume=True).finished
    child = training.fine_tune(run, RECIPE, out=tmp_path / "child")
    assert child.started_from[0].contains(pretrained.split.train.ids).all()


def test_weights_of_a_run_of_the_same_labels_are_all_taken(pretrained, tmp_path):
    started = training.train("compact", pretrained.split, RECIPE, out=tmp_path / "run", weights=pretrained.path)
    assert started.start["left_out"] == 0


def test_a_network_that_is_cut_shorter_starts_from_the_blocks_of_a_run(split, tmp_path, capsys):
    name, recipe = "torchvision/mobilenet_v2", RECIPE.model_copy(update={"size": 32})
    longer = training.train(name, split, recipe, out=tmp_path / "longer", options={"blocks": 3})
    shorter = training.train(name, split, recipe, out=tmp_path / "a", options={"blocks": 2}, weights=longer.path)
    assert "its outputs see another block" in capsys.readouterr().err
    assert shorter.start["tensors"] == len(load_file(shorter.path / "network.safetensors")) - 2
    with pytest.raises(RunError, match=r"mobilenet_v2 \(blocks=2\), which don't fit .*blocks=3.*or with more blocks"):
        training.train(name, split, recipe, out=tmp_path / "b", options={"blocks": 3}, weights=shorter.path)


def test_a_starting_run_that_has_seen_the_test_part_is_refused(pretrained, roots, tmp_path):
    records = data.read(roots[1], labels="ISIC2019")
    with pytest.raises(LeakError, match=r"starting run: .* test images, or their lesions, were seen"):
        training.train("compact", data.split(records, fold=1), RECIPE, out=tmp_path / "run", weights=pretrained.path)
    # at second hand too
    alone = data.split(data.read(roots[0]))
    second = training.train("compact", alone, RECIPE, out=tmp_path / "second", weights=pretrained.path)
    with pytest.raises(LeakError, match="test images, or their lesions, were seen"):
        training.train("compact", data.split(records, fold=1), RECIPE, out=tmp_path / "run", weights=second.path)


def test_a_starting_run_that_knows_the_same_images_by_numbers_is_refused(pretrained, roots, tmp_path):
    """Its own data set's name says so, or that of the run which it started from."""
    ham = data.split(dataclasses.replace(data.read(roots[0]), name="ham10000"))
    array = dataclasses.replace(pretrained, source="dermamnist")
    second = dataclasses.replace(pretrained, start={"source": "a run", "run": {"data": "pixel_csv"}})
    for parent, name in ((array, "dermamnist"), (second, "pixel_csv")):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(starting, "load_run", lambda _, parent=parent: parent)
            patch.setattr(starting, "started_from", lambda _: (IdSet({}), IdSet({})))
            with pytest.raises(LeakError, match=f"starting run was trained on .{name}., there under numbers"):
                training.train("compact", ham, RECIPE, out=tmp_path / "run", weights=pretrained.path)
    assert not (tmp_path / "run" / "network.safetensors").exists()


def test_weights_of_a_run_without_the_run_are_refused(pretrained, split, tmp_path):
    copied = shutil.copy(pretrained.path / "network.safetensors", tmp_path / "weights.safetensors")
    with pytest.raises(RunError, match="which images they have seen is unknown"):
        training.train("compact", split, RECIPE, out=tmp_path / "run", weights=copied)


def test_a_run_of_another_network_or_an_unfinished_one_is_refused(pretrained, split, tmp_path):
    with pytest.raises(RunError, match=r"these are weights of compact, which don't fit explainable_cnn"):
        training.train(
            "explainable_cnn", split, RECIPE.replaced(size=100), out=tmp_path / "run", weights=pretrained.path
        )
    unfinished = shutil.copytree(pretrained.path, tmp_path / "unfinished")
    (unfinished / "network.safetensors").unlink()
    with pytest.raises(RunError, match="has not finished"):
        training.train("compact", split, RECIPE, out=tmp_path / "run", weights=unfinished)


def test_command_line_trains_on_several_and_resumes(roots, tmp_path, run):
    places = [argument for root in roots for argument in ("--data", root)]
    recipe = tmp_path / "recipe.json"
    recipe.write_text(json.dumps({"batch_size": 16, "source_shares": {"clinic": 0.5, "other": 0.5}}))
    options = ["--size", "16", "--epochs", "1", "--recipe", recipe, "--out", tmp_path / "run"]
    code, _, err = run("train", "compact", *places, "--labels", "HAM10000", "--labels", "ISIC2019", *options)
    assert code == 0, err
    code, _, err = run("train", "compact", "--out", tmp_path / "run", "--resume")
    assert code == 0, err
    assert "nothing to resume" in err
