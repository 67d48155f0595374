from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lentigo import data
from lentigo.data.copies import original_id
from lentigo.data.protocols import PROTOCOLS, Protocol
from lentigo.data.protocols.balanced import PER_CLASS
from lentigo.errors import DataError, LeakError

HONEST = [name for name, protocol in PROTOCOLS.items() if not protocol.leaky]
LEAKY = [name for name, protocol in PROTOCOLS.items() if protocol.leaky]
SOURCES = ["clinic_a", "clinic_b", "clinic_c"]


def with_sources(records, seed=0):
    sources = np.random.default_rng(seed).choice(SOURCES, len(records))
    sources[:3] = SOURCES
    return replace(records, table=records.table.assign(source=sources))


@pytest.fixture
def official(tmp_path) -> Path:
    """A folder to read records from, beside which official parts are put."""
    (tmp_path / "ham").mkdir()
    return tmp_path / "ham"


def write_parts(records, parts) -> None:
    table = pd.DataFrame({"split": parts, "image_id": records.ids, "lesion_id": records.table["lesion_id"]})
    table.to_csv(records.root.parent / "dermamnist_official_split.csv", index=False)


@st.composite
def tables(draw):
    """Lesion, diagnosis and official part of each image, and pairs of duplicates between lesions."""
    kinds = draw(st.lists(st.sampled_from(["nv", "nv", "mel", "df"]), min_size=16, max_size=60))
    counts = draw(st.lists(st.integers(1, 5), min_size=len(kinds), max_size=len(kinds)))
    lesions = [f"L{i:02d}" for i, count in enumerate(counts) for _ in range(count)]
    dx = [kinds[int(lesion[1:])] for lesion in lesions]
    image = st.integers(0, len(lesions) - 1)
    pairs = draw(st.lists(st.tuples(image, image), max_size=5))
    parts = draw(st.lists(st.sampled_from(["train", "val", "test"]), min_size=len(lesions), max_size=len(lesions)))
    return lesions, dx, [(f"i{a:03d}", f"i{b:03d}") for a, b in pairs], parts


@pytest.mark.parametrize("protocol", HONEST)
@settings(deadline=None, max_examples=40)
@given(table=tables(), fold=st.integers(0, 4), folds=st.integers(2, 6), seed=st.integers(0, 9))
def test_no_honest_protocol_puts_one_group_on_two_sides(
    toy_records, tmp_path_factory, protocol, table, fold, folds, seed
):
    lesions, dx, pairs, parts = table
    root = tmp_path_factory.getbasetemp() / "property" / "ham"
    root.mkdir(parents=True, exist_ok=True)
    records = replace(with_sources(toy_records(lesions, dx), seed), root=root)
    write_parts(records, parts)
    try:
        split = data.split(records, protocol, fold=fold, folds=folds, seed=seed, pairs=pairs)
    except DataError as error:
        assert any(words in str(error) for words in ("too few", "no fold", "only benign or only malignant"))
        return
    # Told by the lesions and the pairs themselves, not by the groups that the manifest names.
    side = split.manifest.set_index("image_id")["part"]
    used = side[side != "unused"]
    lesion = records.table.set_index("image_id")["lesion_id"]
    assert used.groupby(lesion[used.index]).nunique().max() <= 1
    assert all(side[a] == side[b] for a, b in pairs if {side[a], side[b]}.isdisjoint({"unused"}))
    assert sorted(side.index) == sorted(records.ids)


@settings(deadline=None, max_examples=30)  # up to six splits each
@given(table=tables(), folds=st.integers(2, 6), seed=st.integers(0, 9))
def test_class_shares_of_the_folds_stay_within_the_largest_group(toy_records, table, folds, seed):
    """The bound that `grouped` states."""
    lesions, dx, pairs, _ = table
    records = toy_records(lesions, dx)
    try:
        made = [data.split(records, fold=fold, folds=folds, seed=seed, pairs=pairs) for fold in range(folds)]
    except DataError as error:
        assert "too few" in str(error)
        return
    largest = made[0].manifest["group"].value_counts().max()
    for name, total in records.table["dx"].value_counts().items():
        for split in made:
            assert abs((split.test.table["dx"] == name).sum() - total / folds) <= largest
    assert sorted(np.concatenate([split.test.ids for split in made])) == sorted(records.ids)


