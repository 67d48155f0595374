"""Verbs for evaluation: evaluate, compare, combine."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer()

Replicates = Annotated[int, typer.Option(help="Number of bootstrap resamples for the intervals.")]
Tables = Annotated[list[Path], typer.Argument(help="Tables of predictions.", metavar="PREDICTIONS...")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace an existing file.")]
Json = Annotated[Path | None, typer.Option("--out", help="Also write a JSON file.")]


@app.command()
def evaluate(
    model: Annotated[str, typer.Argument(help="Folder of a run, name of a model, or path of a bundle.")],
    root: Annotated[Path | None, typer.Option("--data", help="Data set to evaluate a bundle on.")] = None,
    own_test: Annotated[bool, typer.Option("--own-test", help="Evaluate a bundle on its own test part.")] = False,
    source: Annotated[str | None, typer.Option(help="Only images of this source, such as test.")] = None,
    labels: Annotated[
        str | None, typer.Option(help="The data's label set: its name, or a CSV or JSON file.", metavar="FILE_OR_NAME")
    ] = None,
    outside: Annotated[
        bool, typer.Option("--outside", help="Allow a table to refer to images outside its own folder.")
    ] = False,
    mapping: Annotated[
        str | None,
        typer.Option(
            "--map",
            help="If model and data have different labels: the label set to map both to, or a file of pairs.",
            metavar="FILE_OR_NAME",
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for predictions, metrics and a report's inputs.")] = None,
    robustness: Annotated[bool, typer.Option("--robustness", help="Also on degraded images, 41 of each.")] = False,
    limit: Annotated[int, typer.Option(help="Number of images for --robustness.")] = 500,
    skin_tone: Annotated[bool, typer.Option("--skin-tone", help="Also by estimated skin tone (approximate).")] = False,
    replicates: Replicates = 1000,
    device: Annotated[str, typer.Option(help="Device for a run: auto, cpu, cuda or mps.")] = "auto",
) -> None:
    """Evaluate a run on its test part, or a bundle on images that it has not seen."""
    from lentigo import evaluation

    metrics = evaluation.evaluate(
        model,
        root=root,
        own_test=own_test,
        source=source,
        labels=labels,
        outside=outside,
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
    """Combine metrics over folds, seeds or both: mean and standard deviation."""
    from lentigo import evaluation

    typer.echo(evaluation.combine_tables(tables, out=out, overwrite=overwrite))
