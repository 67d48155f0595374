"""Write docs/try/index.html: the page with the model that ships, which README's first line links to.

python tools/try_page.py               the page
python tools/try_page.py --examples    the synthetic lesions that pages offer as examples, drawn anew

`make try` does the first.
"""

import sys
import tempfile
from pathlib import Path

from PIL import Image

from lentigo.data.sources import synthetic
from lentigo.page import write_page

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "try" / "index.html"
EXAMPLES = ROOT / "src" / "lentigo" / "page" / "examples"
LESIONS = {"1": "ISIC_9000074", "2": "ISIC_9000035", "3": "ISIC_9000017"}


def main() -> None:
    """Write one or the other."""
    if "--examples" in sys.argv[1:]:
        draw()
    else:
        print(write_page("lentigo-s", PAGE, overwrite=True))


def draw() -> None:
    """The examples, small enough for any page."""
    EXAMPLES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        images = synthetic.make(Path(folder) / "lesions", lesions=60, width=320, height=240) / "images"
        for name, image in LESIONS.items():
            Image.open(images / f"{image}.jpg").save(EXAMPLES / f"{name}.webp", quality=65, method=6)


if __name__ == "__main__":
    main()
