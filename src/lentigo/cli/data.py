"""Verbs of data: describe, audit, split."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Look at a data set, find its faults, part it without leaks.", no_args_is_help=True)

Root = Annotated[Path, typer.Argument(help="The data set's folder or file.", metavar="ROOT")]
Strict = Annotated[bool, typer.Option("--strict", help="Stop at any problem instead of leaving bad rows out.")]


@app.command()
def split(
    root: Root,
    out: Annotated[Path, typer.Option(help="CSV file for the manifest.")] = Path("split.csv"),
    protocol: Annotated[str, typer.Option(help="How to part the images.")] = "grouped",
    fold: Annotated[int, typer.Option(help="Which of five folds to keep for testing, 0 to 4.")] = 0,
    seed: Annotated[int, typer.Option(help="Seed of the shuffle.")] = 0,
    strict: Strict = False,
) -> None:
    """Part a data set by a named protocol and freeze the result under a hash."""
    from lentigo import data

    made = data.split(data.read(root, strict=strict), protocol, fold=fold, seed=seed)
    made.save(out)
    typer.echo(f"{made}\nWrote {out}")
