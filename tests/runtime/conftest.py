"""A classifier, a photograph and a folder of them."""

from dataclasses import asdict
from pathlib import Path

import pytest

from lentigo import Classifier
from lentigo.labels import HAM10000


@pytest.fixture(scope="session")
def classifier(bundle_path):
    return Classifier.load(bundle_path)


@pytest.fixture(scope="session")
def photo(synthetic_records):
    return synthetic_records.table["path"][0]


@pytest.fixture
def folder(tmp_path, synthetic_records):
    """Five images, one of them damaged, in two folders; and a text file that is none."""
    (tmp_path / "in" / "deep").mkdir(parents=True)
    for i, path in enumerate(synthetic_records.table["path"][:4]):
        place = tmp_path / "in" / ("deep" if i > 2 else ".")
        (place / f"{i}.jpg").write_bytes(Path(path).read_bytes())
    (tmp_path / "in" / "broken.jpg").write_bytes(b"\xff\xd8\xff not an image")
    (tmp_path / "in" / "notes.txt").write_text("not meant")
    return tmp_path / "in"


@pytest.fixture
def altered(bundle_path):
    """Makes a classifier whose bundle says something else of itself than the file does."""
    from lentigo.runtime import Bundle

    def make(**changes):
        bundle = Bundle(bundle_path)
        if classes := changes.pop("classes", None):
            head = bundle.metadata.heads[0]
            labels = [asdict(HAM10000[c]) for c in classes]
            changes["heads"] = (head.model_copy(update={"label_set": {**head.label_set, "labels": labels}}),)
        bundle.metadata = bundle.metadata.model_copy(update=changes)
        return Classifier(bundle)

    return make
