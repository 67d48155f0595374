"""The verb report."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer()


@app.command()
def report(
    predictions: Annotated[
        list[Path], typer.Argument(help="Tables of predictions, or evaluated runs.", metavar="PREDICTIONS...")
    ],
    out: Annotated[Path | None, typer.Option(help="Output folder (default: 'report' beside the predictions).")] = None,
    bundle: Annotated[str | None, typer.Option(help="The model that made them: name, or path of a bundle.")] = None,
    root: Annotated[Path | None, typer.Option("--data", help="The data set, for pictures of the errors.")] = None,
    outside: Annotated[
        bool, typer.Option("--outside", help="Allow a table to refer to images outside its own folder.")
    ] = False,
    melanoma: Annotated[
        float | None, typer.Option("--melanoma-prevalence", help="Prevalence of melanoma in your clinic, 0 to 1.")
    ] = None,
    malignancy: Annotated[
        float | None, typer.Option("--malignancy-prevalence", help="Prevalence of malignant lesions there, 0 to 1.")
    ] = None,
    replicates: Annotated[int, typer.Option(help="Number of bootstrap resamples for the intervals.")] = 1000,
) -> None:
    """Write a report from predictions: page, model card and completed checklists; for several tables, a comparison."""
    from lentigo.report import report as write

    stated = {"melanoma": melanoma, "malignancy": malignancy}
    prevalence = {task: share for task, share in stated.items() if share is not None}
    page = write(
        predictions, out, bundle=bundle, root=root, outside=outside, prevalence=prevalence, replicates=replicates
    )
    typer.echo(f"Wrote {page}")
