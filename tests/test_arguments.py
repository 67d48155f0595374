"""Arguments of a wrong type end in one of lentigo's errors, whatever the public function."""

import inspect
from collections.abc import Iterable, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

from lentigo import audit, comparison, data, evaluation, export, page, report, runtime, training
from lentigo.arguments import _fits, checked
from lentigo.data.records import Records
from lentigo.errors import DataError, LentigoError


@pytest.mark.parametrize(
    "function",
    [
        audit.audit,
        audit.describe,
        audit.write_audit,
        comparison.follow,
        comparison.load_index,
        comparison.read_visits,
        comparison.similar,
        comparison.ugly_duckling,
        data.load_pixels,
        data.load_split,
        data.pack,
        data.read,
        data.read_pairs,
        data.split,
        data.write_split,
        evaluation.compare,
        evaluation.evaluate,
        evaluation.measure,
        export.bundle,
        page.write_page,
        report.report,
        runtime.classify_files,
        training.load_run,
        training.train,
    ],
    ids=lambda function: f"{function.__module__}.{function.__name__}",
)
def test_a_number_for_what_is_no_number_is_refused(function):
    needed = [p for p in inspect.signature(function).parameters.values() if p.default is p.empty]
    positional = [3 for p in needed if p.kind is not p.KEYWORD_ONLY]
    with pytest.raises(LentigoError) as caught:
        function(*positional, **{p.name: 3 for p in needed if p.kind is p.KEYWORD_ONLY})
    assert f".{function.__name__}: {needed[0].name} can't be 3, of type int." in caught.value.message
    assert caught.value.hint.startswith("It takes ")


@pytest.mark.parametrize("model", [3, ["lentigo-s"], {}])
def test_a_model_is_a_name_or_a_path(model):
    with pytest.raises(DataError, match="model can't be"):
        runtime.Classifier.load(model)


def test_one_table_is_not_several():
    with pytest.raises(DataError, match=r"can't be 'predictions\.parquet', of type str"):
        report.report("predictions.parquet")


@pytest.mark.parametrize(
    "root", [3, None, 2.5, b"HAM10000", [3], ["a", None], {"a": 3}.get], ids=lambda r: type(r).__name__
)
def test_data_sets_are_named_by_paths(root):
    with pytest.raises(DataError, match=r"lentigo\.data\.read: root can't be"):
        data.read(root)


@pytest.mark.parametrize(
    ("value", "taken", "fits"),
    [
        ("a", str, True),
        (Path("a"), str, False),
        (Path("a"), str | PathLike[str], True),
        ("a", Path, True),
        (3, Path, False),
        (None, Path | None, True),
        (["a", Path("b")], Sequence[str | PathLike[str]], True),
        (["a", 3], Sequence[str], False),
        ("abc", Sequence[str], False),
        (np.array(["a"]), Sequence[str], True),
        ((pair for pair in ()), Iterable[tuple[str, str]], True),
        ([("a", "b")], Iterable[tuple[str, str]], True),
        ([3], Iterable[tuple[str, str]], False),
        ({"a": 1}, Mapping[str, int], True),
        ([3], Mapping[str, int], False),
        ("exact", Literal["exact", "approximate"], True),
        ("others", Literal["exact"], True),  # which the function refuses by name
        (3, Literal["exact"], False),
        ("five", int, True),  # which the function refuses with its range
        ("x", Records, False),
        (object(), Any, True),
    ],
)
def test_what_fits(value, taken, fits):
    assert _fits(value, taken) is fits


def test_a_missing_argument_is_said_as_python_does():
    @checked
    def take(path: str) -> str:
        return path

    with pytest.raises(TypeError, match=r"take\(\) missing 1 required positional argument: 'path'"):
        take()
    assert take("a") == "a"
    assert take.__name__ == "take"
