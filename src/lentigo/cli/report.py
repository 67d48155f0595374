"""The verb report."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer()


@app.command()
def report(
    predictions: Annotated[list[Path], typer.Argument(help="Tables of predictions.", metavar="PREDICTIONS...")],
    out: Annotated[Path, typer.Option(help="Folder to write into.")],
    bundle: Annotated[str | None, typer.Option(help="The model that made them: a name, or a bundle's path.")] = None,
    replicates: Annotated[int, typer.Option(help="Bootstrap resamples behind the intervals.")] = 1000,
) -> None:
    """Turn predictions into a page, a model card and filled checklists; several tables into a comparison."""
    from lentigo.report import report as write

    typer.echo(f"Wrote {write(predictions, out, bundle=bundle, replicates=replicates)}")
