import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from lentigo import data, taxonomy
from lentigo.data.sources import find_manifest, ham10000, synthetic
from lentigo.data.sources.synthetic import folder
from lentigo.data.sources.synthetic.canvas import Canvas
from lentigo.data.sources.synthetic.structures import LESIONS
from lentigo.errors import DataError


def digest(root: Path) -> dict[str, str]:
    """Every file below a folder by the hash of its content."""
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def test_it_is_in_the_layout_of_ham10000(synthetic_root):
    metadata = pd.read_csv(synthetic_root / "HAM10000_metadata.csv")
    assert list(metadata.columns) == [
        "lesion_id", "image_id", "dx", "dx_type", "age", "sex", "localization", "dataset",
    ]  # fmt: skip
    assert set(metadata["dataset"]) == {"synthetic"}
    records = ham10000.read(synthetic_root)
    assert len(records) == len(metadata)
    assert not records.problems


def test_it_reads_as_synthetic_and_says_so(synthetic_root, synthetic_records):
    assert synthetic_records.name == "synthetic"
    assert synthetic_records.licence != find_manifest("ham10000").licence
    assert "without any patient" in (synthetic_root / "SYNTHETIC.txt").read_text()
    assert len(data.read(synthetic_root, strict=True)) == len(synthetic_records)


def test_ids_are_none_of_ham10000(synthetic_records):
    numbers = synthetic_records.table["image_id"].str.removeprefix("ISIC_").astype(int)
    assert numbers.min() >= 9_000_000
    assert synthetic_records.table["lesion_id"].str.startswith("SYN_").all()


def test_every_class_has_lesions_and_nevi_are_most(synthetic_records):
    lesions = synthetic_records.table.groupby("dx")["lesion_id"].nunique()
    assert lesions.sum() == 150
    assert lesions.min() >= 8
    assert lesions.idxmax() == "nv"


@pytest.mark.parametrize("lesions", [7, 8, 20, 120, 121, 1000])
def test_the_shares_add_up_and_leave_no_class_out(lesions):
    counts = folder._lesions_per_class(lesions)
    assert sum(counts) == lesions
    assert min(counts) >= (8 if lesions >= 120 else 1)


def test_lesions_have_one_to_three_images_with_one_patient(synthetic_records):
    table = synthetic_records.table
    per_lesion = table.groupby("lesion_id")
    assert set(per_lesion.size()) == {1, 2, 3}
    for column in ("dx", "dx_type", "age", "sex", "site"):
        assert per_lesion[column].nunique(dropna=False).max() == 1, column


def test_metadata_is_plausible(synthetic_records):
    table = synthetic_records.table
    known = table["age"].dropna()
    assert 0 < table["age"].isna().mean() < 0.15
    assert known.between(0, 85).all()
    assert (known % 5 == 0).all()
    assert set(table["sex"]) <= {"male", "female", "unknown"}
    assert set(table["dx_type"]) <= {"histo", "follow_up", "consensus", "confocal"}
    assert (table.loc[table["dx"].isin(taxonomy.MALIGNANT), "dx_type"] == "histo").all()


def test_images_are_jpegs_of_the_size_asked_for(synthetic_records, tmp_path):
    with Image.open(synthetic_records.table["path"].iloc[0]) as image:
        assert (image.format, image.mode, image.size) == ("JPEG", "RGB", (200, 150))
    small = data.read(synthetic.make(tmp_path / "small", lesions=7, width=96, height=64))
    with Image.open(small.table["path"].iloc[0]) as image:
        assert image.size == (96, 64)


def test_the_same_seed_gives_the_same_files_and_another_seed_others(tmp_path):
    one, two, other = (
        digest(synthetic.make(tmp_path / name, lesions=14, seed=seed, width=64, height=48))
        for name, seed in (("one", 5), ("two", 5), ("other", 6))
    )
    assert one == two
    images = {name: hashed for name, hashed in one.items() if name.endswith(".jpg")}
    assert not set(images.values()) & set(other.values())