def test_every_protocol_says_what_it_is_in_its_name_manifest_and_words(toy_records, official):
    records = replace(
        with_sources(toy_records([f"L{i // 2:02d}" for i in range(120)], ["nv", "nv", "mel", "mel"] * 30)),
        root=official,
    )
    write_parts(records, ["train", "val", "test"] * 40)
    assert set(PROTOCOLS) == {
        "grouped", "image_level_leaky", "oversampled_then_split_leaky", "balanced_subset", "balanced_subset_leaky",
        "dermamnist_official_leaky", "dermamnist_corrected", "external",
    }  # fmt: skip
    for name, protocol in PROTOCOLS.items():
        split = data.split(records, name)
        split.save(official / f"{name}.csv")
        first = (official / f"{name}.csv").read_text().partition("\n")[0]
        assert protocol.leaky == split.leaky == ("leaky" in name) == ("LEAKY" in str(split))
        assert f'"protocol": "{name}", "leaky": {"true" if protocol.leaky else "false"}' in first
        assert protocol.summary.endswith(".")
        loaded = data.load_split(official / f"{name}.csv", records)
        assert loaded.hash == split.hash
        assert loaded.train.ids.tolist() == split.train.ids.tolist()


# Folds


@pytest.mark.parametrize("protocol", ["grouped", "image_level_leaky", "oversampled_then_split_leaky"])
def test_k_folds_test_every_image_once(toy_records, protocol):
    records = toy_records([f"L{i // 2:02d}" for i in range(120)], ["nv", "nv", "nv", "nv", "mel", "mel"] * 20)
    made = [data.split(records, protocol, fold=fold, folds=3) for fold in range(3)]
    assert sorted(np.concatenate([s.test.ids for s in made])) == sorted(made[0].manifest["image_id"])
    shares = made[0].counts()["images"] / len(made[0].manifest)
    assert shares["test"] == pytest.approx(1 / 3, abs=0.03)
    assert shares["validation"] == pytest.approx(2 / 3 / 8, abs=0.03)
    with pytest.raises(DataError, match=r"no fold 3\. Folds are 0 to 2"):
        data.split(records, protocol, fold=3, folds=3)
    with pytest.raises(DataError, match="leave nothing to train on"):
        data.split(records, protocol, folds=1)


def test_image_level_parts_lesions(toy_records):
    records = toy_records([f"L{i // 4:02d}" for i in range(120)], ["nv"] * 120)
    split = data.split(records, "image_level_leaky")
    assert set(split.train.table["lesion_id"]) & set(split.test.table["lesion_id"])


# Oversampled


@pytest.fixture
def imbalanced(toy_records):
    return toy_records([f"L{i:02d}" for i in range(60)], ["nv"] * 48 + ["mel"] * 9 + ["df"] * 3)


def test_oversampling_fills_every_class_up_with_copies_on_both_sides(imbalanced):
    split = data.split(imbalanced, "oversampled_then_split_leaky")
    counts = split.records.table["dx"].value_counts().to_dict()
    assert counts == {"nv": 48, "mel": 48, "df": 48}
    copies = [i for i in split.records.ids if i != original_id(i)]
    assert len(copies) == 144 - 60
    assert set(map(original_id, split.train.ids)) & set(map(original_id, split.test.ids))
    # A copy is its original but for the id.
    both = split.records.table.set_index("image_id")
    columns = ["lesion_id", "dx", "path"]
    assert (both.loc[copies, columns].to_numpy() == both.loc[list(map(original_id, copies)), columns].to_numpy()).all()
    assert data.split(imbalanced, "oversampled_then_split_leaky").hash == split.hash
    assert data.split(imbalanced, "oversampled_then_split_leaky", seed=1).hash != split.hash


