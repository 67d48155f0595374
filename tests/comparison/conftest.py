"""A bundle with embeddings, the index of its training part, and a classifier that takes every picture as a lesion."""

import pytest

from lentigo import comparison
from lentigo.runtime import Classifier


@pytest.fixture(scope="session")
def index_path(bundle_path, synthetic_root, tmp_path_factory):
    out = tmp_path_factory.mktemp("index") / "tiny.index.npz"
    return comparison.build_index(synthetic_root, bundle_path, out).path


@pytest.fixture
def classifier(bundle_path):
    """Its OOD threshold is out of the way: the network has learned too little for it to matter here."""
    found = Classifier.load(bundle_path)
    limit = found.bundle.metadata.ood_score.model_copy(update={"threshold": 1e9})
    found.bundle.metadata = found.bundle.metadata.model_copy(update={"ood_score": limit})
    return found


@pytest.fixture
def train(synthetic_records, classifier):
    """The records of the training part."""
    return synthetic_records.take(synthetic_records.ids[classifier.bundle.origin.train.contains(synthetic_records.ids)])
