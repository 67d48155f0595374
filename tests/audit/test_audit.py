import json
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from lentigo import data
from lentigo.audit import audit, describe, write_audit, writing
from lentigo.audit.duplicates import Duplicate
from lentigo.audit.duplicates.fingerprints import THUMBNAIL, Fingerprints
from lentigo.audit.duplicates.local_features import Features
from lentigo.audit.metadata import find_contradictions, find_faults, find_missing
from lentigo.data.records import Problem, Records, make_table
from lentigo.errors import DataError, OutputError


@pytest.fixture(scope="module")
def spoiled(synthetic_records, tmp_path_factory) -> Records:
    """The first 80 synthetic images and four faults: a turned copy under another lesion and diagnosis, a file twice,
    and a damaged file."""
    folder = tmp_path_factory.mktemp("spoiled")
    some = synthetic_records.take(synthetic_records.ids[:80])
    table = some.table.copy()
    first = table.iloc[0]
    with Image.open(first["path"]) as image:
        image.transpose(Image.Transpose.ROTATE_90).save(folder / "turned.png")
    (folder / "again.jpg").write_bytes(Path(table.loc[5, "path"]).read_bytes())
    (folder / "broken.jpg").write_bytes(Path(first["path"]).read_bytes()[:300])
    other_dx = "mel" if first["dx"] != "mel" else "nv"
    rows = [
        {**first, "image_id": "turned", "lesion_id": "L_turned", "dx": other_dx, "path": str(folder / "turned.png")},
        {**table.loc[5], "image_id": "again", "lesion_id": "L_again", "path": str(folder / "again.jpg")},
        {**table.loc[6], "image_id": "broken", "lesion_id": "L_broken", "path": str(folder / "broken.jpg")},
    ]
    spoilt = make_table(pd.concat([table, pd.DataFrame(rows)], ignore_index=True).drop(columns="malignant"))
    spoilt.loc[8, ["age", "sex", "site"]] = [200.0, "mal", "left ear lobe"]
    known = (
        ("turned", first["image_id"]),
        (some.ids[10], some.ids[20]),
        ("broken", some.ids[30]),
        ("absent", some.ids[0]),
    )
    return replace(some, table=spoilt, known_pairs=known)


@pytest.fixture(scope="module")
def found(spoiled):
    return audit(spoiled)


def test_what_was_spoilt_is_found(spoiled, found):
    across = {(d.first, d.second, d.kind) for d in found.across}
    first, sixth = spoiled.ids[0], spoiled.ids[5]
    assert {(first, "turned", "copy"), (sixth, "again", "identical")} <= across
    # Other views of those two lesions may join as well, and nothing else may.
    lesion = spoiled.table.set_index("image_id")["lesion_id"]
    joined = {frozenset(lesion[[d.first, d.second]]) for d in found.across}
    assert joined == {frozenset((lesion[first], "L_turned")), frozenset((lesion[sixth], "L_again"))}
    assert [u.file for u in found.unreadable] == ["broken"]
    conflicted = {i: dx for conflict in found.conflicts for i, dx in conflict.diagnoses.items()}
    assert conflicted["turned"] != conflicted[first]
    assert len(found.conflicts) == 1 + (spoiled.table.loc[10, "dx"] != spoiled.table.loc[20, "dx"])
    kinds = [f.kind for f in found.faults if f.file == spoiled.ids[8]]
    assert sorted(kinds) == ["impossible age", "unknown sex", "unknown site"]


def test_groups_join_lesions_published_pairs_and_what_was_found(spoiled, found):
    group = dict(zip(spoiled.ids, found.groups, strict=True))
    assert group[spoiled.ids[0]] == group["turned"]
    assert group[spoiled.ids[5]] == group["again"]
    assert group[spoiled.ids[10]] == group[spoiled.ids[20]]
    assert found.rediscovered == (("turned", spoiled.ids[0]),)


def test_a_split_takes_the_pairs(spoiled, found):
    split = data.split(spoiled, pairs=found.pairs)
    side = split.manifest.set_index("image_id")["part"]
    assert side[spoiled.ids[0]] == side["turned"]
    assert side[spoiled.ids[5]] == side["again"]
    assert dict(zip(split.manifest["image_id"], split.manifest["group"], strict=True)) == dict(
        zip(spoiled.ids, found.groups, strict=True)
    )


# Saving


