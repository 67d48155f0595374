"""The page in a browser, from the disk, without a network: the same results as the runtime."""

import re
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from PIL import Image

from lentigo.page import __file__ as page_package
from lentigo.page import write_page
from lentigo.runtime import Classifier, verdict_schema
from tests.page.conftest import Pocket

TOLERANCE = 0.02
"""Of a bundle in int8, whose steps magnify differences in the last digits; one in 32 or 16 bits is held to 1e-3."""
NUMBER = re.compile(r"\d+\.\d+")


@pytest.fixture(scope="session")
def classifier() -> Classifier:
    return Classifier.load(threads=1)


@pytest.fixture(scope="session")
def lesions(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The page's own examples and their mirror images; the third one is out of distribution."""
    folder, made = tmp_path_factory.mktemp("lesions"), []
    for path in sorted((Path(page_package).parent / "examples").glob("*.webp")):
        for name, turn in (("", None), ("-mirrored", Image.Transpose.FLIP_LEFT_RIGHT)):
            image = Image.open(path)
            made.append(folder / f"{path.stem}{name}.jpg")
            (image if turn is None else image.transpose(turn)).save(made[-1], quality=92)
    return made


def assert_same(found: dict, expected: dict, tolerance: float = TOLERANCE) -> None:
    """All of a verdict but rounding."""
    jsonschema.validate(found, verdict_schema())
    assert list(found) == list(expected)
    for key in (
        "gradable",
        "decision",
        "operating_point",
        "diagnosis",
        "view",
        "ood_threshold",
        "model",
        "model_sha256",
    ):
        assert found[key] == expected[key], key
    for a, b in zip(found["raw"]["probabilities"].values(), expected["raw"]["probabilities"].values(), strict=True):
        assert a == pytest.approx(b, abs=tolerance)
    assert found["ood_score"] == pytest.approx(expected["ood_score"], abs=10 * tolerance)
    assert NUMBER.sub("", found["next_step"]) == NUMBER.sub("", expected["next_step"])
    if expected["risks"]:
        for target, risk in expected["risks"].items():
            assert found["risks"][target] == pytest.approx(risk, abs=tolerance)


def test_results_are_the_runtimes(pocket, classifier, lesions):
    for found, path in zip(pocket.verdicts(lesions), lesions, strict=True):
        assert_same(found, classifier.classify(path).to_dict() | {"source": path.name})
    assert all(url.startswith(("file:", "blob:", "data:")) for url in pocket.asked)


def test_real_images(pocket, classifier, real_root):
    images = sorted(real_root.rglob("ISIC_*.jpg"))
    chosen = images[:: max(1, len(images) // 50)][:50]
    for found, path in zip(pocket.verdicts(chosen), chosen, strict=True):
        assert_same(found, classifier.classify(path).to_dict() | {"source": path.name})


NO_SIMD = """
    const compile = WebAssembly.Module;
    WebAssembly.Module = function (bytes) {
      if (new Uint8Array(bytes).includes(0xfd)) throw new WebAssembly.CompileError("invalid numeric opcode 0xfd");
      return new compile(bytes);
    };
"""


@pytest.mark.parametrize("without", ["delete globalThis.WebAssembly", NO_SIMD], ids=["WebAssembly", "SIMD"])
def test_without_webassembly_or_its_simd(browser, page_file, classifier, lesions, without):
    """Such a browser computes the same, more slowly."""
    opened = Pocket(browser, page_file)
    opened.page.add_init_script(without)
    opened.page.reload()
    opened.page.wait_for_selector("html[data-ready]")
    assert "engine javascript" in opened.page.inner_text("#footer")
    (found,) = opened.verdicts(lesions[:1])
    assert_same(found, classifier.classify(lesions[0]).to_dict())
    opened.close()


@pytest.fixture(scope="module")
def photo(lesions) -> Image.Image:
    return Image.open(lesions[0]).convert("RGB").resize((400, 300), Image.Resampling.BICUBIC)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation(pocket, classifier, photo, tmp_path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "turned.jpg"
    photo.save(path, exif=exif, quality=95)
    (found,) = pocket.verdicts([path])
    assert_same(found, classifier.classify(path).to_dict())
    shown = pocket.page.evaluate("(i => [i.naturalWidth, i.naturalHeight])(document.querySelector('.base'))")
    assert shown == ([300, 400] if orientation > 4 else [400, 300])


def test_transparency_lies_on_white(pocket, classifier, photo, tmp_path):
    alpha = np.linspace(0, 255, photo.width * photo.height).reshape(photo.height, photo.width).astype(np.uint8)
    path = tmp_path / "clear.png"
    photo.putalpha(Image.fromarray(alpha))
    photo.save(path)
    photo.putalpha(255)
    (found,) = pocket.verdicts([path])
    assert_same(found, classifier.classify(path).to_dict(), 0.01)


@pytest.mark.parametrize("space", ["sRGB", "Adobe RGB"])
def test_colour_profiles_are_applied(pocket, classifier, photo, tmp_path, space):
    from PIL import ImageCms

    from lentigo.runtime.colour import ADOBE_RGB_GAMMA, ADOBE_RGB_PRIMARIES, make_profile

    adobe = make_profile(ADOBE_RGB_GAMMA, ADOBE_RGB_PRIMARIES)
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes() if space == "sRGB" else adobe
    path = tmp_path / "profile.png"
    photo.convert("RGB").save(path, icc_profile=profile)
    (found,) = pocket.verdicts([path])
    assert_same(found, classifier.classify(path).to_dict(), 0.01)


def test_a_large_photo(pocket, classifier, photo, tmp_path):
    path = tmp_path / "twelve.jpg"
    photo.convert("RGB").resize((4000, 3000), Image.Resampling.BICUBIC).save(path, quality=90)
    (found,) = pocket.verdicts([path])
    assert_same(found, classifier.classify(path).to_dict())


def test_a_stated_prevalence(pocket, classifier, lesions):
    pocket.choose(lesions[0])
    pocket.page.get_by_text("How common is each diagnosis").click()
    pocket.page.check("#prevalence-training")
    training = dict(zip(classifier.labels.classes, classifier.bundle.metadata.training_prevalence, strict=True))
    found = pocket.verdict()
    expected = classifier.classify(lesions[0], prevalence=training).to_dict()
    assert_same(found, expected)
    assert found["probabilities"] == pytest.approx(expected["probabilities"], abs=TOLERANCE)
    pocket.page.check("#prevalence-own")
    found = pocket.verdict()
    pocket.page.locator(".own input").first.fill("0")
    pocket.page.locator(".own input").first.blur()
    assert pocket.page.locator(".prevalence [role=alert]").is_visible()
    assert pocket.verdict()["prevalence"] == found["prevalence"], "the last valid one stays"


def test_a_changed_model_is_refused(browser, page_file, tmp_path):
    text = page_file.read_text(encoding="utf-8")
    start = text.index('id="model">') + 5000
    for name, changed in {
        "byte": text[:start] + ("A" if text[start] != "A" else "B") + text[start + 1 :],
        "cut": text[:start] + text[start + 40_000 :],
        "gone": re.sub(r'(id="model">)[^<]+', r"\1", text),
    }.items():
        file = tmp_path / f"{name}.html"
        file.write_text(changed, encoding="utf-8")
        opened = Pocket(browser, file)
        assert opened.state == "fatal"
        assert "damaged or was changed" in opened.page.inner_text("#fatal")
        assert not opened.page.locator("#file").count()
        opened.close()


def test_a_changed_script_does_not_run(browser, page_file, tmp_path):
    file = tmp_path / "changed.html"
    text, check = page_file.read_text(encoding="utf-8"), "sha256(parts[name]) !== expected"
    assert check in text
    file.write_text(text.replace(check, "false"), encoding="utf-8")
    context = browser.new_context(offline=True)
    page = context.new_page()
    page.goto(file.as_uri())
    page.wait_for_timeout(300)
    assert page.evaluate("document.documentElement.dataset.ready") is None
    context.close()


def test_from_upload_to_report(pocket, browser, lesions, tmp_path):
    pocket.choose(lesions[0])
    report = tmp_path / "report.html"
    report.write_bytes(pocket.download("Report (HTML)"))
    context = browser.new_context(offline=True)
    page = context.new_page()
    asked = []
    page.on("request", lambda r: asked.append(r.url))
    page.goto(report.as_uri())
    text = page.inner_text("body")
    assert "not a medical device" in text and "Next step" in text and "lentigo-s" in text
    assert all(url.startswith(("file:", "data:")) for url in asked)
    assert page.evaluate("document.images[0].naturalWidth") > 100
    context.close()
    picture = re.search(rb'src="data:image/png;base64,([^"]+)', report.read_bytes())
    assert picture
    import base64

    from lentigo.runtime import is_heatmap

    assert is_heatmap(base64.b64decode(picture[1])), "no report's picture is ever classified"


def test_a_queue_by_risk_and_a_comparison(pocket, lesions, tmp_path):
    wrong = tmp_path / "notes.txt"
    wrong.write_text("no image")
    pocket.choose(*lesions[2:5], wrong)
    assert pocket.page.locator(".entry").count() == 4
    pocket.page.select_option("#order", "risk")
    badges = pocket.page.locator(".entry .badge").all_text_contents()
    open_ones = [i for i, text in enumerate(badges) if "not read" in text or "Not gradable" in text]
    assert open_ones == list(range(len(open_ones))) != [], "what could not be judged comes first"
    boxes = pocket.page.locator(".entries input:enabled")
    boxes.nth(0).check()
    pocket.page.locator(".entries input:enabled").nth(1).check()
    pocket.page.click("#compare-button")
    assert pocket.page.locator(".pair article").count() == 2
    assert "nothing on whether a lesion has changed" in pocket.page.inner_text(".compare")
    pocket.page.get_by_role("button", name="Back to the result").click()
    pocket.page.get_by_role("button", name="Remove all").click()
    assert pocket.state == "start"


def test_stopping(pocket, lesions):
    pocket.page.set_input_files("#file", [str(lesions[i % len(lesions)]) for i in range(60)])
    pocket.page.wait_for_selector("#stop")
    pocket.page.click("#stop")
    pocket.page.wait_for_selector("body:not([data-busy])")
    assert "were not classified" in pocket.page.inner_text("#status")
    pocket.choose(lesions[0])
    assert pocket.state == "done", "the page stays usable"


def test_languages_and_themes(pocket, lesions):
    pocket.choose(lesions[0])
    pocket.page.select_option("#language", "es")
    assert pocket.page.evaluate("document.documentElement.lang") == "es"
    text = pocket.page.inner_text("body")
    assert "Siguiente paso" in text and "no es un producto sanitario" in text and "{" not in text
    assert re.search(r"\d,\d\s?%", text), "a decimal comma"
    before = pocket.page.evaluate("getComputedStyle(document.body).backgroundColor")
    pocket.page.select_option("#theme", "dark")
    assert pocket.page.evaluate("getComputedStyle(document.body).backgroundColor") != before


def test_keyboard_alone(pocket):
    for _ in range(12):
        pocket.page.keyboard.press("Tab")
        if pocket.page.evaluate("document.activeElement.classList.contains('thumb')"):
            break
    pocket.page.keyboard.press("Enter")
    pocket.page.wait_for_selector("body[data-state=done]")
    for _ in range(40):
        pocket.page.keyboard.press("Tab")
        if pocket.page.evaluate("document.activeElement.id") == "map-opacity":
            break
    pocket.page.keyboard.press("ArrowLeft")
    assert pocket.page.input_value("#map-opacity") == "59"


def test_comparing_two_with_the_keyboard_alone(pocket, lesions):
    """Two images of one lesion, say: chosen, compared and left without a pointer."""
    pocket.choose(lesions[0], lesions[1])

    def tab_to(wanted: str) -> None:
        for _ in range(40):
            pocket.page.keyboard.press("Tab")
            if pocket.page.evaluate(f"document.activeElement.matches({wanted!r})"):
                return
        raise AssertionError(f"{wanted} can't be reached")

    tab_to(".entries li:nth-child(1) input")
    pocket.page.keyboard.press("Space")
    tab_to(".entries li:nth-child(2) input")
    pocket.page.keyboard.press("Space")
    tab_to("#compare-button")
    pocket.page.keyboard.press("Enter")
    assert pocket.state == "compare" and pocket.page.locator(".pair article").count() == 2
    assert pocket.page.evaluate("document.activeElement.id") == "result-title"
    pocket.page.keyboard.press("Tab")
    pocket.page.keyboard.press("Enter")
    assert pocket.state == "done"


def test_going_back_in_mid_work(pocket, page_file, lesions):
    pocket.page.goto("about:blank")
    pocket.page.goto(page_file.as_uri())
    pocket.page.wait_for_selector("html[data-ready]")
    pocket.page.set_input_files("#file", [str(lesions[i % len(lesions)]) for i in range(30)])
    pocket.page.go_back()
    pocket.page.go_forward()
    pocket.page.wait_for_selector("html[data-ready]")
    pocket.page.wait_for_selector("body:not([data-busy])")
    pocket.choose(lesions[0])
    assert pocket.state == "done"


def test_reloading_in_mid_work_starts_afresh(pocket, lesions):
    pocket.page.set_input_files("#file", [str(lesions[i % len(lesions)]) for i in range(30)])
    pocket.page.reload()
    pocket.page.wait_for_selector("html[data-ready]")
    assert pocket.state == "start"


@pytest.mark.parametrize(("width", "language"), [(320, "es"), (390, "en"), (1280, "es")])
def test_nothing_is_wider_than_the_screen(browser, page_file, lesions, tmp_path, width, language):
    """In any state: long words in a narrow column of a comparison, too."""
    opened = Pocket(browser, page_file, viewport={"width": width, "height": 800})
    opened.page.select_option("#language", language)

    def fits(step: str) -> None:
        wide = opened.page.evaluate("document.documentElement.scrollWidth")
        assert wide <= width, (step, wide)

    fits("start")
    long = tmp_path / f"{'x' * 80}.heic"
    long.write_bytes(b"\0\0\0\x18ftypheic" + bytes(99))
    opened.choose(*lesions[:5], long)
    for place in (5, 4, 0):
        opened.page.locator(".entries .entry").nth(place).click()
        fits(f"entry {place}")
    opened.page.click(".prevalence summary")
    opened.page.check("#prevalence-own")
    fits("prevalence")
    for place in (1, 2):  # one suspicious, one negative at threshold
        opened.page.locator(".entries input").nth(place).check()
    opened.page.click("#compare-button")
    fits("comparison")
    opened.close()


@pytest.fixture
def other_bundle(bundle_path, synthetic_records, tmp_path, precision) -> Path:
    """A bundle other than the one that ships, of a precision."""
    from lentigo import compression
    from lentigo.runtime import Bundle

    if precision == "fp32":
        return bundle_path
    plain, out = Bundle(bundle_path, threads=1), tmp_path / "other.onnx"
    return compression.quantize(plain, synthetic_records, out, precision=precision, images=20).path


@pytest.mark.parametrize("precision", ["fp32", *(pytest.param(p, marks=pytest.mark.slow) for p in ("int8", "fp16"))])
def test_bundles_of_each_precision(browser, other_bundle, tmp_path, lesions, precision):
    path = other_bundle
    page = write_page(path, tmp_path / "other.html")
    assert page.stat().st_size < 2 * path.stat().st_size + 200_000
    opened = Pocket(browser, page)
    expected = Classifier.load(path, threads=1)
    for found, lesion in zip(opened.verdicts(lesions[:3]), lesions, strict=False):
        assert_same(
            found,
            expected.classify(lesion).to_dict() | {"source": lesion.name},
            TOLERANCE if precision == "int8" else 1e-3,
        )
    opened.close()


def test_a_model_without_thresholds_maps_or_ood_score(browser, tmp_path, monkeypatch, lesions):
    """It makes no decision and says so, warns that it can't see what shows no lesion, and offers no map."""
    from lentigo.page import packing, writing
    from lentigo.runtime import Bundle, shipped_models

    def bare(bundle: Bundle) -> bytes:
        content = packing.read_model(bundle.path)
        graph = packing.read_graph(content)
        square = packing.find_square(content, graph, ["probabilities"], bundle.size)
        graph = packing.for_own_engine(graph, ["probabilities"], square)
        said = packing.describe(bundle) | {"operating_points": [], "ood_score": None, "specificity": {}}
        labels = [label | {"name": f"<b>{label['name']}</b>", "malignant": None} for label in said["labels"]]
        said |= {"labels": labels, "melanoma": None, "knows_malignancy": False}
        return packing.packed(graph, {"probabilities": "probabilities"}, said)

    monkeypatch.setattr(writing, "pack", bare)
    opened = Pocket(browser, write_page(shipped_models()["lentigo-s"], tmp_path / "bare.html"))
    opened.choose(lesions[0], lesions[1])
    text = opened.page.inner_text("#result")
    assert "No decision" in text and "cancer is not ruled out" in text
    assert "cannot detect images that don't show a lesion" in text and "has no maps" in text
    assert "<b>melanoma</b>" in text, "names are text, whatever they hold"
    assert opened.page.locator(".risks, #map-label").count() == 0
    opened.page.select_option("#order", "risk")
    found = opened.verdict()
    jsonschema.validate(found, verdict_schema())
    assert found["decision"] == "no threshold" and found["ood_score"] is None and found["risks"] == {}
    assert opened.faults == []
    opened.download("Report (HTML)")
    opened.close()
