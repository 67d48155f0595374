"""The command line, called as from a shell."""

import pytest

from lentigo.cli import main


@pytest.fixture
def run(monkeypatch, capsys):
    """Run `lentigo ARGUMENTS`; gives (exit code, standard output, standard error)."""

    def call(*arguments):
        monkeypatch.setattr("sys.argv", ["lentigo", *map(str, arguments)])
        code = 0
        try:
            main()
        except SystemExit as stop:
            code = int(stop.code or 0)
        out, err = capsys.readouterr()
        return code, out, err

    return call
