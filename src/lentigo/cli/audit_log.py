"""The verb audit-log verify."""

import json
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="The audit log of a service or a watched folder.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """The audit log of a service or a watched folder."""


@app.command()
def verify(
    path: Annotated[Path, typer.Argument(help="The audit log.", metavar="FILE")],
    head: Annotated[
        str | None, typer.Option(help="The head hash that an earlier check printed, kept in another place.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Find lines that were changed, removed, moved or inserted; exit code 1 if there are any."""
    from lentigo.audit_log import verify_audit_log

    found = verify_audit_log(path, head=head)
    typer.echo(json.dumps(found.to_dict()) if as_json else found.to_text())
    raise typer.Exit(0 if found.intact else 1)
