"""Command line: each verb is one call of a public function, which a Python user would call too."""

import gc
import os
import sys
import warnings
from typing import Annotated, NoReturn

import typer

from lentigo import __version__
from lentigo.cli import (
    audit_log,
    classify,
    comparison,
    compress,
    cost,
    data,
    distil,
    evaluate,
    explain,
    prune,
    report,
    reproduce,
    search,
    serve,
    train,
    verify,
    watch,
)
from lentigo.errors import DataWarning, LentigoError, next_step, reason

__all__ = ["app", "main"]

INTERRUPTED = 130
"""Exit code after Ctrl-C, as in shells: 128 plus the signal number."""

_show_as_python_does = warnings.showwarning

app = typer.Typer(
    name="lentigo",
    help="Small, calibrated, explained and honestly measured skin-lesion classifiers. A research tool, not a medical "
    "device.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help: drawing it with rich would be a third of the start-up time
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(data.app, name="data")
app.add_typer(audit_log.app, name="audit-log")
BUILDING = (train.app, distil.app, search.app, prune.app, compress.app)
JUDGING = (evaluate.app, report.app, cost.app, verify.app, reproduce.app)
for verbs in (classify.app, watch.app, explain.app, comparison.app, serve.app, *BUILDING, *JUDGING):
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
    warnings.simplefilter("default", DataWarning)
    warnings.showwarning = _show_warning


def _show_warning(message: Warning | str, category: type[Warning], *where: object, **options: object) -> None:
    """Print lentigo's own warnings as one line on standard error, others as Python does."""
    if issubclass(category, DataWarning):
        typer.secho(f"Warning: {message}", fg="yellow", err=True)
    else:
        _show_as_python_does(message, category, *where, **options)  # type: ignore[arg-type]  # passed on as it came


def main() -> None:
    """Entry point: expected errors become one message and an exit code.

    1: an error of `lentigo.errors` or of the operating system; 130: interrupted by Ctrl-C.
    """
    # Before torch is loaded: threads that wait for each other by spinning take the cores from whatever else runs, and a
    # training beside other work then takes many times as long.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    # Imports make many objects, none of which the collector could free: looking at them is a tenth of the start-up.
    first, *others = gc.get_threshold()
    gc.set_threshold(max(first, 10_000), *others)
    try:
        app()
    except LentigoError as error:
        _fail(error.message, error.hint)
    except BrokenPipeError:  # the reader of a pipe, such as head, has closed it
        sys.stderr.close()
    except OSError as error:
        _fail(f"{error.filename or 'The operating system'}: {reason(error)}.", next_step(error))
    except (KeyboardInterrupt, SystemExit) as stop:  # Typer makes an exit of an interruption, and says nothing
        if isinstance(stop, SystemExit) and stop.code != INTERRUPTED:
            raise
        typer.secho("Interrupted.", fg="red", err=True)
        sys.exit(INTERRUPTED)


def _fail(message: str, hint: str) -> NoReturn:
    typer.secho(f"Error: {message}", fg="red", err=True)
    if hint:
        typer.echo(f"       {hint}", err=True)
    sys.exit(1)
