"""The verb evaluate."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer()


@app.command()
def evaluate(
    model: Annotated[str, typer.Argument(help="A run's folder, a model's name, or a bundle's path.")],
    root: Annotated[Path | None, typer.Option("--data", help="The data set for a bundle.")] = None,
    own_test: Annotated[bool, typer.Option("--own-test", help="A bundle's own test part of the data set.")] = False,
    out: Annotated[Path | None, typer.Option(help="Folder for predictions and metrics.")] = None,
    replicates: Annotated[int, typer.Option(help="Bootstrap resamples behind the intervals.")] = 1000,
) -> None:
    """Measure a run on its test part, or a bundle on images that it has not seen."""
    from lentigo import evaluation

    metrics = evaluation.evaluate(model, root=root, own_test=own_test, out=out, replicates=replicates)
    typer.echo(evaluation.summarise(metrics))
