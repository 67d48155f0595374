"""The searches for duplicates: what each finds on pictures whose changes are known, and what none may join."""

import hashlib
import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from scipy import sparse

from lentigo.audit.auditing import audit
from lentigo.audit.duplicates import find_duplicates, search, take_fingerprints
from lentigo.audit.duplicates.embedding import COMMON, embed, nearest
from lentigo.audit.duplicates.fingerprints import take_fingerprint
from lentigo.audit.duplicates.local_features import Features, count_consistent, extract_features
from lentigo.audit.duplicates.perceptual import BITS, SYMMETRIES, correlate, hash_signs, similar_hashes
from lentigo.audit.duplicates.search import VIEW_FEATURES
from lentigo.data.records import Records, Source, make_table
from lentigo.errors import DataError

Change = Callable[[Image.Image], Image.Image]

LESIONS = 25


def recompressed(quality: int) -> Change:
    def change(image: Image.Image) -> Image.Image:
        file = io.BytesIO()
        image.save(file, "JPEG", quality=quality)
        return Image.open(io.BytesIO(file.getvalue()))

    return change


def cropped(share: float) -> Change:
    """The part around a point off the centre, `share` of each side, at the former size: as from nearer by."""

    def change(image: Image.Image) -> Image.Image:
        width, height = image.size
        left, top = 0.4 * (1 - share) * width, 0.6 * (1 - share) * height
        return image.resize(
            image.size, Image.Resampling.BICUBIC, (left, top, left + share * width, top + share * height)
        )

    return change


def turned(degrees: float) -> Change:
    """Turned around the centre, then cut so that no corner is empty."""
    return lambda image: cropped(0.7)(image.rotate(degrees, Image.Resampling.BICUBIC))


