"""Command line: each verb is one call of a public function, which a Python user would call too."""

import sys
from typing import Annotated

import typer

from lentigo import __version__
from lentigo.cli import classify, cost, data, evaluate, report, reproduce, search, train
from lentigo.errors import LentigoError

__all__ = ["app", "main"]

app = typer.Typer(
    name="lentigo",
    help="Small, calibrated, explained and honestly measured skin-lesion classifiers. A research tool, not a medical "
    "device.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(data.app, name="data")
for verbs in (classify.app, train.app, search.app, evaluate.app, report.app, cost.app, reproduce.app):
    app.registered_commands += verbs.registered_commands


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    """Options before the verb."""


def main() -> None:
    """Entry point: errors that lentigo raises on purpose become one message and exit code 1."""
    try:
        app()
    except LentigoError as error:
        typer.secho(f"Error: {error.message}", fg="red", err=True)
        if error.hint:
            typer.echo(f"       {error.hint}", err=True)
        sys.exit(1)
    except BrokenPipeError:  # the reader of a pipe, such as head, has seen enough
        sys.stderr.close()
