import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pyarrow import parquet

from lentigo import bulk
from lentigo.runtime import shipped_models
from lentigo.runtime.bundle import HASH_KEY, METADATA_KEY, sealed


def picture(i: int) -> bytes:
    """The i-th of any number of different small lesions."""
    y, x = np.mgrid[:100, :130]
    spot = 1 / (1 + np.exp(((x - 65) ** 2 + (y - 50) ** 2 - 300 - 40 * i) / 90))
    noise = np.random.default_rng(i).normal(0, 6, (100, 130, 1))
    pixels = np.array([215, 165, 145]) * (1 - spot[..., None]) + np.array([90, 55, 45]) * spot[..., None] + noise
    file = io.BytesIO()
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(file, "JPEG", quality=90)
    return file.getvalue()


PICTURES = {f"lesion-{i:02d}.jpg": picture(i) for i in range(7)}


def write_tar(path: Path, members: dict[str, bytes], mode: str = "w") -> Path:
    with tarfile.open(path, mode) as archive:
        for name, content in members.items():
            header = tarfile.TarInfo(name)
            header.size = len(content)
            archive.addfile(header, io.BytesIO(content))
    return path


def rows(out: Path) -> list[dict]:
    """All rows in order; read as any reader of parquet folders does."""
    return parquet.read_table(out).to_pylist()


@pytest.fixture(scope="session")
def folder(tmp_path_factory) -> Path:
    """Seven images, one file that only claims to be one, a table and a hidden file; read-only by agreement."""
    root = tmp_path_factory.mktemp("images")
    (root / "second").mkdir()
    for i, (name, content) in enumerate(PICTURES.items()):
        (root / ("second" if i > 4 else ".") / name).write_bytes(content)
    (root / "broken.jpg").write_bytes(b"\xff\xd8\xff no picture")
    (root / "table.csv").write_text("image,age\n")
    (root / ".hidden").write_text("")
    return root


@pytest.fixture(scope="session")
def model(tmp_path_factory) -> Path:
    """The model that ships, with an OOD threshold that everything passes: synthetic pictures are gradable for it."""
    import onnx

    opened = onnx.load(shipped_models()["lentigo-s"])
    entries = {one.key: one for one in opened.metadata_props}
    described = json.loads(entries[METADATA_KEY].value)
    described["ood_score"]["threshold"] = 1e9
    entries[METADATA_KEY].value = json.dumps(described)
    entries[HASH_KEY].value = "0" * 64
    path = tmp_path_factory.mktemp("model") / "lenient.onnx"
    path.write_bytes(sealed(opened.SerializeToString()))
    return path


@pytest.fixture(scope="session")
def clean(folder, model, tmp_path_factory) -> list[dict]:
    """The rows of `folder`, from a run that nothing disturbed."""
    out = tmp_path_factory.mktemp("clean") / "out"
    bulk.classify(folder, out, model=model, images_per_part=3, maps=True, progress=False)
    return rows(out)
