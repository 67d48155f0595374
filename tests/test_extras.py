"""Each extra of pyproject.toml brings what its part of lentigo imports, whatever other extras bring."""

import ast
import json
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution, packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
SOURCES = ROOT / "src" / "lentigo"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PLAIN = ""

EXTRAS_OF = {
    "": {PLAIN},
    "audit": {"data"},
    "audit/duplicates/approximate.py": {"data", "cluster"},
    "audit_log": {"clinic", "serve"},
    "bulk": {"bulk"},
    "bulk/cluster.py": {"cluster"},
    "bulk/ray_engine.py": {"cluster"},
    "clinic": {"clinic"},
    "compression": {"train"},
    "compression/structured.py": {"compress"},
    "data": {"data"},
    "data/augment": {"train"},
    "data/sampling.py": {"train"},
    "evaluation": {"data"},
    "evaluation/cost": {"train"},
    "evaluation/ood/graph.py": {"train"},
    "evaluation/robustness/perturb.py": {"train"},  # hair, which torch draws
    "evaluation/run_predictor.py": {"train"},
    "explanation": {"explain"},
    "export": {"train"},
    "export/lite/worker.py": set(),  # runs where `lentigo export --setup-litert` installed what it needs
    "models": {"train"},
    "page/browser.py": {"browser"},
    "render/html.py": {"data"},
    "render/plots.py": {"data"},
    "report": {"data"},
    "runtime/codecs/dicom.py": {"clinic"},
    "runtime/litert.py": {"litert"},
    "serve": {"serve"},
    "serve/answering.py": {"serve", "clinic"},  # DICOM, where it is installed
    "serve/gradio_page.py": {"gradio"},
    "studies": {"train"},
    "training": {"train"},
}
"""Which extras the modules of a folder may import from, within functions too; the longest path counts."""

UNSEEN = {
    "clinic": {
        "fhir-resources",  # `clinic.fhir_check` imports the version that a resource has
        "pylibjpeg",  # through which pydicom writes JPEG 2000
        "pylibjpeg-openjpeg",
        "pylibjpeg-rle",
    },
    "bulk": {"s3fs"},  # fsspec's s3://
    "train": {
        "fsspec",  # Lightning's checkpoints
        "onnxscript",  # torch.onnx.export
        "tensorboard",  # Lightning's logger of that name
    },
}
"""What no module of lentigo imports, but a package that it calls: plug-ins, engines, back ends."""


def lines(extra: str) -> list[Requirement]:
    """An extra's own lines; of the plain install for ''."""
    return [Requirement(x) for x in (PROJECT["optional-dependencies"][extra] if extra else PROJECT["dependencies"])]


@cache
def brought_by(extra: str) -> frozenset[str]:
    """Names of all distributions that an installation with this extra alone has: its lines, and what those require."""
    found, waiting = set(), [*lines(PLAIN), *lines(extra)]
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        if (name, *requirement.extras) in found:
            continue
        found.add((name, *requirement.extras))
        if name == PROJECT["name"]:
            waiting += [line for other in requirement.extras for line in lines(other)]
        else:
            waiting += required_by(name, requirement.extras)
    return frozenset(name for name, *_ in found)


def required_by(name: str, extras: set[str]) -> Iterator[Requirement]:
    """What an installed distribution requires on this machine."""
    try:
        texts = distribution(name).requires or []
    except PackageNotFoundError:  # of an extra that tests do without
        return
    for requirement in map(Requirement, texts):
        marker = requirement.marker
        if marker is None or any(marker.evaluate({"extra": extra}) for extra in ("", *extras)):
            yield requirement


@cache
def distributions_of(package: str) -> frozenset[str]:
    """Names of the distributions that have a package of this name at their top."""
    known = _known_packages().get(package, [package])
    return frozenset(canonicalize_name(name) for name in known)


@cache
def _known_packages() -> dict[str, list[str]]:
    return dict(packages_distributions())