@pytest.mark.parametrize("dx", taxonomy.CLASSES)
def test_a_lesion_is_the_same_in_every_view(dx):
    """Turned by half a turn and magnified by two, a lesion shows the same amounts at the same places."""
    near, far = Canvas(81, 61, zoom=2.0, angle=np.pi), Canvas(81, 61)
    first = LESIONS[dx](far, np.random.default_rng(3))
    second = LESIONS[dx](near, np.random.default_rng(3))
    # Pixel (y, x) of the far view lies at twice the distance from the middle, on the other side.
    y, x = np.mgrid[20:41, 25:56]
    seen = second[:, 30 - 2 * (y - 30), 40 - 2 * (x - 40)]
    expected = first[:, y, x]
    # Vessels are drawn on pixels and hence differ at their edges.
    same = np.abs(seen - expected) < 0.01
    assert same.mean() > (0.9 if dx == "bcc" else 0.999)
    assert expected.std() > 0.1


def test_waves_have_mean_0_and_variance_1():
    canvas = Canvas(200, 150, zoom=0.2)
    fields = np.stack([canvas.waves(np.random.default_rng(i), 0.9, 0.3) for i in range(40)])
    assert abs(fields.mean()) < 0.05
    assert abs(fields.var() - 1.0) < 0.1


def test_classes_differ_in_colour_alone_but_not_completely(synthetic_records):
    """A linear model on a few colour statistics is far better than chance and far from perfect."""
    features = []
    for path in synthetic_records.table["path"]:
        pixels = np.asarray(Image.open(path).reduce(5), dtype=float)
        middle = pixels[8:22, 13:27].reshape(-1, 3)
        rest = np.median(pixels[3:27, 5:35].reshape(-1, 3), axis=0)
        features.append(
            np.concatenate([middle.mean(0) - rest, middle.std(0), np.percentile(middle, [5, 95], 0).ravel()])
        )
    x = StandardScaler().fit_transform(features)
    fold = data.split(synthetic_records)
    train = synthetic_records.table["image_id"].isin(fold.train.ids).to_numpy()
    model = LogisticRegression(max_iter=500, class_weight="balanced").fit(x[train], synthetic_records.labels[train])
    found = model.predict(x[~train]) == synthetic_records.labels[~train]
    assert 0.45 < found.mean() < 0.97


def test_too_few_lesions_and_too_small_images_are_refused(tmp_path):
    with pytest.raises(DataError, match="6 lesions are too few for 7 diagnoses"):
        synthetic.make(tmp_path / "out", lesions=6)
    with pytest.raises(DataError, match="16x150 pixels are too few"):
        synthetic.make(tmp_path / "out", width=16)
    assert not (tmp_path / "out").exists()


def test_a_folder_that_holds_something_else_is_never_touched(tmp_path):
    (tmp_path / "HAM10000_metadata.csv").write_text("the real one")
    before = digest(tmp_path)
    with pytest.raises(DataError, match="contains other files"):
        synthetic.make(tmp_path, lesions=7)
    assert digest(tmp_path) == before
    with pytest.raises(DataError, match="this is a file"):
        synthetic.make(tmp_path / "HAM10000_metadata.csv", lesions=7)


def test_an_interrupted_folder_is_no_data_set_and_can_be_made_again(tmp_path, monkeypatch):
    root = tmp_path / "out"
    save, saved = Image.Image.save, []

    def interrupt(self, path, **options):
        if len(saved) == 4:
            raise KeyboardInterrupt
        saved.append(path)
        save(self, path, **options)

    monkeypatch.setattr(Image.Image, "save", interrupt)
    with pytest.raises(KeyboardInterrupt):
        synthetic.make(root, lesions=7, width=64, height=48)
    monkeypatch.undo()
    assert len(list((root / "images").iterdir())) == 4
    with pytest.raises(DataError, match="interrupted"):
        data.read(root)

    synthetic.make(root, lesions=7, width=64, height=48)
    assert digest(root) == digest(synthetic.make(tmp_path / "whole", lesions=7, width=64, height=48))


def test_an_earlier_data_set_is_replaced_as_a_whole(tmp_path):
    root = synthetic.make(tmp_path / "out", lesions=20, width=64, height=48)
    synthetic.make(root, lesions=8, seed=1, width=64, height=48)
    records = data.read(root, strict=True)  # strict: an image that was left over would be a problem
    assert records.table["lesion_id"].nunique() == 8