class Page(HTMLParser):
    """Collects what a page shows and what it would fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.text, self.sources, self.tags = [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.sources += [value for name, value in attrs if name in ("src", "href")]

    def handle_data(self, data):
        self.text.append(data)


def test_the_json_is_complete_sorted_and_the_same_again(found, tmp_path):
    found.save(tmp_path / "one")
    found.save(tmp_path / "two")
    text = (tmp_path / "one" / "audit.json").read_text()
    assert text == (tmp_path / "two" / "audit.json").read_text()
    content = json.loads(text)
    assert list(content) == sorted(content)
    assert content["schema"] == "lentigo.audit/1"
    assert content["summary"] == found.summary()
    assert [(d["first"], d["second"]) for d in content["duplicates"]] == list(found.pairs)
    assert content["groups"] == dict(zip(found.records.ids, found.groups, strict=True))
    assert [u["file"] for u in content["unreadable"]] == ["broken"]
    assert sorted(path.name for path in (tmp_path / "one").iterdir()) == ["audit.html", "audit.json"]


def test_the_page_shows_the_pairs_and_fetches_nothing(found, tmp_path):
    found.save(tmp_path)
    page = Page()
    page.feed((tmp_path / "audit.html").read_text(encoding="utf-8"))
    text = " ".join(page.text)
    assert page.sources
    assert all(source.startswith("data:image/jpeg;base64,") for source in page.sources)
    assert "script" not in page.tags
    phrases = (
        "turned",
        "different diagnoses",
        "identical",
        "broken",
        "an age of 200 years",
        "left ear lobe",
        "published",
    )
    for words in phrases:
        assert words in text
    assert page.tags.count("img") >= 2 * len(found.across)


def test_an_unreadable_image_in_a_published_pair_costs_its_picture_alone(spoiled, found, tmp_path):
    """The search misses such a pair, so that the page shows it, and once lost the whole audit over it."""
    assert ("broken", spoiled.ids[30]) in spoiled.known_pairs
    found.save(tmp_path)
    page = (tmp_path / "audit.html").read_text(encoding="utf-8")
    assert page.count("can't be read</p>") == 1
    assert f"<figcaption>{spoiled.ids[30]}" in page
    assert "<figcaption>broken" in page


def test_strange_pictures_are_no_reason_to_stop(toy_records, tmp_path):
    shapes = [(1, 1), (1, 4000), (4000, 1), (7, 7), (64, 64), (64, 64)]
    for i, shape in enumerate(shapes):
        Image.new("L", shape, 255).save(tmp_path / f"{i}.png")
    Path(tmp_path / "6.png").write_bytes(b"")
    (tmp_path / "7.png").mkdir()
    records = toy_records([f"L{i}" for i in range(8)], ["nv"] * 8, [("i000", "i006"), ("i007", "i001")])
    table = records.table.assign(path=[str(tmp_path / f"{i}.png") for i in range(8)])
    found = audit(replace(records, table=table, root=tmp_path / "elsewhere"))
    found.save(tmp_path / "out")
    assert {"i006", "i007"} <= {problem.file for problem in found.unreadable}


def test_what_reading_left_out_is_on_the_page_in_the_json_and_in_the_sentence(found, tmp_path):
    problems = (
        *(Problem(f"gone{i}", "no image file of that name", "missing image") for i in range(63)),
        Problem("i1", "unknown diagnosis 'melanom'", "unknown diagnosis"),
        Problem("<b>stray</b>.jpg", "no row names it", "extra image", "ignored"),
    )
    told = replace(found, records=replace(found.records, problems=problems))
    told.save(tmp_path)
    page = Page()
    page.feed((tmp_path / "audit.html").read_text(encoding="utf-8"))
    text = " ".join(" ".join(page.text).split())
    assert "missing image 63 skipped gone0: no image file of that name" in text
    assert "and 58 more, in audit.json" in text
    assert "unknown diagnosis 1 skipped i1: unknown diagnosis 'melanom'" in text
    assert "extra image 1 ignored" in text
    content = json.loads((tmp_path / "audit.json").read_text())
    assert len(content["reading"]) == 65
    assert content["reading"][63]["reason"] == "unknown diagnosis 'melanom'"
    assert "missing image 63" in str(told)
    assert "Reading" not in str(found)


# Where it is written


def test_outputs_are_refused_before_the_search(synthetic_records, tmp_path, monkeypatch):
    monkeypatch.setattr(writing, "audit", lambda *_: pytest.fail("searched first"))
    (tmp_path / "file").write_text("mine")
    for out in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(OutputError, match="file"):
            write_audit(synthetic_records, out)
        with pytest.raises(OutputError, match="file"):
            describe(synthetic_records, out)
    for inside in (synthetic_records.root, synthetic_records.root / "audit"):
        with pytest.raises(OutputError, match="inside the data set"):
            write_audit(synthetic_records, inside)
        with pytest.raises(OutputError, match="inside the data set"):
            describe(synthetic_records, inside)
    assert not (synthetic_records.root / "audit").exists()
    table = synthetic_records.table[["image_id", "dx", "path"]]
    (tmp_path / "set").mkdir()
    table.to_csv(tmp_path / "set" / "table.csv", index=False)
    for named in (tmp_path / "set", tmp_path / "set" / "table.csv"):
        records = data.read(named, outside=True)
        for write in (write_audit, describe):
            with pytest.raises(OutputError, match="inside the data set"):
                write(records, tmp_path / "set" / "new")
    assert [path.name for path in (tmp_path / "set").iterdir()] == ["table.csv"]
    with pytest.raises(DataError, match="no such file"):
        write_audit(synthetic_records, tmp_path / "out", split=tmp_path / "nowhere.csv")
    (tmp_path / "leaks.csv").write_text("image_id,split\n")
    with pytest.raises(OutputError, match=r"leaks\.csv: this is one of the inputs"):
        write_audit(synthetic_records, tmp_path, split=tmp_path / "leaks.csv")


def test_names_are_escaped_on_the_page(found, tmp_path):
    records = replace(found.records, name="<script>alert(1)</script>")
    replace(found, records=records).save(tmp_path)
    assert "<script" not in (tmp_path / "audit.html").read_text(encoding="utf-8")


def test_a_clean_source_is_called_clean(synthetic_records, tmp_path):
    clean = audit(synthetic_records.take(synthetic_records.ids[:30]))
    assert clean.across == clean.conflicts == clean.faults == clean.unreadable == ()
    assert clean.summary()["groups"] == clean.summary()["lesions"]
    clean.save(tmp_path)
    text = (tmp_path / "audit.html").read_text(encoding="utf-8")
    assert "None: every group has one diagnosis." in text
    assert "No impossible values" in text


def test_a_source_that_knows_only_benign_and_malignant(spoiled):
    table = spoiled.table.assign(malignant=spoiled.table["image_id"] == "turned", dx=None)
    found = audit(replace(spoiled, table=table, known_pairs=()))
    assert {dx for c in found.conflicts for dx in c.diagnoses.values()} == {"benign", "malignant"}


def test_a_source_without_any_readable_image_is_refused(toy_records):
    with pytest.raises(DataError, match="none of 2 images can be read"):
        audit(toy_records(["a", "b"], ["nv", "nv"]))


# Patients


def test_other_lesions_of_a_patient_share_a_group_but_are_no_conflict(toy_records):
    records = toy_records(list("abc"), ["nv", "mel", "nv"])
    records = replace(records, table=records.table.assign(patient_id=["p", "p", None], site=["ear", "face", "ear"]))
    empty = Features(np.zeros((0, 2), np.float32), np.zeros((0, 128), np.uint8))
    noise = np.random.default_rng(0).integers(0, 255, (3, THUMBNAIL, THUMBNAIL), dtype=np.uint8)
    prints = Fingerprints(records.ids, np.array(["1", "2", "3"], dtype=object), noise, (empty,) * 3)
    found = audit(records, prints)
    assert found.groups.tolist() == ["a", "a", "c"]
    assert found.conflicts == ()
    assert found.faults == ()


# Metadata


def test_missing_impossible_and_contradictory_values(toy_records):
    records = toy_records(list("aabbcde"), ["nv"] * 7)
    table = records.table.assign(
        age=[30.0, 30.0, -1.0, np.nan, 120.0, 121.0, 7.0],
        sex=["male", "female", "Female", "unknown", "x", None, "other"],
        site=["back", "chest", "back", "unknown", "unknown", "torso", "back"],
    )
    records = replace(records, table=table)
    assert find_missing(records) == {"dx": 0, "dx_type": 7, "age": 1, "sex": 2, "site": 2, "source": 7}
    assert [(f.file, f.kind) for f in find_faults(records)] == [
        ("i002", "impossible age"), ("i005", "impossible age"), ("i004", "unknown sex"),
    ]  # fmt: skip
    lesions = records.table["lesion_id"].to_numpy(dtype=object)
    contradictions = [(f.file, f.kind, f.reason) for f in find_contradictions(records, lesions)]
    assert contradictions == [
        ("a", "contradictory sex", "one lesion, several values: i000 male, i001 female"),
        ("a", "contradictory site", "one lesion, several values: i000 back, i001 chest"),
    ]


def test_the_sentence_counts(found):
    assert "1 of 3 published pairs rediscovered" in str(found)  # one image of the fourth is not here
    assert isinstance(found.duplicates[0], Duplicate)


# The real one


def test_the_real_ham10000_has_its_lesions(real_records):
    assert real_records.table["lesion_id"].nunique() == 7470
    missing = find_missing(real_records)
    assert missing["age"] == 57
    assert list(find_faults(real_records)) == []


def test_an_audit_does_not_go_among_other_files(synthetic_records, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(OutputError, match=r"notes\.txt"):
        write_audit(synthetic_records, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
