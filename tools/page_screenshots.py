"""Pictures of the page's four states at two widths, light and dark, into docs/page/.

python tools/page_screenshots.py

Needs playwright and a chromium (`apt install chromium`, or LENTIGO_CHROMIUM).
"""

import io
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from lentigo.page import write_page
from lentigo.page.browser import find_chromium

ROOT = Path(__file__).parent.parent
OUT = ROOT / "docs" / "page"
EXAMPLE = ROOT / "src" / "lentigo" / "page" / "examples" / "1.webp"
WIDTHS = {1280: 900, 390: 844}


def main() -> None:
    """Take all of them."""
    OUT.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        page = write_page("lentigo-s", Path(folder) / "page.html")
        large = Path(folder) / "large.jpg"
        Image.open(EXAMPLE).resize((8000, 6000)).save(large, quality=80)
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=["--no-sandbox"])
        for width, height in WIDTHS.items():
            for scheme in ("light", "dark"):
                take(browser, page, large, width, height, scheme)
        browser.close()


def take(browser: Browser, file: Path, large: Path, width: int, height: int, scheme: str) -> None:
    """The four states in one window."""
    context = browser.new_context(
        offline=True,
        viewport={"width": width, "height": height},
        color_scheme=scheme,  # type: ignore[arg-type]  # 'light' or 'dark'
        locale="en-GB",
        has_touch=width < 500,
        is_mobile=width < 500,
    )
    page = context.new_page()
    page.goto(file.as_uri())
    page.wait_for_selector("html[data-ready]")
    shoot(page, f"start-{width}-{scheme}")
    page.set_input_files("#file", str(large))
    page.wait_for_selector("body[data-state=work]")
    shoot(page, f"work-{width}-{scheme}")
    page.wait_for_selector("body:not([data-busy])", timeout=60_000)
    page.reload()
    page.wait_for_selector("html[data-ready]")
    page.locator(".thumb").first.click()
    page.wait_for_selector("body[data-state=done]")
    shoot(page, f"done-{width}-{scheme}")
    page.set_input_files(
        "#file", {"name": "IMG_2041.heic", "mimeType": "", "buffer": b"\0\0\0\x18ftypheic" + bytes(600)}
    )
    page.wait_for_selector("body[data-state=failed]")
    page.locator("#result").scroll_into_view_if_needed()
    shoot(page, f"failed-{width}-{scheme}")
    context.close()


def shoot(page: Page, name: str) -> None:
    """The whole page as a picture."""
    taken = page.screenshot(full_page=True, animations="disabled")
    Image.open(io.BytesIO(taken)).convert("RGB").save(OUT / f"{name}.webp", quality=88, method=6)


if __name__ == "__main__":
    main()
