"""Hooks of mkdocs: pages made from what stands elsewhere, so that nothing is written twice.

README is the first page; the command line's reference comes from its own help, the API's from `__all__`, the tutorial
from its notebook; `results/` is shown as it is.
"""

import ast
import json
import posixpath
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parent.parent
PACKAGES = (
    "runtime",
    "bulk",
    "labels",
    "taxonomy",
    "data",
    "data.augment",
    "data.sources.synthetic",
    "audit",
    "audit_log",
    "clinic",
    "models",
    "training",
    "evaluation",
    "comparison",
    "evaluation.cost",
    "export",
    "compression",
    "report",
    "studies",
    "page",
    "serve",
    "texts",
    "errors",
)
"""Modules with a public API, in the order in which one meets them."""
LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s#]+)(#[^)\s]*)?\)")


def on_config(config: MkDocsConfig) -> None:
    """List the API's pages, and the cards of the models that ship."""
    cards = sorted((ROOT / "docs").glob("lentigo-*/README.md"))
    listed = {
        "API": [{f"lentigo.{name}": f"api/{name}.md"} for name in PACKAGES],
        "Model cards": [{path.parent.name: f"{path.parent.name}/README.md"} for path in cards],
    }
    for entry in config.nav or []:
        if isinstance(entry, dict) and (name := next(iter(entry))) in listed:
            entry[name] = listed[name]


def on_files(files: Files, config: MkDocsConfig) -> None:
    """Add the made pages and the results."""
    made = {
        "index.md": (ROOT / "README.md").read_text(encoding="utf-8"),
        "CONTRIBUTING.md": (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"),
        "CHANGELOG.md": (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"),
        "SECURITY.md": (ROOT / "SECURITY.md").read_text(encoding="utf-8"),
        "cli.md": command_line(),
        "tutorial.md": notebook(ROOT / "docs" / "tutorial.ipynb"),
        **{f"api/{name}.md": api(name) for name in PACKAGES},
    }
    for name, text in made.items():
        files.append(File.generated(config, name, content=text))
    for path in sorted((ROOT / "results").rglob("*")):
        if path.suffix in {".md", ".svg", ".png", ".txt"}:
            uri = path.relative_to(ROOT).as_posix()
            files.append(File(uri, str(ROOT), config.site_dir, config.use_directory_urls))


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn links between files of the repository into links between pages; what is no page stays as its text."""
    uri = page.file.src_uri
    place = posixpath.dirname(repository_path(uri))

    def linked(match: re.Match[str]) -> str:
        picture, text, target, anchor = match[1], match[2], match[3], match[4] or ""
        if re.match(r"[a-z]+:", target):
            return match[0]
        wanted = site_path(posixpath.normpath(posixpath.join(place, target)))
        if files.get_file_from_path(wanted) is None:
            return text
        return f"{picture}[{text}]({posixpath.relpath(wanted, posixpath.dirname(uri) or '.')}{anchor})"

    return LINK.sub(linked, markdown)


def repository_path(uri: str) -> str:
    """Where a page of the site lies in the repository."""
    if uri == "index.md":
        return "README.md"
    return uri if uri.startswith("results/") or (ROOT / uri).is_file() else f"docs/{uri}"


def site_path(path: str) -> str:
    """Where a file of the repository lies on the site."""
    return "index.md" if path == "README.md" else path.removeprefix("docs/")


def command_line() -> str:
    """Every verb with its options, as Typer writes them."""
    command = [sys.executable, "-m", "typer", "lentigo.cli", "utils", "docs", "--name", "lentigo"]
    text = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout
    return text.replace("# `lentigo`", "# Command line", 1)


def api(name: str) -> str:
    """A page for a module: its own words, then what its `__all__` names."""
    entries = "".join(
        f"::: {path}\n    options: {{show_root_heading: true}}\n\n" for path in public_paths(name).values()
    )
    return f"# `lentigo.{name}`\n\n::: lentigo.{name}\n    options: {{members: false}}\n\n{entries}"


def public_paths(name: str) -> dict[str, str]:
    """Where each name of a module's `__all__` is defined, read without importing it.

    A function that is called as its module can be found in no other way: `lentigo.training.search` is both.
    """
    place = ROOT / "src" / "lentigo" / name.replace(".", "/")
    file = place / "__init__.py" if place.is_dir() else place.with_suffix(".py")
    names: list[str] = []
    imported = {}
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            names = ast.literal_eval(node.value)
        if isinstance(node, ast.ImportFrom):
            imported |= {a.asname or a.name: f"{node.module}.{a.name}" for a in node.names}
    if not names:
        raise SystemExit(f"{file}: no __all__.")
    return {n: imported.get(n, f"lentigo.{name}.{n}") for n in names}


def notebook(path: Path) -> str:
    """A notebook as Markdown, without outputs."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return "\n\n".join(map(as_markdown, cells)) + f"\n\n[This page as a notebook]({path.name})\n"


def as_markdown(cell: dict[str, Any]) -> str:
    """A cell's text, or its code between fences."""
    text = "".join(cell["source"])
    return text if cell["cell_type"] == "markdown" else f"```python\n{text}\n```"
