"""What many tests need: synthetic lesions, tables without pictures, and the real images where they lie."""

import functools
import gc
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import settings

# Before torch and numpy are loaded: each of xdist's processes has a core, and what is computed here is small.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# A short training otherwise spends most of its time looking for cycles among torch's many objects.
gc.set_threshold(100_000, 50, 100)

# How long one example takes says how busy the machine is, and nothing of the code.
settings.register_profile("lentigo", settings.default, deadline=None)
settings.load_profile("lentigo")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests of real data; and let none have a name that differs between xdist's processes, which run none then."""
    for item in items:
        if "real_root" in getattr(item, "fixturenames", ()):
            item.add_marker("real")
    addresses = [item.nodeid for item in items if " at 0x" in item.nodeid]
    if addresses:
        raise pytest.UsageError(f"{addresses[0]}: the name holds an address in memory; give the parameter an id")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Let torch's exporter read its operators once: it does at each export, a sixth of the time of a small one."""
    exporter = sys.modules.get("torch.onnx._internal.exporter._registration")
    registry = getattr(exporter, "ONNXRegistry", None)
    if registry and not hasattr(registry.from_torchlib, "cache_info"):
        registry.from_torchlib = staticmethod(functools.cache(registry.from_torchlib))


@pytest.fixture(scope="session")
def synthetic_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of 150 synthetic lesions in the layout of HAM10000; read-only by agreement."""
    from lentigo.data.sources import synthetic

    return synthetic.make(tmp_path_factory.mktemp("synthetic"), lesions=150, seed=0)


@pytest.fixture(scope="session")
def synthetic_records(synthetic_root: Path):
    """The records of `synthetic_root`."""
    from lentigo import data

    return data.read(synthetic_root)


@pytest.fixture(scope="session")
def toy_records() -> Callable:
    """Makes records without pictures from the lesion and the diagnosis of each image; image i is called 'i000'."""
    import pandas as pd

    from lentigo.data.records import Records, make_table

    def build(lesions: Sequence[str], dx: Sequence[str], pairs: Sequence[tuple[str, str]] = ()) -> Records:
        ids = [f"i{i:03d}" for i in range(len(lesions))]
        rows = pd.DataFrame({"image_id": ids, "lesion_id": list(lesions), "dx": list(dx), "path": ids})
        return Records(make_table(rows), "toy", Path("toy"), known_pairs=tuple(pairs))

    return build


@pytest.fixture(scope="session")
def real_root() -> Path:
    """The folder of the real HAM10000, from the environment variable LENTIGO_DATA."""
    root = os.environ.get("LENTIGO_DATA")
    if not root:
        pytest.skip("needs the real HAM10000: set LENTIGO_DATA to its folder")
    if not (Path(root) / "HAM10000_metadata.csv").is_file():
        pytest.fail(f"LENTIGO_DATA={root} holds no HAM10000_metadata.csv")
    return Path(root)


@pytest.fixture(scope="session")
def real_records(real_root: Path):
    """The records of the real HAM10000, read once."""
    from lentigo import data

    return data.read(real_root, strict=True)


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory):
    """Pixel caches of tests go where tests' files go."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LENTIGO_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def trained_run(synthetic_records, tmp_path_factory: pytest.TempPathFactory):
    """A finished run of two epochs on `synthetic_records`: enough to have everything, not to be good."""
    from lentigo import data, training

    recipe = training.Recipe(size=32, epochs=2, batch_size=32)
    return training.train("compact", data.split(synthetic_records), recipe, out=tmp_path_factory.mktemp("run") / "run")


@pytest.fixture(scope="session")
def bundle_path(trained_run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle of `trained_run`."""
    from lentigo import export

    return export.bundle(trained_run, tmp_path_factory.mktemp("bundle") / "tiny.onnx").path


@pytest.fixture
def run(monkeypatch, capsys):
    """Run the command line as from a shell: `lentigo ARGUMENTS`; gives (exit code, standard output, standard error)."""

    from lentigo.cli import main

    def call(*arguments):
        monkeypatch.setattr("sys.argv", ["lentigo", *map(str, arguments)])
        code = 0
        try:
            main()
        except SystemExit as stop:
            code = int(stop.code or 0)
        out, err = capsys.readouterr()
        return code, out, err

    return call


@pytest.fixture(scope="session")
def lenient():
    """The model that ships, with an OOD threshold that everything passes: synthetic pictures are gradable for it."""
    from lentigo.runtime import Classifier

    return _with_ood_threshold(Classifier.load(threads=1), 1e9)


@pytest.fixture(scope="session")
def rejecting():
    """The model that ships, with an OOD threshold that nothing passes."""
    from lentigo.runtime import Classifier

    return _with_ood_threshold(Classifier.load(threads=1), -1e9)


def _with_ood_threshold(classifier, threshold):
    described = classifier.bundle.metadata
    limit = described.ood_score.model_copy(update={"threshold": threshold})
    classifier.bundle.metadata = described.model_copy(update={"ood_score": limit})
    return classifier


@pytest.fixture(scope="session")
def lesion_jpeg() -> bytes:
    """A picture of a dark spot on skin, 160x120, as a JPEG."""
    import io

    import numpy as np
    from PIL import Image

    y, x = np.mgrid[:120, :160]
    spot = 1 / (1 + np.exp(((x - 80) ** 2 + (y - 60) ** 2 - 900) / 150))
    noise = np.random.default_rng(0).normal(0, 6, (120, 160, 1))
    pixels = np.array([215, 165, 145]) * (1 - spot[..., None]) + np.array([90, 55, 45]) * spot[..., None] + noise
    file = io.BytesIO()
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(file, "JPEG", quality=92)
    return file.getvalue()
