"""What README and the documents show runs as it is written, or names what exists."""

import ast
import importlib
import inspect
import json
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import click
import onnxruntime
import pytest
import typer
from typer.testing import CliRunner

import lentigo
from lentigo.cli import app
from lentigo.runtime import shipped_models
from lentigo.training import Recipe

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.M | re.S)
SCRIPT = re.compile(r"^```python\n(.*?)^```", re.M | re.S)
CONSOLE = re.compile(r"^\$ (lentigo [^\n]*)", re.M)
INDENTED = re.compile(r"^    (lentigo (?:[^\n]*\\\n)*[^\n]*)", re.M)
INLINE = re.compile(r"`(lentigo [a-z][^`]*)`")


def scripts() -> list[str]:
    return SCRIPT.findall(README)


def commands(text: str) -> list[list[str]]:
    """Arguments of each command line; a redirection ends it, and '/' and '...' alone show no command."""
    lines = CONSOLE.findall(text) + [" ".join(line.split()) for line in INLINE.findall(text)]
    lines += [re.sub(r"\\\n|[][]", " ", line) for line in INDENTED.findall(text)]  # [OPTIONS] may be left out
    return [shlex.split(line.partition(" > ")[0].partition(" | ")[0], comments=True)[1:] for line in lines]


@pytest.fixture
def workplace(synthetic_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with what README speaks of: a picture, a folder of pictures, prevalences, the bundle."""
    pictures = sorted((synthetic_root / "images").glob("*.jpg"))
    (tmp_path / "clinic").mkdir()
    shutil.copy(pictures[0], tmp_path / "lesion.jpg")
    shutil.copy(pictures[1], tmp_path / "clinic")
    shares = {"akiec": 3, "bcc": 5, "bkl": 10, "df": 1, "mel": 2, "nv": 78, "vasc": 1}
    (tmp_path / "clinic.json").write_text(str(shares).replace("'", '"'))
    shutil.copy(shipped_models()["lentigo-s"], tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_five_lines_and_what_follows_them_run(workplace):
    names: dict[str, object] = {}
    classifying = [s for s in scripts() if "verdict" in s or "onnxruntime" in s]
    assert len(classifying) == 3
    for script in classifying:
        if names and "heatmap(" in script and not names["verdict"].gradable:
            continue
        exec(compile(script, "README.md", "exec"), names)
    assert (workplace / "lesion.heatmap.png").is_file()
    assert names["probabilities"].shape == (1, 7)
    assert names["cam"].shape[:2] == (1, 7)
    assert names["ood_score"].shape == (1,)


@pytest.mark.parametrize(
    "line", [c for c in commands(README) if c[0] == "classify" and "--model" not in c], ids=" ".join
)
def test_commands_that_classify_run(workplace, line):
    result = CliRunner().invoke(app, line)
    assert result.exit_code in (0, 4), result.output


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_command_names_options_that_exist(document):
    for line in commands(document.read_text(encoding="utf-8")):
        command: click.Command = typer.main.get_command(app)
        rest = line
        while hasattr(command, "commands") and rest and rest[0] in command.commands:
            command, rest = command.commands[rest[0]], rest[1:]
        assert (hasattr(command, "params") and command.name != "lentigo") or rest[:1] == ["--version"], line
        known = {flag for parameter in command.params for flag in parameter.opts + parameter.secondary_opts}
        used = {word.partition("=")[0].rstrip(".,:") for word in rest if word.startswith("--")}
        assert used <= known | {"--help"}, line


def test_calls_of_the_package_fit_their_signatures():
    for script in scripts():
        for call in (node for node in ast.walk(ast.parse(script)) if isinstance(node, ast.Call)):
            name = ast.unparse(call.func)
            if name.partition(".")[0] not in {"audit", "data", "training", "evaluation", "export"}:
                continue
            function = lentigo
            for part in name.split("."):
                function = getattr(function, part)
            inspect.signature(function).bind(*call.args, **{k.arg: k.value for k in call.keywords})


def test_the_table_of_models_is_what_the_tool_writes(monkeypatch):
    monkeypatch.setattr(sys, "path", [str(ROOT / "tools"), *sys.path])
    import readme

    assert readme.filled(README) == README, "run: python tools/readme.py"


def test_every_block_is_of_a_kind_that_is_tested_here():
    assert {language for language, _ in BLOCK.findall(README)} == {"console", "python", "js", "cpp"}


def test_every_line_of_a_console_is_a_command_that_is_tested_here():
    lines = [line for language, block in BLOCK.findall(README) if language == "console" for line in block.splitlines()]
    assert lines
    assert [line for line in lines if not line.startswith(("$ lentigo ", "$ pip install ", "$ curl "))] == []


def test_scripts_use_public_names_alone():
    for script in scripts():
        for node in ast.walk(ast.parse(script)):
            if isinstance(node, ast.ImportFrom) and node.module.partition(".")[0] == "lentigo":
                assert {alias.name for alias in node.names} <= set(dir(importlib.import_module(node.module)))
            if isinstance(node, ast.Attribute) and ast.unparse(node.value) in dir(lentigo):
                owner = getattr(lentigo, ast.unparse(node.value))
                assert node.attr in getattr(owner, "__all__", dir(owner)), ast.unparse(node)


def test_extras_and_targets_exist():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    for document in DOCUMENTS:
        text = document.read_text(encoding="utf-8")
        named = {
            extra
            for found in re.findall(r"pip install [^\s`;]*(?:lentigo|\.)\[([\w,]+)\]", text)
            for extra in found.split(",")
        }
        assert named <= set(extras), document.name
        targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M)
        assert set(re.findall(r"(?:`|    |=\S+ )make ([\w-]+)", text)) <= set(targets), document.name


def test_the_recipe_shown_is_a_recipe():
    (text,) = re.findall(r"`(\{\"loss\"[^`]*\})`", README)
    Recipe(**json.loads(text))


@pytest.mark.parametrize("language", ["python", "js", "cpp"])
def test_programs_in_every_language_name_the_inputs_and_outputs_of_the_file(language):
    session = onnxruntime.InferenceSession(shipped_models()["lentigo-s"])
    names = {"image", "probabilities", "cam", "ood_score"}
    assert names <= {one.name for one in [*session.get_inputs(), *session.get_outputs()]}
    blocks = [block for kind, block in BLOCK.findall(README) if kind == language and "onnxruntime" in block]
    assert len(blocks) == 1
    assert all(re.search(rf"\b{name}\b", blocks[0]) for name in names)


@pytest.mark.skipif(shutil.which("node") is None, reason="needs node")
def test_the_program_in_javascript_can_be_parsed(tmp_path):
    (block,) = [block for kind, block in BLOCK.findall(README) if kind == "js"]
    file = tmp_path / "block.mjs"
    file.write_text(block, encoding="utf-8")
    subprocess.run(["node", "--check", file], check=True, timeout=60)


@pytest.mark.skipif(shutil.which("g++") is None, reason="needs g++")
def test_the_program_in_cpp_fits_the_declarations_of_the_api(tmp_path):
    (block,) = [block for kind, block in BLOCK.findall(README) if kind == "cpp"]
    head, _, body = block.rpartition(">\n")
    given = "std::vector<uint8_t> rgb, int64_t height, int64_t width"
    file = tmp_path / "block.cpp"
    file.write_text(f"{head}>\nfloat first({given}) {{\n{body}\nreturn probabilities[0];\n}}\n", encoding="utf-8")
    options = ["-std=c++17", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", "-I", ROOT / "tests" / "fixtures" / "cpp"]
    subprocess.run(["g++", *options, file], check=True, timeout=60)
