"""axe-core on each state, light and dark, where it is at hand: `npm install axe-core`, LENTIGO_AXE=.../axe.min.js."""

import os
from pathlib import Path

import pytest

from tests.page.conftest import Pocket

EXAMPLES = sorted((Path(__file__).parents[2] / "src" / "lentigo" / "page" / "examples").glob("*.webp"))


@pytest.fixture(scope="module")
def axe() -> str:
    path = os.environ.get("LENTIGO_AXE")
    if not path:
        pytest.skip("needs axe-core: npm install axe-core, and set LENTIGO_AXE to its axe.min.js")
    return Path(path).read_text(encoding="utf-8")


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_finding(browser, page_file, axe, tmp_path, scheme, width):
    viewport = {"width": width, "height": 800}
    opened = Pocket(browser, page_file, bypass_csp=True, color_scheme=scheme, viewport=viewport)
    wrong = tmp_path / "wrong.jpg"
    wrong.write_text("no image")

    def findings() -> list[str]:
        opened.page.evaluate(axe)
        found = opened.page.evaluate("axe.run()")["violations"]
        return [f"{v['impact']} {v['id']}: {v['nodes'][0]['html']}" for v in found]

    assert findings() == [], "start"
    opened.choose(*EXAMPLES, wrong)
    opened.page.click(".prevalence summary")
    opened.page.check("#prevalence-own")
    assert findings() == [], "result"
    for place, state in ((2, "not gradable"), (3, "failure")):
        opened.page.locator(".entry").nth(place).click()
        assert findings() == [], state
    opened.page.locator(".entries input").nth(0).check()
    opened.page.locator(".entries input").nth(1).check()
    opened.page.click("#compare-button")
    assert findings() == [], "comparison"
    opened.close()
