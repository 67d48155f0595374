"""Verbs that need the plain install only: classify, models."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer()

SOME_UNREADABLE = 3
"""Exit code when at least one image could not be read."""


class Style(StrEnum):
    """How results are printed."""

    table = "table"
    json = "json"
    csv = "csv"


@app.command()
def classify(
    paths: Annotated[list[str], typer.Argument(help="Images, folders, or patterns in quotes.", metavar="PATH...")],
    model: Annotated[str | None, typer.Option(help="A model's name, or a bundle's path.")] = None,
    style: Annotated[Style, typer.Option("--format", help="How to print the results.")] = Style.table,
    explain: Annotated[Path | None, typer.Option(help="Folder for pictures of where the model looked.")] = None,
) -> None:
    """Classify images and report risks. Exit code 3 if an image could not be read."""
    from lentigo.runtime import Failure, classify_files, render

    failed = False

    def watched():  # type: ignore[no-untyped-def]
        nonlocal failed
        for result in classify_files(paths, model=model, explain=explain):
            failed = failed or isinstance(result, Failure)
            yield result

    for text in render(watched(), style):
        typer.echo(text, nl=False)
    if failed:
        raise typer.Exit(SOME_UNREADABLE)


@app.command()
def models() -> None:
    """List the models that ship with lentigo."""
    from lentigo.runtime import describe_models

    typer.echo(describe_models(), nl=False)
