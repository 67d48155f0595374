import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from lentigo import data, taxonomy
from lentigo.audit.describing import Description, describe, writer
from lentigo.audit.describing.appearance import examine, samples
from lentigo.audit.describing.findings import findings
from lentigo.audit.describing.summary import class_names, summarise
from lentigo.audit.describing.wording import count, listed, percent
from lentigo.data.records import Problem, Records, make_table
from lentigo.errors import DataError, OutputError
from lentigo.labels import Label, LabelSet

HOSTILE = "<script>alert('$x^')</script> & co"


def table(dx: list[str], **columns: list) -> Records:
    """Records without pictures."""
    ids = [f"i{i:03d}" for i in range(len(dx))]
    return Records(make_table(pd.DataFrame({"image_id": ids, "dx": dx, "path": ids} | columns)), "made", Path("made"))


def picture(level: int, seed: int, width: int = 40, height: int = 30) -> np.ndarray:
    """A dark square in the middle of brighter noise."""
    pixels = np.random.default_rng(seed).integers(level, level + 60, (height, width, 3), dtype=np.uint8)
    pixels[height // 3 : 2 * height // 3, width // 3 : 2 * width // 3] //= 2
    return pixels


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> Records:
    """48 images of three diagnoses, two to a lesion, with gaps in the table; one file is damaged."""
    folder = tmp_path_factory.mktemp("pictures")
    dx = ["nv"] * 36 + ["mel"] * 8 + ["df"] * 4
    rows = []
    for i, d in enumerate(dx):
        path = folder / f"i{i:03d}.png"
        size = (40, 30) if i % 3 else (60, 45)
        Image.fromarray(picture({"nv": 150, "mel": 60, "df": 120}[d], i, *size)).save(path)
        rows.append(
            {
                "image_id": path.stem,
                "lesion_id": f"l{i // 2}",
                "dx": d,
                "dx_type": "histo" if d == "mel" or i % 4 == 0 else "follow_up",
                "age": None if i < 3 else 0 if i == 3 else 40 + 5 * (i % 3) + (20 if d == "mel" else 0),
                "sex": "unknown" if i == 5 else ("male", "female")[i % 2],
                "site": None if i == 7 else HOSTILE if d == "df" else "back",
                "source": "clinic_a" if d == "nv" else "clinic_b",
                "path": str(path),
            }
        )
    (folder / "i001.png").write_bytes(b"no picture")
    problem = Problem("stray.png", "no row names it", "extra image", "ignored")
    return Records(make_table(pd.DataFrame(rows)), "made", folder, (problem,), licence="CC0", citation="Nobody, 2020.")


@pytest.fixture(scope="module")
def described(records: Records, tmp_path_factory: pytest.TempPathFactory) -> Description:
    return describe(records, tmp_path_factory.mktemp("out") / "made")


@pytest.fixture(scope="module")
def binary() -> Records:
    """What a pixel array knows: benign or malignant and nothing else."""
    pixels = np.stack([picture(60 + i, i, 12, 12) for i in range(20)])
    ids = [f"row{i}" for i in range(20)]
    rows = pd.DataFrame({"image_id": ids, "malignant": [i % 2 == 0 for i in range(20)]})
    rows["path"] = [f"array.npz#{i}" for i in range(20)]
    return Records(make_table(rows), "array", Path("array.npz"), pixels=pixels)


@pytest.fixture(scope="module")
def binary_described(binary: Records, tmp_path_factory: pytest.TempPathFactory) -> Description:
    return describe(binary, tmp_path_factory.mktemp("binary"))


def numbers(description: Description) -> dict:
    return json.loads((description.folder / "numbers.json").read_text(encoding="utf-8"))


def test_every_figure_is_there_with_its_numbers(described: Description) -> None:
    figures = {p.name for p in (described.folder / "figures").iterdir()}
    names = [*described.findings, *(f"samples_{c}" for c in ("nv", "mel", "df"))]
    assert figures == {f"{name}.{suffix}" for name in names for suffix in ("png", "svg")}
    told = numbers(described)["figures"]
    assert set(told) == set(described.findings)
    assert all(figure["numbers"] for figure in told.values())
    with Image.open(described.folder / "figures" / "classes.png") as drawn:
        assert min(drawn.size) > 200


def test_the_numbers_are_those_of_the_table(described: Description) -> None:
    told = numbers(described)
    figures = {name: figure["numbers"] for name, figure in told["figures"].items()}
    assert told["images"] == 48
    assert told["lesions"] == 24
    assert told["problems"] == {"extra image": 1, "unreadable image": 1}
    assert figures["classes"]["mel"] == {
        "name": "melanoma",
        "malignant": True,
        "kind": "malignant",
        "images": 8,
        "lesions": 4,
        "share": 8 / 48,
    }
    assert figures["images_per_lesion"]["lesions"] == {"2": 24}
    assert figures["missing"]["age"] == {"mel": 0, "df": 0, "nv": 3}
    assert figures["missing"]["sex"]["nv"] == 1
    assert figures["missing"]["site"]["nv"] == 1
    assert figures["age"]["zero"] == 1
    assert sum(figures["age"]["bins"]["nv"].values()) == 33
    assert figures["source"] == {
        "mel": {"clinic_a": 0, "clinic_b": 8},
        "df": {"clinic_a": 0, "clinic_b": 4},
        "nv": {"clinic_a": 36, "clinic_b": 0},
    }
    assert figures["sizes"] == {"40x30": 31, "60x45": 16}


def test_the_page_is_self_contained_and_says_what_was_found(described: Description) -> None:
    page = described.page.read_text(encoding="utf-8")
    assert not re.findall(r'(?:src|href)="(?!data:|#)', page)
    assert not re.findall(r"url\((?!#)|@import|<script", page)
    for name, finding in described.findings.items():
        assert f'id="{name}"' in page
        assert finding.title.split("'")[0].split("<")[0] in page
    for target in re.findall(r'href="#([a-z_]+)"', page):
        assert f'id="{target}"' in page
    for words in ("CC0", "Nobody, 2020.", "stray.png", "i001.png", "not a medical device"):
        assert words in page


def test_pictures_are_shown_and_the_unreadable_one_is_not(described: Description) -> None:
    page = described.page.read_text(encoding="utf-8")
    assert page.count('<img src="data:image/jpeg;base64,') == 8 + 8 + 4
    assert "<figcaption>i001" not in page


def test_values_from_the_table_can_not_become_markup(described: Description) -> None:
    page = described.page.read_text(encoding="utf-8")
    assert "&lt;script&gt;alert(" in page
    assert "<script" not in page


def test_drawings_take_the_colours_of_the_page(described: Description) -> None:
    svgs = re.findall(r"<svg.*?</svg>", described.page.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert len(svgs) == len(described.findings)
    for svg in svgs:
        assert 'role="img"' in svg
        assert "#1c1c1e" not in svg
        assert not re.match(r"<svg[^>]* (width|height)=", svg)


def test_a_source_that_knows_little_gives_an_honest_page(binary_described: Description) -> None:
    assert set(binary_described.findings) == {"classes", "images_per_lesion", "missing", "sizes", "colours", "means"}
    assert "does not say which images show the same lesion" in binary_described.findings["images_per_lesion"].title
    assert binary_described.findings["missing"].title == (
        "There is no age, diagnosis confirmation, sex, body site and source"
    )
    told = numbers(binary_described)
    assert told["lesions"] is None
    assert set(told["figures"]["classes"]["numbers"]) == {"benign", "malignant"}
    assert "row0" in binary_described.page.read_text(encoding="utf-8")


def test_the_same_records_give_the_same_files(binary: Records, binary_described: Description, tmp_path: Path) -> None:
    again = describe(binary, tmp_path)
    first = {p.relative_to(binary_described.folder): p for p in binary_described.folder.rglob("*.*") if p.is_file()}
    assert {p.relative_to(tmp_path) for p in again.folder.rglob("*") if p.is_file()} == set(first)
    for name, path in first.items():
        assert path.read_bytes() == (tmp_path / name).read_bytes(), name


def test_figures_of_an_earlier_description_are_gone_and_other_files_are_kept(
    records: Records, binary: Records, tmp_path: Path
) -> None:
    describe(records, tmp_path)
    (tmp_path / "figures" / "notes.png").write_bytes(b"of the user")
    describe(binary, tmp_path)
    figures = {path.stem for path in (tmp_path / "figures").iterdir()}
    shown = set(json.loads((tmp_path / "numbers.json").read_text())["figures"])
    assert figures == shown | {"samples_benign", "samples_malignant", "notes"}


def test_nothing_unfinished_is_left(binary: Records, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full_disk(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(writer, "render", full_disk)
    with pytest.raises(OutputError, match=r"no space left on device.*Free some space"):
        describe(binary, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_colours_and_mean_pictures_are_numpys(binary: Records) -> None:
    labels = class_names(binary)
    seen = examine(binary, labels)
    part = binary.pixels[(labels == "malignant").to_numpy()] / 255
    row = seen.colours.loc[("malignant", "green")]
    assert row["mean"] == pytest.approx(part[..., 1].mean((1, 2)).mean())
    assert row["between"] == pytest.approx(part[..., 1].mean((1, 2)).std())
    assert row["within"] == pytest.approx(part[..., 1].std((1, 2)).mean())
    assert seen.means["malignant"].mean() == pytest.approx(part.mean(), abs=0.01)
    assert seen.contrast["malignant"] > 0.1


def test_samples_are_of_different_lesions(records: Records) -> None:
    shown = samples(records, class_names(records), 4, seed=0)
    lesion = records.table.set_index("image_id")["lesion_id"]
    assert len({lesion[i] for i, _ in shown["mel"]}) == 4
    assert [i for i, _ in shown["mel"]] == [i for i, _ in samples(records, class_names(records), 4, seed=0)["mel"]]


def test_nothing_to_describe_is_refused() -> None:
    with pytest.raises(DataError, match="no records"):
        summarise(table([]))
    absent = table(["nv", "mel"])
    with pytest.raises(DataError, match="none of 2 images"):
        examine(absent, class_names(absent))


def test_a_diagnosis_that_some_images_lack_leaves_benign_or_malignant() -> None:
    rows = pd.DataFrame({"image_id": ["a", "b"], "dx": ["nv", None], "malignant": [False, True], "path": "x"})
    assert list(class_names(Records(make_table(rows), "made", Path("made")))) == ["nv", "malignant"]


@settings(max_examples=5, deadline=None)
@given(st.lists(st.integers(1, 6), min_size=5, max_size=40), st.integers(0, 99))
def test_the_leak_is_what_random_test_parts_show(sizes: list[int], seed: int) -> None:
    lesions = [f"l{k}" for k, size in enumerate(sizes) for _ in range(size)]
    found = summarise(table(["nv"] * len(lesions), lesion_id=lesions)).leak
    generator = np.random.default_rng(seed)
    _, codes = np.unique(lesions, return_inverse=True)
    test = round(len(codes) * 0.2)
    orders = [generator.permutation(codes) for _ in range(3000)]
    share = np.mean([np.isin(order[:test], order[test:]).mean() for order in orders])
    assert found == pytest.approx(share, abs=0.03)


def test_fields_give_malignancy_away_or_not() -> None:
    found = summarise(
        table(["nv", "nv", "mel", "mel"], site=["a", "a", "b", "b"], sex=["m", "f", "m", "f"], age=[10, 20, 20, 30])
    ).shortcut
    assert found["site"] == 1
    assert found["sex"] == 0.5
    assert found["age"] == pytest.approx(0.875)


def test_balanced_and_lone_classes_are_told_as_such(binary: Records) -> None:
    seen = examine(binary, class_names(binary))
    assert "equally common" in findings(summarise(binary), seen)["classes"].title
    lone = binary.take(binary.ids[::2])
    told = findings(summarise(lone), examine(lone, class_names(lone)))
    assert told["classes"].title == "All images are of one class: malignant"


def test_imbalance_is_told_with_its_numbers(described: Description) -> None:
    finding = described.findings["classes"]
    assert finding.title == "75\u00a0% of the images are melanocytic nevus"
    assert "miss every one of the 8 malignant ones" in finding.text
    assert "there are 9.0 of melanocytic nevus" in finding.text


@given(st.floats(0, 1))
def test_percentages_never_round_to_none_or_all(share: float) -> None:
    text = percent(share)
    if text != "less than 0.1\u00a0%":
        assert float(text.removesuffix("\u00a0%")) / 100 == pytest.approx(share, abs=0.0051)
        assert (text == "0\u00a0%") == (share == 0)
        assert (text == "100\u00a0%") == (share == 1)


def test_the_description_prints_what_to_know_and_where_it_lies(described: Description) -> None:
    text = str(described)
    assert described.findings["classes"].title in text
    assert "i001" in text
    assert text.endswith(str(described.page))


def test_words() -> None:
    assert count(1, "image") == "1 image"
    assert count(1113, "image") == "1,113 images"
    assert listed(["a"]) == "a"
    assert listed(["a", "b", "c"]) == "a, b and c"


def test_the_real_images(real_records: data.Records) -> None:
    found = summarise(real_records)
    assert found.images == 10015
    assert found.lesions == 7470
    assert found.classes["images"].to_dict() == {
        "akiec": 327, "bcc": 514, "mel": 1113, "bkl": 1099, "df": 115, "nv": 6705, "vasc": 142
    }  # fmt: skip
    assert set(found.classes.index) == set(taxonomy.CLASSES)
    assert found.missing.loc["age"].sum() == 57
    assert found.ages.loc["nv", "median"] == 45


def test_labels_of_ones_own_are_named_and_none_is_called_benign_unasked(tmp_path: Path) -> None:
    mine = LabelSet("mine", (Label("a", "first thing", True), Label("b", "second thing"), Label("c", "third", False)))
    rows = pd.DataFrame({"image_id": list("uvwxyz"), "dx": list("aabbcc"), "path": list("uvwxyz")})
    found = summarise(Records(make_table(rows, mine), "made", tmp_path, label_set=mine))
    assert found.classes["name"].to_dict() == {"a": "first thing", "b": "second thing", "c": "third"}
    assert found.classes["kind"].to_dict() == {"a": "malignant", "b": "not stated", "c": "benign"}


def test_a_page_does_not_go_among_other_files(synthetic_records, tmp_path):
    (tmp_path / "index.html").write_text("mine")
    with pytest.raises(OutputError, match=r"index\.html"):
        describe(synthetic_records, tmp_path)
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("index.html", "mine")]