def test_an_oversampled_split_comes_back_from_its_file(imbalanced, tmp_path):
    split = data.split(imbalanced, "oversampled_then_split_leaky")
    split.save(tmp_path / "split.csv")
    loaded = data.load_split(tmp_path / "split.csv", imbalanced)
    assert loaded.hash == split.hash
    pd.testing.assert_frame_equal(loaded.test.table, split.test.table)
    with pytest.raises(DataError, match="no image"):
        data.load_split(tmp_path / "split.csv", imbalanced.take(imbalanced.ids[1:]))


@pytest.mark.parametrize("protocol", list(PROTOCOLS))
def test_resampling_before_splitting_is_refused(imbalanced, protocol):
    """By hand, or with the records of the one protocol that resamples."""
    table = imbalanced.table
    by_hand = pd.concat([table, table.tail(3).assign(image_id=["x", "y", "z"])], ignore_index=True)
    oversampled = data.split(imbalanced, "oversampled_then_split_leaky").records
    for records in (replace(imbalanced, table=by_hand), oversampled):
        with pytest.raises(LeakError, match=r"share their image file .* Resample only the training part"):
            data.split(records, protocol)


def test_only_a_leaky_protocol_may_resample():
    with pytest.raises(ValueError, match="is leaky, and has to say so"):
        Protocol(lambda *_: None, leaky=False, summary="Pretends.", resample=lambda records, seed: records)
    assert [name for name, p in PROTOCOLS.items() if p.resample] == ["oversampled_then_split_leaky"]


# The balanced subset


@pytest.mark.parametrize("protocol", ["balanced_subset", "balanced_subset_leaky"])
def test_the_balanced_subset_has_the_published_sizes(toy_records, protocol):
    lesions = [f"L{i // 2:04d}" for i in range(4000)]
    records = toy_records(lesions, ["nv", "nv", "mel", "mel", "bkl", "bkl", "bcc", "bcc"] * 500)
    split = data.split(records, protocol)
    sizes = split.counts()["images"]
    assert sizes["test"] == 240
    assert sizes["train"] + sizes["validation"] == 960
    assert split.test.table["malignant"].sum() == 120
    assert split.train.table["malignant"].sum() + split.validation.table["malignant"].sum() == 480
    used = split.manifest.loc[split.manifest["part"] != "unused", "group"]
    assert used.is_unique == (protocol == "balanced_subset")
    again = data.split(records, protocol, seed=1)
    assert set(again.test.ids) != set(split.test.ids)


def test_a_small_source_keeps_all_its_malignant_images(toy_records):
    records = toy_records([f"L{i:02d}" for i in range(60)], ["nv"] * 40 + ["mel"] * 15 + ["bcc"] * 5)
    split = data.split(records, "balanced_subset_leaky")
    used = records.take(split.manifest.loc[split.manifest["part"] != "unused", "image_id"])
    assert used.table["malignant"].sum() == 20 == len(used) / 2
    assert PER_CLASS == 600
    benign = records.take(records.ids[:40])
    with pytest.raises(DataError, match="only benign or only malignant"):
        data.split(benign, "balanced_subset")


# DermaMNIST


def test_the_official_parts_are_taken_from_the_table(toy_records, official):
    records = replace(toy_records(list("aabbcde"), ["nv"] * 7), root=official)
    write_parts(records, ["train", "test", "val", "val", "test", "train", "test"])
    given = data.split(records, "dermamnist_official_leaky")
    assert given.manifest["part"].tolist() == ["train", "test", "validation", "validation", "test", "train", "test"]
    corrected = data.split(records, "dermamnist_corrected")
    assert corrected.manifest["part"].tolist() == [
        "train",
        "train",
        "validation",
        "validation",
        "test",
        "train",
        "test",
    ]
    # A duplicate joins two lesions, which then go to training together.
    paired = data.split(records, "dermamnist_corrected", pairs=[("i002", "i004")])
    assert paired.manifest["part"].tolist() == ["train", "train", "train", "train", "train", "train", "test"]
    with pytest.raises(DataError, match=r"no fold 1\. There is only fold 0"):
        data.split(records, "dermamnist_official_leaky", fold=1)


