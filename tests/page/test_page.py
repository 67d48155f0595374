"""Reading the file, packing, joining and writing: without a browser."""

import base64
import gzip
import hashlib
import json
import re
import struct
from contextlib import suppress
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import numpy_helper

from lentigo import texts
from lentigo.errors import BundleError, DataError, OutputError
from lentigo.page import ENGINES, write_page
from lentigo.page.onnx_file import read_graph
from lentigo.page.packing import pack, rounded
from lentigo.page.script import join_modules
from lentigo.page.writing import page_html
from lentigo.runtime import Bundle, shipped_models

ROOT = Path(__file__).parent.parent.parent
SHIPPED = shipped_models()["lentigo-s"]


@pytest.fixture(scope="module")
def text(page_file) -> str:
    return page_file.read_text(encoding="utf-8")


def element(text: str, id: str) -> str:
    return re.search(rf'<script[^>]* id="{id}">(.*?)</script>', text, re.DOTALL)[1]


def test_the_graph_is_what_onnx_reads():
    model, found = onnx.load(SHIPPED), read_graph(SHIPPED.read_bytes())
    assert found.outputs == [o.name for o in model.graph.output]
    assert [(n.op, n.inputs, n.outputs) for n in found.nodes] == [
        (n.op_type, list(n.input), list(n.output)) for n in model.graph.node
    ]
    for ours, theirs in zip(found.nodes, model.graph.node, strict=True):
        for attribute in theirs.attribute:
            value = onnx.helper.get_attribute_value(attribute)
            assert ours.attributes[attribute.name] == (value.decode() if isinstance(value, bytes) else value)
    for tensor in model.graph.initializer:
        np.testing.assert_array_equal(found.constants[tensor.name], numpy_helper.to_array(tensor))


@given(st.integers(0, 200_000), st.binary(min_size=1, max_size=8))
@settings(max_examples=60, deadline=None)
def test_damage_is_an_error_of_lentigo(place, junk):
    content = SHIPPED.read_bytes()[:200_000]
    with suppress(BundleError):
        read_graph(content[:place] + junk + content[place + len(junk) :])


@given(st.integers(1, 6), st.integers(2, 300), st.integers(0, 1000))
@settings(max_examples=40, deadline=None)
def test_rounding_keeps_the_sum_of_each_filter(rows, columns, seed):
    weights = np.random.default_rng(seed).normal(size=(rows, columns)).astype(np.float32)
    half = rounded(weights).astype(np.float64)
    step = 2.0**-10 * np.abs(weights).max()
    assert np.abs(half.sum(1) - weights.sum(1, dtype=np.float64)).max() <= step
    assert np.abs(half - weights).max() <= 2 * step


def test_what_is_packed():
    content = pack(Bundle(SHIPPED, threads=1))
    (length,) = struct.unpack("<I", content[:4])
    header = json.loads(content[4 : 4 + length])
    assert header["model"]["name"] == "lentigo-s" and set(header["outputs"]) == {"probabilities", "cam", "ood_score"}
    assert "fingerprints" not in header["model"], "who was trained on stays out of pages"
    assert {op for op, *_ in header["nodes"]} >= {"Conv", "Softmax"}
    assert "Shape" not in {op for op, *_ in header["nodes"]}, "crop and resize are the page's own"


def test_the_page_holds_the_model_and_its_hash(text):
    packed = gzip.decompress(base64.b64decode(element(text, "model")))
    assert hashlib.sha256(packed).hexdigest() == json.loads(element(text, "config"))["sha256"]["model"]


def test_the_policy_allows_this_script_and_style_alone(text):
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', text)[1]
    assert policy.startswith("default-src 'none'") and "unsafe-inline" not in policy and "connect-src" not in policy
    for part in (
        re.search(r'<script type="module">(.*?)</script>', text, re.DOTALL)[1],
        re.search("<style>(.*?)</style>", text, re.DOTALL)[1],
    ):
        assert f"'sha256-{base64.b64encode(hashlib.sha256(part.encode()).digest()).decode()}'" in policy


