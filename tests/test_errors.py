"""Every error says what to do next."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import lentigo
from lentigo import errors

SOURCE = Path(lentigo.__file__).parent
KINDS = {"BundleError", "DataError", "ImageError", "LeakError", "OutputError", "RunError", "ServiceError"}


def _raised(code: str) -> Iterator[ast.Call]:
    """Where errors of lentigo are raised."""
    for node in ast.walk(ast.parse(code)):
        call = node.exc if isinstance(node, ast.Raise) else None
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in KINDS:
            yield call


def _has_next_step(call: ast.Call) -> bool:
    if len(call.args) + len(call.keywords) > 1 or not isinstance(call.args[0], ast.Constant | ast.JoinedStr):
        return True  # another error's text, with its own
    parts = call.args[0].values if isinstance(call.args[0], ast.JoinedStr) else []
    last = parts[-1] if parts else None
    return isinstance(last, ast.FormattedValue) and isinstance(last.value, ast.Name) and last.value.id == "error"


def test_the_kinds_are_those_of_the_module():
    shown = [getattr(errors, name) for name in errors.__all__]
    found = {one.__name__ for one in shown if isinstance(one, type) and issubclass(one, errors.LentigoError)}
    assert (
        found - {"LentigoError", "MissingExtraError"} == KINDS
    )  # the first is raised nowhere, the second's is built in


def test_every_error_names_the_next_step():
    files = sorted(SOURCE.rglob("*.py"))
    calls = [(file, call) for file in files for call in _raised(file.read_text(encoding="utf-8"))]
    assert len(calls) > 100
    missing = [f"{file.relative_to(SOURCE)}:{call.lineno}" for file, call in calls if not _has_next_step(call)]
    assert not missing


@pytest.mark.parametrize(
    ("code", "known"),
    [
        ("raise DataError('a.csv: empty.')", False),
        ("raise DataError(f'{path}: empty.')", False),
        ("raise DataError(f'{path}: empty.', 'Export it again.')", True),
        ("raise RunError(f'The augmentations: {error}')", True),
        ("raise DataError(str(error))", True),
    ],
)
def test_an_error_without_one_is_noticed(code, known):
    assert [_has_next_step(call) for call in _raised(code)] == [known]