COPIES: dict[str, Change] = {
    "mirrored": lambda image: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
    "upside down": lambda image: image.transpose(Image.Transpose.FLIP_TOP_BOTTOM),
    "quarter turn": lambda image: image.transpose(Image.Transpose.ROTATE_90),
    "half turn": lambda image: image.transpose(Image.Transpose.ROTATE_180),
    "mirrored quarter turn": lambda image: image.transpose(Image.Transpose.TRANSVERSE),
    "recompressed": recompressed(40),
    "smaller": lambda image: image.resize((image.width // 2, image.height // 2), Image.Resampling.LANCZOS),
    "brighter": lambda image: image.point(lambda value: min(255, int(value * 1.1 + 5))),
}
VIEWS: dict[str, Change] = {
    "small crop": cropped(0.8),
    "nearer by": cropped(0.6),
    "turned by 10 degrees": turned(10),
    "turned by 50 degrees": turned(50),
    "nearer by and recompressed": lambda image: recompressed(70)(cropped(0.75)(image)),
}


@pytest.fixture(scope="module")
def lesions(synthetic_records) -> Records:
    """One image of each of 25 lesions."""
    first = synthetic_records.table.drop_duplicates("lesion_id")["image_id"].tolist()
    return synthetic_records.take(first[:LESIONS])


def with_changed(lesions: Records, change: Change, folder: Path) -> Records:
    """The lesions, and each once more as it looks after the change, called after the first with a '+' behind."""
    rows = []
    for row in lesions.table.to_dict("records"):
        with Image.open(row["path"]) as image:
            change(image.convert("RGB")).save(folder / f"{row['image_id']}.png")
        rows.append({**row, "image_id": f"{row['image_id']}+", "path": str(folder / f"{row['image_id']}.png")})
    return replace(lesions, table=make_table(pd.concat([lesions.table, pd.DataFrame(rows)], ignore_index=True)))


def joined(records: Records) -> dict[tuple[str, str], str]:
    """Kind of each pair found, by image ids."""
    return {(d.first, d.second): d.kind for d in find_duplicates(take_fingerprints(records))}


# What is found, and how much of it


@pytest.mark.parametrize("name", COPIES)
def test_every_copy_is_found_and_nothing_else(lesions, tmp_path, name):
    found = joined(with_changed(lesions, COPIES[name], tmp_path))
    assert found == {(i, f"{i}+"): "copy" for i in lesions.ids}


@pytest.mark.parametrize("name", VIEWS)
def test_nearly_every_view_is_found_and_nothing_else(lesions, tmp_path, name):
    found = joined(with_changed(lesions, VIEWS[name], tmp_path))
    right = {(i, f"{i}+") for i in lesions.ids}
    assert set(found) <= right
    assert len(found) >= 0.9 * LESIONS
    assert "identical" not in found.values()


def of_two_data_sets(lesions: Records, change: Change, folder: Path) -> Records:
    """The lesions, and as a second data set each of them changed, as in `with_changed`."""
    both = with_changed(lesions, change, folder)
    table = both.table.assign(data_set=["a"] * len(lesions) + ["b"] * len(lesions))
    return replace(both, table=table, sources=(Source("a", Path("a")), Source("b", Path("b"))))


@pytest.mark.parametrize(
    "change",
    [
        lambda image: image.resize((84, 84)),
        lambda image: image.crop(
            ((image.width - image.height) // 2, 0, (image.width + image.height) // 2, image.height)
        ),
    ],
    ids=["squashed", "central square"],
)
def test_copies_are_found_between_data_sets_that_frame_them_in_other_ways(lesions, tmp_path, change):
    records = of_two_data_sets(lesions, change, tmp_path)
    found = find_duplicates(take_fingerprints(records), across=True)
    assert {(d.first, d.second): d.kind for d in found} == {(i, f"{i}+"): "copy" for i in lesions.ids}


def test_views_squashed_against_each_other_are_found_between_data_sets(lesions, tmp_path):
    records = of_two_data_sets(lesions, lambda image: cropped(0.75)(image).resize((150, 150)), tmp_path)
    found = find_duplicates(take_fingerprints(records), across=True)
    right = {(i, f"{i}+") for i in lesions.ids}
    assert {(d.first, d.second) for d in found} <= right
    assert len(found) >= 0.8 * LESIONS


def test_an_audit_of_several_data_sets_counts_what_joins_them(lesions, tmp_path):
    records = of_two_data_sets(lesions, lambda image: image.resize((84, 84)), tmp_path)
    found = audit(records)
    assert found.summary()["duplicates_across_data_sets"] == {"copy": LESIONS}
    assert f"{LESIONS} pairs join data sets" in str(found)
    assert len(set(found.groups)) == LESIONS


def test_identical_files_are_told_from_copies_and_chained_to_the_first(lesions, tmp_path):
    rows = lesions.table[:2].to_dict("records")
    for name in "ab":
        path = tmp_path / f"{name}.jpg"
        path.write_bytes(Path(rows[0]["path"]).read_bytes())
        rows.append({**rows[0], "image_id": name, "path": str(path)})
    found = joined(replace(lesions, table=make_table(pd.DataFrame(rows))))
    first = lesions.ids[0]
    assert found == {(first, "a"): "identical", (first, "b"): "identical", ("a", "b"): "copy"}


def test_different_lesions_are_not_joined(synthetic_records):
    one_each = synthetic_records.table.drop_duplicates("lesion_id")["image_id"]
    assert len(one_each) == 150
    assert joined(synthetic_records.take(one_each)) == {}


def test_the_same_pairs_are_found_in_any_order(lesions, tmp_path):
    records = with_changed(lesions, VIEWS["small crop"], tmp_path)
    shuffled = records.take(np.random.default_rng(0).permutation(records.ids))
    assert joined(records) == joined(shuffled)


def test_pixels_of_an_array_are_compared_as_files_are(lesions):
    pictures = np.stack([lesions.decode(path) for path in lesions.table["path"][:4]])
    pictures = np.concatenate([pictures, pictures[:1], pictures[1:2, ::-1]])
    rows = pd.DataFrame({"image_id": list("abcdef"), "dx": "nv", "path": [f"p.npz#{i}" for i in range(6)]})
    records = Records(make_table(rows), "array", Path("p.npz"), pixels=pictures)
    assert joined(records) == {("a", "e"): "identical", ("b", "f"): "copy"}


# Bad and strange pictures


def test_unreadable_files_are_named_and_left_out(lesions, tmp_path):
    (tmp_path / "cut.jpg").write_bytes(Path(lesions.table["path"][0]).read_bytes()[:400])
    table = lesions.table[:3].assign(
        path=[str(tmp_path / "cut.jpg"), str(tmp_path / "absent.jpg"), lesions.table["path"][2]]
    )
    prints = take_fingerprints(replace(lesions, table=table))
    assert prints.ids.tolist() == [lesions.ids[2]]
    assert [p.file for p in prints.problems] == lesions.ids[:2].tolist()
    assert "damaged or truncated" in prints.problems[0].reason
    assert "no such file" in prints.problems[1].reason
    assert find_duplicates(prints) == ()


def test_a_source_without_a_readable_file_is_refused(toy_records):
    with pytest.raises(DataError, match="none of 2 images can be read"):
        take_fingerprints(toy_records(["a", "b"], ["nv", "nv"]))


def test_blank_pictures_are_no_copies_of_one_another():
    pictures = np.stack([np.full((40, 50, 3), value, np.uint8) for value in (0, 90, 255)])
    rows = pd.DataFrame({"image_id": list("abc"), "dx": "nv", "path": [f"p.npz#{i}" for i in range(3)]})
    assert joined(Records(make_table(rows), "blank", Path("p.npz"), pixels=pictures)) == {}


def framed(tone: tuple[int, int, int], place: tuple[float, float], seed: int) -> NDArray[np.uint8]:
    """A small dark spot on skin of one tone, in the round dark frame of a dermatoscope."""
    rows, columns = np.mgrid[-1:1:150j, -1:1:200j]
    skin = np.array(tone) + np.random.default_rng(seed).normal(0, 3, (150, 200, 3))
    spot = np.hypot(rows - place[0], columns - place[1]) < 0.1
    frame = np.clip(8 * (1.05 - np.hypot(rows, columns)), 0, 1)
    return (np.where(spot[..., None], 0.4, 1.0) * skin * frame[..., None]).clip(0, 255).astype(np.uint8)


def test_a_common_frame_makes_no_copies(monkeypatch):
    pictures = np.stack([framed((210, 160, 160), (0.1, 0), 0), framed((200, 150, 140), (-0.15, 0.1), 1)])
    rows = pd.DataFrame({"image_id": list("ab"), "dx": "nv", "path": ["p.npz#0", "p.npz#1"]})
    records = Records(make_table(rows), "framed", Path("p.npz"), pixels=pictures)
    monkeypatch.setattr(search, "HASH_BITS", BITS)  # the pair is a candidate, whatever its hashes
    assert joined(records) == {}
    monkeypatch.setattr(search, "RIM", 1)
    assert joined(records) == {("a", "b"): "copy"}  # the frame alone would make them one


# The hash


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 2**32 - 1), which=st.integers(0, len(SYMMETRIES) - 1))
def test_a_turned_or_mirrored_thumbnail_has_one_of_the_eight_hashes(seed: int, which: int) -> None:
    thumbnail = np.random.default_rng(seed).integers(0, 256, (64, 64), dtype=np.uint8)
    transposed, rows, columns = SYMMETRIES[which]
    moved = (thumbnail.T if transposed else thumbnail)[::rows, ::columns]
    hashes = hash_signs(np.stack([thumbnail, moved]))
    assert hashes.shape == (8, 2, BITS)
    # A coefficient may be 0 up to rounding, and its sign either.
    assert ((hashes[:, 0] != hashes[0, 1]).sum(axis=1)).min() <= 1
    assert correlate(thumbnail[None], moved[None])[0] == pytest.approx(1)


def test_hashes_within_the_bits_are_all_named() -> None:
    signs = np.where(np.random.default_rng(0).random((1, 40, BITS)) < 0.5, -1.0, 1.0).astype(np.float32)
    signs[0, 30] = signs[0, 3]
    signs[0, 30, :8] *= -1
    signs[0, 31] = signs[0, 3]
    signs[0, 31, :9] *= -1
    brute = [(i, j) for i in range(40) for j in range(i + 1, 40) if (signs[0, i] != signs[0, j]).sum() <= 8]
    assert (3, 30) in brute
    assert (3, 31) not in brute
    assert similar_hashes(signs, 8).tolist() == [list(pair) for pair in brute]


# The embedding


def made(*words: list[int]) -> list[Features]:
    """Features whose descriptors are chosen from 40 fixed ones."""
    known = np.random.default_rng(1).integers(0, 256, (40, 128), dtype=np.uint8)
    return [Features(np.zeros((len(w), 2), np.float32), known[w]) for w in words]


def test_images_that_share_rare_features_are_neighbours() -> None:
    vectors = embed(made([0, 1, 2, 9], [0, 1, 3, 9], [4, 5, 6, 9], [7, 8, 10, 9]))
    likeness = (vectors @ vectors.T).toarray()
    # All say the words of 9, which therefore mean nothing; the last two share no others.
    assert likeness == pytest.approx(np.array([[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]), abs=1e-5)
    assert nearest(vectors, 1).tolist() == [[0, 1]]


def test_a_word_said_twice_counts_once() -> None:
    vectors = embed(made([0, 0, 1, 1, 1], [2, 3, 3], [0, 1], [2, 2, 3], [4]))
    likeness = (vectors @ vectors.T).toarray()
    assert likeness[[0, 1], [2, 3]] == pytest.approx(np.ones(2), abs=1e-5)
    assert nearest(vectors, 1).tolist() == [[0, 2], [1, 3]]


def test_words_that_very_many_images_say_are_passed_over() -> None:
    assert embed(made(*[[9]] * COMMON, [])).nnz > 0
    assert embed(made(*[[9]] * (COMMON + 1), [])).nnz == 0


def test_images_without_features_have_no_neighbours() -> None:
    assert embed(made([], [])).nnz == 0
    vectors = embed(made([0, 1], [0, 1], []))
    assert (nearest(vectors, 2) != 2).all()


def test_neighbours_are_those_of_the_whole_matrix() -> None:
    generator = np.random.default_rng(0)
    values = generator.random((1200, 300), dtype=np.float32)
    vectors = sparse.csr_array(np.where(values < 0.05, values, 0))
    likeness = (vectors @ vectors.T).toarray()
    np.fill_diagonal(likeness, 0)
    best = np.argsort(-likeness, axis=1)[:, :3]
    wanted = {(min(i, j), max(i, j)) for i, row in enumerate(best.tolist()) for j in row}
    assert {tuple(pair) for pair in nearest(vectors, 3).tolist()} == wanted


# Local features


def features_of(pixels: NDArray[np.uint8]) -> Features:
    return take_fingerprint(pixels).features


def test_a_shifted_lesion_keeps_its_features_and_another_has_others(lesions):
    pictures = [lesions.decode(path) for path in lesions.table["path"][:2]]
    first, second = (features_of(picture) for picture in pictures)
    shifted = features_of(pictures[0][10:, 20:])
    assert count_consistent(first, shifted, VIEW_FEATURES) >= VIEW_FEATURES
    assert count_consistent(first, second, VIEW_FEATURES) < VIEW_FEATURES


def test_too_few_features_count_as_none():
    few = Features(np.zeros((3, 2), np.float32), np.eye(3, 128, dtype=np.uint8) * 255)
    assert count_consistent(few, few, 4) == 0


def test_matches_on_one_spot_count_as_none(lesions):
    features = features_of(lesions.decode(lesions.table["path"][0]))
    spot = replace(features, points=features.points / 100)
    assert count_consistent(features, features, VIEW_FEATURES) > VIEW_FEATURES
    assert count_consistent(spot, spot, VIEW_FEATURES) == 0


def test_a_blank_image_has_no_features():
    assert len(extract_features(Image.new("L", (100, 80)))) == 0


# The real ones


def test_published_pairs_and_identical_files_are_found_among_real_images(real_records):
    records = real_records
    files = pd.Series([hashlib.sha256(Path(path).read_bytes()).hexdigest() for path in records.table["path"]])
    twice = records.ids[files.duplicated(keep=False)]
    published = [i for pair in records.known_pairs for i in pair]
    found = joined(records.take(dict.fromkeys([*twice, *published, *records.ids[:200]])))
    assert sorted(i for pair, kind in found.items() if kind == "identical" for i in pair) == sorted(twice)
    assert len(twice) == 4
    assert sum((min(pair), max(pair)) in found for pair in records.known_pairs) >= 16