def test_nothing_is_loaded_from_elsewhere(text):
    without = re.sub(r"http://www\.w3\.org/2000/svg", "", text)
    assert not re.search(r"https?://|//cdn|@import|\bfetch\(|XMLHttpRequest|sendBeacon|WebSocket|localStorage", without)


def test_sizes(text):
    """Today's model under 1 MB in all; a model of 100 kB, as lentigo-n is to be, under 300 kB."""
    rest = len(text.encode()) - len(element(text, "model"))
    assert len(text.encode()) < 1_000_000
    assert rest + 100_000 * 4 / 3 < 300_000


def test_the_same_bundle_makes_the_same_page(tmp_path, text):
    assert write_page(SHIPPED, tmp_path / "again.html").read_text(encoding="utf-8") == text


def test_no_file_is_overwritten(tmp_path):
    out = tmp_path / "page.html"
    out.write_text("mine")
    with pytest.raises(OutputError, match="already exists"):
        write_page(SHIPPED, out)
    assert out.read_text() == "mine"
    assert write_page(SHIPPED, out, overwrite=True).stat().st_size > 400_000
    bundle = tmp_path / SHIPPED.name
    bundle.write_bytes(SHIPPED.read_bytes())
    with pytest.raises(OutputError, match="one of the inputs"):
        write_page(bundle, bundle, overwrite=True)


def test_an_unknown_engine(tmp_path):
    with pytest.raises(DataError, match="no engine 'owl'"):
        write_page(SHIPPED, tmp_path / "page.html", engine="owl")
    with pytest.raises(DataError, match="doesn't use onnxruntime-web"):
        write_page(SHIPPED, tmp_path / "page.html", ort=tmp_path)
    assert ENGINES == ("own", "ort") and not list(tmp_path.iterdir())


def test_from_the_command_line(run, tmp_path):
    code, out, err = run("export", SHIPPED, tmp_path / "page.html")
    assert code == 0, err
    assert str(tmp_path / "page.html") in out and (tmp_path / "page.html").is_file()
    code, _, err = run("export", SHIPPED, tmp_path / "page.html")
    assert code == 1 and "already exists" in err


def test_joined_modules_have_names_of_their_own():
    modules = {
        "main.js": 'import { a, b as c } from "./other.js";\nconst x = 1;\nwindow.found = a + c + x;\n',
        "other.js": "// a comment\nconst x = 2;\nexport const a = x;\nexport function b() {}\n",
    }
    script = join_modules("main.js", modules.__getitem__)
    assert "const { a, b: c } = module_other;" in script and "return { a, b };" in script and "comment" not in script


@pytest.mark.parametrize(
    ("modules", "words"),
    [
        ({"main.js": 'import { a } from "./b.js";\n', "b.js": 'import { c } from "./main.js";\n'}, "imports itself"),
        ({"main.js": 'import x from "./b.js";\n'}, "can't be joined"),
        ({"main.js": "export default 3;\n"}, "can't be joined"),
        ({"main.js": 'import { b } from "./b.js";\n', "b.js": "export const a = 1, b = 2;\n"}, "doesn't export b"),
    ],
)
def test_other_forms_of_modules_are_refused(modules, words):
    with pytest.raises(DataError, match=words):
        join_modules("main.js", modules.__getitem__)


def test_every_text_that_the_page_asks_for_exists():
    from importlib.resources import files

    app = files("lentigo.page").joinpath("app")
    code = "".join(file.read_text("utf-8") for file in app.iterdir())
    asked = set(re.findall(r'(?:say|english)\("([\w. ]+)"', code)) | set(re.findall(r'Refusal\("([\w.]+)"', code))
    assert asked <= set(texts.catalogue("en"))


def test_the_page_to_try_is_the_shipped_models():
    """docs/try/index.html is what `make try` writes; compressed bytes may differ between versions of zlib."""
    kept = (ROOT / "docs" / "try" / "index.html").read_text(encoding="utf-8")
    made = page_html(Bundle(SHIPPED, threads=1))
    for part in (kept, made):
        assert gzip.decompress(base64.b64decode(element(part, "model"))) == pack(Bundle(SHIPPED, threads=1))
    assert kept.replace(element(kept, "model"), "") == made.replace(element(made, "model"), ""), "run `make try`"
