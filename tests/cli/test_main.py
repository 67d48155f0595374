"""The entry point: every known kind of failure is one message with a next step, and an exit code of its own."""

import errno
import subprocess
import sys

import pytest
import typer

from lentigo import cli
from lentigo.errors import LentigoError, MissingExtraError, OutputError, install_command


def _main(monkeypatch, capsys, error: BaseException) -> tuple[int, str]:
    def app():
        raise error

    monkeypatch.setattr(cli, "app", app)
    with pytest.raises(SystemExit) as caught:
        cli.main()
    return caught.value.code, capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (LentigoError("lesion.jpg: no image.", "Take another."), ["lesion.jpg: no image.", "Take another."]),
        (OSError(errno.EEXIST, "File exists", "out"), ["out: file exists.", "choose another name"]),
        (OSError(errno.ENOSPC, "No space left on device", "out"), ["out: no space", "Free some space"]),
        (PermissionError(errno.EACCES, "Permission denied", "out"), ["out: permission", "permissions"]),
        (OSError("something odd"), ["something odd"]),
    ],
)
def test_errors_of_the_system_become_a_message_with_the_step_that_fits(monkeypatch, capsys, error, words):
    code, err = _main(monkeypatch, capsys, error)
    assert code == 1
    assert all(word in err for word in words)
    assert "Traceback" not in err


def test_file_exists_is_not_answered_with_free_some_space(monkeypatch, capsys):
    assert "space" not in _main(monkeypatch, capsys, FileExistsError(errno.EEXIST, "File exists", "out"))[1]


@pytest.mark.parametrize("stop", [KeyboardInterrupt(), SystemExit(130)], ids=["as Python has it", "as Typer ends"])
def test_interruption_exits_with_130_and_says_so(monkeypatch, capsys, stop):
    assert _main(monkeypatch, capsys, stop) == (130, "Interrupted.\n")


@pytest.mark.parametrize("code", [0, 3, 4])
def test_any_other_exit_stays_as_it_is(monkeypatch, capsys, code):
    assert _main(monkeypatch, capsys, SystemExit(code)) == (code, "")


def test_an_output_error_is_both_kinds():
    error = OutputError.of("a.txt", OSError(errno.EROFS, "Read-only file system"))
    assert isinstance(error, LentigoError)
    assert isinstance(error, OSError)
    assert str(error).startswith("a.txt: read-only file system.")


def test_the_hint_for_an_extra_is_a_command_for_this_installation():
    command = install_command("train")
    assert command.startswith(sys.executable)
    assert "[train]" in command
    assert command in MissingExtraError("lentigo.training", "train").hint


def test_the_command_line_starts_without_heavy_packages():
    code = (
        "import sys, lentigo.cli;"
        "heavy = {'numpy', 'torch', 'pandas', 'onnxruntime', 'PIL', 'pydantic', 'rich', 'importlib.metadata'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "verb",
    [
        *("data describe", "data audit", "data split", "data leakage", "data pixels", "data augmentations"),
        *("train", "search", "evaluate", "report"),
    ],
)
def test_verbs_that_read_tables_can_allow_images_outside(verb):
    assert "--outside" in _options(verb)


def _options(verb):
    command = typer.main.get_command(cli.app)
    for word in verb.split():
        command = command.commands[word]
    return {option for parameter in command.params for option in parameter.opts}
