"""docs/hazards.md names tests and source files that exist, and no hazard without a test.

Test files are parsed, not imported: a page must not depend on what is installed.
"""

import ast
import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "hazards.md"
NODE = re.compile(r"`(tests/[^`]+)`")
LINK = re.compile(r"\]\(([^)#\s]+)\)")


class Hazard(NamedTuple):
    """One entry of the page: a bold sentence, and three points below it."""

    hazard: str
    control: str
    tests: str
    also: str


ENTRY = re.compile(
    r"^\*\*(?P<hazard>.+)\*\*\n\n- \*Control:\* (?P<control>.+)\n- \*Verified by:\*\n(?P<tests>(?:    - .+\n)+)"
    r"- \*Also held:\* (?P<also>.+)$",
    re.M,
)


def hazards() -> list[Hazard]:
    return [Hazard(*found.groups()) for found in ENTRY.finditer(PAGE.read_text(encoding="utf-8"))]


@cache
def names_in(path: Path) -> frozenset[str]:
    """Node ids of a file's tests, and of its classes, without the file's own name."""
    found = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef):
            found.add(node.name)
        if isinstance(node, ast.ClassDef):
            inside = {f"{node.name}::{n.name}" for n in node.body if isinstance(n, ast.FunctionDef)}
            found |= {node.name, *inside}
    return frozenset(name for name in found if name.rpartition("::")[2].startswith(("test_", "Test")))


def unknown(nodes: list[str]) -> list[str]:
    """Those of some node ids whose file or test there is not."""
    parts = [(node, *node.partition("::")[::2]) for node in nodes]
    return [node for node, file, name in parts if not (ROOT / file).is_file() or name not in names_in(ROOT / file)]


def test_every_hazard_has_a_control_in_the_source_and_a_test():
    assert len(hazards()) > 50
    assert len(hazards()) == PAGE.read_text(encoding="utf-8").count("\n**")
    for one in hazards():
        assert "](../src/lentigo/" in one.control, one.hazard
        assert len(NODE.findall(one.tests)) == one.tests.count("\n"), one.hazard


def test_every_test_that_is_named_exists():
    named = NODE.findall(PAGE.read_text(encoding="utf-8"))
    assert unknown([node for node in named if "::" in node]) == []
    assert [path for path in named if "::" not in path and not (ROOT / path).is_file()] == []


@pytest.mark.parametrize(
    "node",
    [
        "tests/test_hazards.py::test_of_another_name",
        "tests/test_hazards.py::TestOfAnotherName::test_every_test_that_is_named_exists",
        "tests/test_hazards.py::unknown",
        "tests/test_absent.py::test_every_test_that_is_named_exists",
    ],
)
def test_a_renamed_test_is_noticed(node):
    assert unknown([node, "tests/test_hazards.py::test_every_test_that_is_named_exists"]) == [node]


def test_every_file_that_is_linked_exists():
    linked = LINK.findall(PAGE.read_text(encoding="utf-8"))
    assert [target for target in linked if not (PAGE.parent / target).exists()] == []


def test_no_test_is_named_twice_for_a_hazard():
    for one in hazards():
        named = NODE.findall(one.tests)
        assert len(named) == len(set(named)), one.hazard
