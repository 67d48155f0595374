"""The site builds without a warning, needs no network, and shows everything that is public."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "tools"))
import docs_pages

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(out)]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    built = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    return out


@pytest.mark.parametrize("name", docs_pages.PACKAGES)
def test_every_public_name_has_its_entry(site, name):
    page = (site / "api" / f"{name}.html").read_text()
    missing = [n for n, path in docs_pages.public_paths(name).items() if f'id="{path}"' not in page]
    assert not missing


def test_every_verb_is_in_the_reference(site):
    from lentigo.cli import app

    page = (site / "cli.html").read_text()
    verbs = [c.name or c.callback.__name__.replace("_", "-") for c in app.registered_commands]
    assert len(verbs) > 8
    assert not [v for v in verbs if f"lentigo {v}</code>" not in page]


def test_pages_load_nothing_from_the_network(site):
    loads = re.compile(
        r'<(?:script|img|iframe)[^>]+src="(?:https?:)?//|<link[^>]+rel="stylesheet"[^>]+href="(?:https?:)?//'
    )
    assert not [p.name for p in site.rglob("*.html") if loads.search(p.read_text())]


def test_links_between_pages_hold(site):
    broken = []
    for page in site.rglob("*.html"):
        for target in re.findall(r'(?:href|src)="([^"#:]+)[^":]*"', page.read_text()):
            if page.name != "404.html" and not (page.parent / target).exists():
                broken.append((page.relative_to(site).as_posix(), target))
    assert not broken


def test_the_layers_are_those_that_lint_holds():
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    listed = re.findall(r"^    ([a-z_]+)  +\w", text.partition("## Layers")[2].partition("\n## ")[0], re.M)
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    held = [layer.removeprefix("lentigo.") for layer in contracts[0]["layers"] if not layer.startswith("(")]
    assert listed == held[::-1]


@pytest.mark.parametrize("document", ["docs/architecture.md", "CONTRIBUTING.md"])
def test_files_that_are_named_exist(document):
    text = (ROOT / document).read_text(encoding="utf-8")
    named = re.findall(r"`((?:lentigo/)?[a-z_]+/[a-z_0-9/]*(?:\.py)?)`", text)
    assert named
    places = [ROOT, ROOT / "src", ROOT / "src" / "lentigo", ROOT / "src" / "lentigo" / "data"]
    missing = [n for n in named if not any((place / n).exists() for place in places)]
    assert not missing
