"""Pages escape what is put in, and miss nothing; thumbnails keep their shape."""

import base64
import io

import jinja2
import numpy as np
import pytest
from PIL import Image

from lentigo.render.html import fill
from lentigo.render.thumbnails import thumbnail


def test_a_page_lacks_nothing():
    with pytest.raises(jinja2.UndefinedError, match="document"):
        fill(
            "lentigo.report",
            "page.html.jinja",
            filters={"draw": str},
            tests={"picture": bool, "gallery": bool},
            colours={},
        )


@pytest.mark.parametrize(("shape", "expected"), [((40, 80, 3), (20, 10)), ((8, 8, 3), (8, 8))])
def test_thumbnails_shrink_and_never_grow(shape, expected):
    url = thumbnail(np.zeros(shape, np.uint8), 20)
    kind, _, content = url.partition(",")
    assert kind == "data:image/jpeg;base64"
    assert Image.open(io.BytesIO(base64.b64decode(content))).size == expected
