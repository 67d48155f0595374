"""The page's modules joined into one script: a file opened from a disk can't import others.

Each module becomes a function of its own, so that names can't collide; its imports become constants. What is supported
is what the modules use: `import { a, b } from "./other.js";`, `import "./other.js";`, and `export` before `const`,
`function`, `async function` and `class`.
"""

import re
from collections.abc import Callable

from lentigo.errors import DataError

__all__ = ["join_modules"]

_IMPORT = re.compile(r'^import (?:\{ ([^}]+) \} from )?"\./([\w-]+\.js)";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export ((?:async )?(?:const|function|class)\*? (\w+))", re.MULTILINE)
_COMMENT = re.compile(r"^\s*//.*\n", re.MULTILINE)
_INDENT = re.compile(r"^[ \t]+|^\n", re.MULTILINE)


def join_modules(entry: str, read: Callable[[str], str]) -> str:
    """One script that does what the module `entry` does.

    Args:
        entry: name of the first module's file.
        read: gives the text of a module's file.

    Raises:
        DataError: modules that import one another in a circle, a name that isn't exported, or an import or export of
            another form.
    """
    parts: dict[str, str] = {}
    _add(entry, read, parts, {}, ())
    joined = "".join(parts.values())
    return '"use strict";\n' + _INDENT.sub("", _COMMENT.sub("", joined))


def _add(
    name: str,
    read: Callable[[str], str],
    parts: dict[str, str],
    exports: dict[str, set[str]],
    within: tuple[str, ...],
) -> None:
    if name in within:
        raise DataError(f"{name} imports itself by way of {' and '.join(within)}.", "Move what both need to a third.")
    if name in parts:
        return
    text = read(name)
    for wanted, other in _IMPORT.findall(text):
        _add(other, read, parts, exports, (*within, name))
        if lacking := {word.split(" as ")[0].strip() for word in wanted.split(",") if wanted} - exports[other]:
            raise DataError(
                f"{name}: {other} doesn't export {', '.join(sorted(lacking))}.", "Export each one by itself."
            )
    body = _IMPORT.sub(_constants, text)
    names = [found[1] for found in _EXPORT.findall(body)]
    body = _EXPORT.sub(r"\1", body)
    if odd := re.search(r"^(import|export)\b.*", body, re.MULTILINE):
        raise DataError(f"{name}: {odd[0]!r} can't be joined.", "Use one of the forms that script.py names.")
    exports[name] = set(names)
    parts[name] = f"const {_variable(name)} = (() => {{\n{body}return {{ {', '.join(names)} }};\n}})();\n"


def _constants(found: re.Match[str]) -> str:
    names, module = found.groups()
    return f"const {{ {names.replace(' as ', ': ')} }} = {_variable(module)};\n" if names else ""


def _variable(name: str) -> str:
    return "module_" + name.removesuffix(".js").replace("-", "_")
