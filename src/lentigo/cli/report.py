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
    out: Annotated[
        Path | None, typer.Option(help="Folder to write into; without it 'report' beside the predictions.")
    ] = None,
    bundle: Annotated[str | None, typer.Option(help="The model that made them: a name, or a bundle's path.")] = None,
    root: Annotated[Path | None, typer.Option("--data", help="The images, for pictures of the mistakes.")] = None,
    melanoma: Annotated[
        float | None, typer.Option("--melanoma-prevalence", help="Share of melanomas in your clinic, 0 to 1.")
    ] = None,
    malignancy: Annotated[
        float | None, typer.Option("--malignancy-prevalence", help="Share of malignant lesions there, 0 to 1.")
    ] = None,
    replicates: Annotated[int, typer.Option(help="Bootstrap resamples behind the intervals.")] = 1000,
) -> None:
    """Turn predictions into a page, a model card and filled checklists; several tables into a comparison."""
    from lentigo.report import report as write

    stated = {"melanoma": melanoma, "malignancy": malignancy}
    prevalence = {task: share for task, share in stated.items() if share is not None}
    page = write(predictions, out, bundle=bundle, root=root, prevalence=prevalence, replicates=replicates)
    typer.echo(f"Wrote {page}")
