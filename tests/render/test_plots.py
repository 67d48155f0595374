"""Figures are the same from many threads at once, whatever the user's own settings are, and leave nothing behind."""

from concurrent.futures import ThreadPoolExecutor

import matplotlib as mpl
import pytest

from lentigo.render.plots import canvas, drawing, save, svg_of
from lentigo.report.document import Curve, Figure, Matrix
from lentigo.report.figures import draw

FIGURES = [
    Figure(
        name=f"f{i}", title="$t$", caption="c", x_label="x", y_label="y", curves=(Curve(name="a", x=(0, 1), y=(0, 1)),)
    )
    for i in range(3)
] + [Matrix(name=f"m{i}", title="t", caption="c", labels=("a", "b"), counts=((i, 1), (2, 3))) for i in range(3)]


def small(size):
    with drawing(size):
        figure, axes = canvas(3, 2)
        axes[0, 0].set_title("a $ b $ c")
        return svg_of(figure)


def test_threads_draw_what_one_draws():
    alone = [draw(figure) for figure in FIGURES], [small(size) for size in range(6, 12)]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(draw, FIGURES)), list(pool.map(small, range(6, 12)))
    assert together == alone


def test_the_users_settings_change_no_figure_and_stay():
    before = draw(FIGURES[0])
    with mpl.rc_context({"font.size": 30, "axes.facecolor": "black", "svg.fonttype": "path"}):
        own = dict(mpl.rcParams)
        assert draw(FIGURES[0]) == before
        assert dict(mpl.rcParams) == own
    with pytest.raises(ZeroDivisionError), drawing():
        1 / 0  # noqa: B018
    assert draw(FIGURES[0]) == before


def test_text_stays_text_and_dollars_stay_dollars():
    assert "a $ b $ c" in small(10)


def test_inside_of_another_block_its_letters_stay():
    with drawing(20):
        assert small(8) == small(20)


def test_files_are_whole_and_comparable(tmp_path):
    with drawing():
        figure, _ = canvas(3, 2)
        first, second = (save(figure, tmp_path / name).read_bytes() for name in ("a.svg", "b.svg"))
        save(figure, tmp_path / "deep" / "c.png")
    assert first == second
    assert {p.name for p in tmp_path.iterdir()} == {"a.svg", "b.svg", "deep"}


def test_nothing_of_lentigo_uses_pyplot():
    from pathlib import Path

    import lentigo

    sources = Path(lentigo.__file__).parent.rglob("*.py")
    assert not [path for path in sources if "pyplot" in path.read_text() and path.name != "plots.py"]