def test_the_parts_that_an_array_brings_are_used(toy_records):
    records = toy_records(list("aabc"), ["nv"] * 4)
    records = replace(records, name="dermamnist", table=records.table.assign(source=["train", "test", "val", "test"]))
    split = data.split(records, "dermamnist_official_leaky")
    assert split.manifest["part"].tolist() == ["train", "test", "validation", "test"]
    with pytest.raises(DataError, match="comes with the corrected split"):
        data.split(replace(records, name="dermamnist_c"), "dermamnist_official_leaky")
    unknown = replace(records, table=records.table.assign(lesion_id=records.ids))
    with pytest.raises(DataError, match="no lesion ids to correct"):
        data.split(unknown, "dermamnist_corrected")


def test_a_missing_or_broken_table_is_refused(toy_records, official):
    records = replace(toy_records(list("abcd"), ["nv"] * 4), root=official)
    with pytest.raises(DataError, match=r"no table with the official split .* Put dermamnist_official_split.csv"):
        data.split(records, "dermamnist_official_leaky")
    write_parts(records, ["train", "test", "evaluation", "val"])
    with pytest.raises(DataError, match="unknown part 'evaluation'"):
        data.split(records, "dermamnist_official_leaky")
    write_parts(toy_like(records, ["x", "y", "z", "w"]), ["train", "test", "val", "val"])
    with pytest.raises(DataError, match="none of its images is among the records"):
        data.split(records, "dermamnist_official_leaky")
    path = official.parent / "dermamnist_official_split.csv"
    path.write_text("split,image_id\ntrain,i000\ntest,i000\n")
    with pytest.raises(DataError, match="not one split for each image_id"):
        data.split(records, "dermamnist_official_leaky")


def toy_like(records, ids):
    return replace(records, table=records.table.assign(image_id=ids))


# External


def test_external_tests_on_one_source_and_drops_what_it_shares(toy_records):
    records = toy_records([f"L{i // 2:02d}" for i in range(80)], ["nv", "nv", "mel", "mel"] * 20)
    records = replace(records, table=records.table.assign(source=["a"] * 41 + ["b"] * 39))
    split = data.split(records, "external", fold=1)
    assert set(split.test.table["source"]) == {"b"}
    assert len(split.test) == 39
    assert set(split.train.table["source"]) == {"a"}
    # Lesion L20 has an image in each source: the one in the other source is not learnt from.
    side = split.manifest.set_index("image_id")["part"]
    assert (side["i040"], side["i041"]) == ("unused", "test")
    assert len(data.split(records, "external", fold=0).test) == 41
    with pytest.raises(DataError, match="no fold 2"):
        data.split(records, "external", fold=2)


def test_external_needs_sources(toy_records):
    records = toy_records([f"L{i}" for i in range(20)], ["nv"] * 20)
    with pytest.raises(DataError, match="20 images have no source"):
        data.split(records, "external")
    with pytest.raises(DataError, match="only one source"):
        data.split(replace(records, table=records.table.assign(source="a")), "external")


# The real one


def test_the_real_dermamnist_split_leaks_and_its_correction_has_the_published_sizes(real_root, real_records):
    if not (real_root.parent / "dermamnist_official_split.csv").is_file():
        pytest.skip("needs dermamnist_official_split.csv beside the real HAM10000")
    # The published correction knows lesion ids alone.
    records = replace(real_records, known_pairs=())
    official = data.split(records, "dermamnist_official_leaky")
    assert official.counts()["images"].to_dict() == {"test": 2005, "train": 7007, "validation": 1003}
    corrected = data.split(records, "dermamnist_corrected")
    assert corrected.counts()["images"].to_dict() == {"test": 1232, "train": 8208, "validation": 575}


def test_the_real_balanced_subset(real_records):
    split = data.split(real_records, "balanced_subset")
    sizes = split.counts()
    assert sizes.loc["test"].to_dict() == {"images": 240, "groups": 240}
    assert sizes["images"].sum() == 10015