@cache
def imported_by(module: Path) -> frozenset[str]:
    """Top-level names of the packages that a module imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add(str(node.module).partition(".")[0])
    return frozenset(found - sys.stdlib_module_names - {PROJECT["name"]})


def extras_of(module: Path) -> set[str]:
    """The extras that a module may import from."""
    place = module.relative_to(SOURCES)
    return next(EXTRAS_OF[key] for p in (place, *place.parents) if (key := p.as_posix().removeprefix(".")) in EXTRAS_OF)


MODULES = [path for path in sorted(SOURCES.rglob("*.py")) if extras_of(path)]


def test_what_a_module_imports_comes_with_its_extra_alone():
    lacking = {
        f"{module.relative_to(SOURCES)}: {package}"
        for module in MODULES
        for package in imported_by(module)
        if not any(distributions_of(package) & brought_by(extra) for extra in extras_of(module))
    }
    assert not lacking


@pytest.mark.parametrize("extra", sorted(EXTRAS_OF["audit_log"]))
def test_each_extra_that_has_the_audit_log_brings_all_of_it(extra):
    needed = {package for path in (SOURCES / "audit_log").glob("*.py") for package in imported_by(path)}
    assert needed
    assert not {package for package in needed if not distributions_of(package) & brought_by(extra)}


def test_every_place_of_the_table_exists():
    assert all((SOURCES / place).exists() for place in EXTRAS_OF)


def test_what_is_called_without_being_imported_is_named_by_its_extra():
    for extra, names in UNSEEN.items():
        assert names <= {canonicalize_name(line.name) for line in lines(extra)}, extra


@pytest.mark.parametrize("extra", [PLAIN, *sorted({e for extras in EXTRAS_OF.values() for e in extras} - {PLAIN})])
def test_an_extra_names_nothing_that_it_does_not_use(extra):
    used = {
        name
        for m in MODULES
        if extra in extras_of(m)
        for package in imported_by(m)
        for name in distributions_of(package)
    }
    named = {canonicalize_name(line.name) for line in lines(extra)} - {PROJECT["name"]}
    assert named <= used | UNSEEN.get(extra, set())


VERBS = {
    "classify x --out y": "bulk",
    "compare x y": "data",
    "compress x --recipe int8 --out y": "compress",
    "cost compact": "train",
    "cost lentigo-s": "train",
    "data audit x": "data",
    "data describe x": "data",
    "data augmentations x": "train",
    "data split x": "data",
    "demo --out y": "train",
    "evaluate x": "data",
    "export x y.onnx": "train",
    "finetune x --out y": "train",
    "fuse x y.onnx --data x": "train",
    "prune x --out y": "compress",
    "report x": "data",
    "reproduce all --data x --out y": "train",
    "search compact --data x --out y": "train",
    "serve": "serve",
    "soft-labels x --data x --out y": "compress",
    "train compact --data x --out y": "train",
    "verify x y --data x": "compress",
    "watch . ../y": "clinic",
}
"""Verbs, and the extra that the plain install is to be given for them."""

PLAIN_INSTALL = """
import contextlib, io, json, sys
verbs, absent = json.loads(sys.argv[1]), set(json.loads(sys.argv[2]))
class Absent:
    def find_spec(name, path=None, target=None):
        if name.partition(".")[0] in absent:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Absent)
from lentigo.cli import main
said = {}
for verb in verbs:
    sys.argv, errors = ["lentigo", *verb.split()], io.StringIO()
    with contextlib.redirect_stderr(errors), contextlib.suppress(SystemExit):
        main()
    said[verb] = errors.getvalue()
print(json.dumps(said))
"""


def test_on_the_plain_install_each_verb_names_the_extra_that_it_needs(tmp_path):
    absent = [p for p, names in _known_packages().items() if not set(map(canonicalize_name, names)) & brought_by(PLAIN)]
    words = [sys.executable, "-c", PLAIN_INSTALL, json.dumps(list(VERBS)), json.dumps(absent)]
    done = subprocess.run(words, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout.splitlines()[-1])
    assert {verb: said[verb] for verb, extra in VERBS.items() if f"[{extra}]" not in said[verb]} == {}
