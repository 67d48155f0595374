"""Speed and sizes of the page in headless chromium, one page at a time, and the time trial of a new user.

python benchmarks/page.py                    docs/try/index.html
python benchmarks/page.py PAGE --write       another page; --write puts the figures into docs/page.md

Needs playwright and a chromium. Wall times depend on what else runs, the processor's time less so. Both are stated.
`taskset -c 1` keeps all of it on one core.
"""

import argparse
import base64
import io
import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from PIL import Image
from playwright.sync_api import sync_playwright

from lentigo.page.browser import find_chromium
from lentigo.render.markdown import table

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "try" / "index.html"
DOCS = ROOT / "docs" / "page.md"
EXAMPLE = ROOT / "src" / "lentigo" / "page" / "examples" / "1.webp"
TIMES = 7
VERDICTS = 25
TICKS = os.sysconf("SC_CLK_TCK")
HOLD = "(data) => { window.photo = Uint8Array.from(atob(data), (c) => c.charCodeAt(0)); }"
OVER = "body:not([data-busy])[data-state=done]"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("page", nargs="?", type=Path, default=PAGE)
    parser.add_argument("--write", action="store_true")
    asked = parser.parse_args()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=["--no-sandbox"])
        text = "\n".join([sizes(asked.page), "", *speed(browser, asked.page)])
        browser.close()
    print(text)
    if asked.write:
        marks = r"(<!-- benchmarks/page.py -->\n).*?(\n<!-- end -->)"
        DOCS.write_text(re.sub(marks, lambda m: m[1] + text + m[2], DOCS.read_text("utf-8"), flags=re.DOTALL), "utf-8")


def sizes(page: Path) -> str:
    text = page.read_text(encoding="utf-8")
    parts = {name: len(found) for name, found in re.findall(r'<script[^>]* id="(\w+)">(.*?)</script>', text, re.DOTALL)}
    script = len(re.search(r'<script type="module">(.*?)</script>', text, re.DOTALL)[1])  # type: ignore[index]
    rows = [["whole page", f"{len(text.encode()):,}"], ["script", f"{script:,}"]]
    rows += [[{"config": "examples", "model": "model, in base 64"}.get(n, n), f"{size:,}"] for n, size in parts.items()]
    return table(["part", "bytes"], rows, right=[1])


def speed(browser: Any, page: Path) -> list[str]:
    ready = [opened(browser, page)[1] for _ in range(TIMES)]
    window, _ = opened(browser, page)
    window.wait_for_timeout(1000)
    rows = [["ready, from opening the file", f"{median(ready):.0f}", ""]]
    for what, content in (("320x240 pixels", lesion()), ("12 megapixels", large())):
        times = VERDICTS if len(content) < 1_000_000 else TIMES
        wall, spent = verdicts(window, content, times)
        rows.append([f"verdict on {what}", f"{wall:.0f}", f"{spent:.0f}"])
        rows.append(
            [
                "the same, from choosing the file to the words on the page; first image of a page",
                f"{shown(window, content, times):.0f}",
                "",
            ]
        )
    trial = timed(lambda: new_user(browser, page))
    note = f"A new user, from opening the file to the verdict on an own photo of 12 megapixels: {trial:.1f} s."
    cores = len(os.sched_getaffinity(0))
    load = (
        f"Medians of {VERDICTS} verdicts ({TIMES} for the rest) on {cores} core{'s' * (cores > 1)}, of a JPEG in "
        "memory: it is read, checked, decoded, resized, classified and judged. "
        f"The processor's time is the mean of all of chromium. Load {os.getloadavg()[0]:.1f}."
    )
    return [table(["", "median, ms", "processor, ms"], rows, right=[1, 2]), "", note, load]


def opened(browser: Any, page: Path) -> tuple[Any, float]:
    window = browser.new_context(offline=True).new_page()
    window.goto(page.absolute().as_uri())
    window.wait_for_selector("html[data-ready]")
    return window, float(window.evaluate("document.documentElement.dataset.ready"))


def verdicts(window: Any, content: bytes, times: int) -> tuple[float, float]:
    """Median wall time of a verdict, and the processor's mean time, both in milliseconds, without showing it."""
    window.evaluate(HOLD, coded(content))
    run = """async () => {
      const start = performance.now();
      await lentigo.classify(new File([photo], "photo.jpg"));
      return performance.now() - start;
    }"""
    window.evaluate(run)
    before = processor()
    walls = [window.evaluate(run) for _ in range(times)]
    return median(walls), 1000 * (processor() - before) / times


def shown(window: Any, content: bytes, times: int) -> float:
    """Median wall time from the choice of a page's first file to the result in the document, in milliseconds."""
    run = """async () => {
      const over = () => document.body.dataset.state === "done" && !document.body.hasAttribute("data-busy");
      const data = new DataTransfer(), input = document.querySelector("#file");
      data.items.add(new File([photo], "photo.jpg"));
      input.files = data.files;
      const start = performance.now();
      input.dispatchEvent(new Event("change", { bubbles: true }));
      await new Promise((resolve) => new MutationObserver((_, o) => { if (over()) { o.disconnect(); resolve(); } })
        .observe(document.body, { attributes: true, subtree: true, childList: true }));
      return performance.now() - start;
    }"""
    walls = []
    for _ in range(times):
        window.reload()
        window.wait_for_selector("html[data-ready]")
        window.evaluate(HOLD, coded(content))
        window.wait_for_timeout(1000)
        walls.append(window.evaluate(run))
    return median(walls)


def coded(content: bytes) -> str:
    return base64.b64encode(content).decode()


def choose(window: Any, content: bytes) -> None:
    window.set_input_files("#file", {"name": "photo.jpg", "mimeType": "image/jpeg", "buffer": content})
    window.wait_for_selector(OVER)


def new_user(browser: Any, page: Path) -> None:
    """The link of README's first line, then an own photo."""
    window, _ = opened(browser, page)
    choose(window, large())
    assert window.inner_text(".headline")


def timed(run: Callable[[], None]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def lesion() -> bytes:
    """A lesion image of 320x240 pixels, as JPEG."""
    file = io.BytesIO()
    Image.open(EXAMPLE).convert("RGB").save(file, "JPEG", quality=90)
    return file.getvalue()


def large() -> bytes:
    """A noisy photo of 12 megapixels."""
    pixels = np.asarray(Image.open(EXAMPLE).convert("RGB").resize((4000, 3000), Image.Resampling.BICUBIC), np.float32)
    noise = np.random.default_rng(0).normal(0, 6, (3000, 4000, 1)).astype(np.float32)
    file = io.BytesIO()
    Image.fromarray((pixels + noise).clip(0, 255).astype(np.uint8)).save(file, "JPEG", quality=90)
    return file.getvalue()


def processor() -> float:
    """Seconds that the browser's processes, which are below this one, have computed."""
    parents, spent = {}, {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, _, rest = stat.read_text().rpartition(")")
        except OSError:  # it has ended
            continue
        pid, fields = int(stat.parent.name), rest.split()
        parents[pid] = int(fields[1])
        spent[pid] = int(fields[11]) + int(fields[12]) if "(chrom" in name else 0

    def below(pid: int) -> bool:
        while pid in parents:
            pid = parents[pid]
            if pid == os.getpid():
                return True
        return False

    return sum(ticks for pid, ticks in spent.items() if below(pid)) / TICKS


if __name__ == "__main__":
    main()
