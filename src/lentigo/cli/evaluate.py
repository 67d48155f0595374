"""Verbs on predictions: evaluate, compare, combine."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer()

Replicates = Annotated[int, typer.Option(help="Bootstrap resamples behind the intervals.")]
Tables = Annotated[list[Path], typer.Argument(help="Tables of predictions.", metavar="PREDICTIONS...")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace a file that exists.")]
Json = Annotated[Path | None, typer.Option("--out", help="JSON file to write as well.")]


@app.command()
def evaluate(
    model: Annotated[str, typer.Argument(help="A run's folder, a model's name, or a bundle's path.")],
    root: Annotated[Path | None, typer.Option("--data", help="The data set for a bundle.")] = None,
    own_test: Annotated[bool, typer.Option("--own-test", help="A bundle's own test part of the data set.")] = False,
    source: Annotated[str | None, typer.Option(help="Only the images of this source, such as test.")] = None,
    labels: Annotated[
        str | None, typer.Option(help="The data's label set: its name, or a CSV or JSON file.", metavar="FILE_OR_NAME")
    ] = None,
    mapping: Annotated[
        str | None,
        typer.Option(
            "--map",
            help="Where the model has other labels than the data: the label set to bring both to, or a file of pairs.",
            metavar="FILE_OR_NAME",
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for predictions, metrics and what a report needs.")] = None,
    robustness: Annotated[bool, typer.Option("--robustness", help="Also on worse images, 41 times each.")] = False,
    limit: Annotated[int, typer.Option(help="Images to take for --robustness.")] = 500,
    skin_tone: Annotated[bool, typer.Option("--skin-tone", help="Also by estimated skin tone (rough).")] = False,
    replicates: Replicates = 1000,
    device: Annotated[str, typer.Option(help="Where a run predicts: auto, cpu, cuda or mps.")] = "auto",
) -> None:
    """Measure a run on its test part, or a bundle on images that it has not seen."""
    from lentigo import evaluation

    metrics = evaluation.evaluate(
        model,
        root=root,
        own_test=own_test,
        source=source,
        labels=labels,
        mapping=mapping,
        out=out,
        robustness=robustness,
        limit=limit,
        skin_tone=skin_tone,
        replicates=replicates,
        device=device,
    )
    typer.echo(evaluation.summarise(metrics))


@app.command()
def compare(tables: Tables, out: Json = None, replicates: Replicates = 1000, overwrite: Overwrite = False) -> None:
    """Compare models on the same images: paired differences, DeLong's and McNemar's tests, Holm's correction."""
    from lentigo import evaluation

    typer.echo(evaluation.compare_tables(tables, out=out, replicates=replicates, overwrite=overwrite))


@app.command()
def combine(tables: Tables, out: Json = None, overwrite: Overwrite = False) -> None:
    """Mean and spread of the metrics over folds, seeds or both."""
    from lentigo import evaluation

    typer.echo(evaluation.combine_tables(tables, out=out, overwrite=overwrite))
