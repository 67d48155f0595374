"""The command line, for the verb that exports."""

from tests.cli.conftest import run

__all__ = ["run"]
