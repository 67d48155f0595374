"""Verbs that need the plain install only: classify, models."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer()

SOME_UNREADABLE = 3
"""Exit code when at least one image could not be read."""
SOME_NOT_GRADABLE = 4
"""Exit code when every image could be read but at least one is not gradable."""


class Style(StrEnum):
    """Output formats."""

    table = "table"
    json = "json"
    csv = "csv"
    fhir = "fhir"


@app.command()
def classify(
    paths: Annotated[
        list[str],
        typer.Argument(help="Images, folders, patterns in quotes, or - for standard input.", metavar="PATH..."),
    ],
    model: Annotated[str | None, typer.Option(help="Name of an installed model, or path of a bundle.")] = None,
    style: Annotated[
        Style, typer.Option("--format", help="Output format; json writes one object per line, fhir one Bundle.")
    ] = Style.table,
    prevalence: Annotated[
        str | None,
        typer.Option(
            help="Prevalence of each diagnosis where the images come from: a JSON file, or mel=0.02,nv=0.9,... for all "
            "diagnoses. Adjusts the probabilities by Bayes' rule; decisions stay in the view of each threshold."
        ),
    ] = None,
    metadata: Annotated[
        Path | None,
        typer.Option(
            help="CSV of image (file name), age, sex and site, for a model that takes them; cells may be empty."
        ),
    ] = None,
    explain: Annotated[
        Path | None, typer.Option(help="Folder for heat maps of the model's evidence. No input is overwritten.")
    ] = None,
    fhir_version: Annotated[
        str | None, typer.Option(help="Version of FHIR with --format fhir: R5 (the default) or R4B.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace earlier heat maps in that folder.")] = False,
) -> None:
    """Classify images and report risks.

    Exit code 0: every image has a result. 3: at least one could not be read. 4: at least one is not gradable.
    """
    import sys

    from lentigo.runtime import classify_files, read_prevalence, render

    if fhir_version is not None and style is not Style.fhir:
        raise typer.BadParameter("it needs --format fhir.", param_hint="--fhir-version")
    results = classify_files(
        paths,
        model=model,
        explain=explain,
        prevalence=None if prevalence is None else read_prevalence(prevalence),  # type: ignore[arg-type]
        metadata=metadata,
        overwrite=overwrite,
        progress=not sys.stdout.isatty(),  # on a terminal the rows show the progress
    )
    if style is Style.fhir:
        from lentigo.clinic import fhir_text

        typer.echo(fhir_text(results, version=fhir_version or "R5"), nl=False)
    else:
        for text in render(results, style):
            typer.echo(text, nl=False)
    for notice in results.notices:
        typer.echo(notice, err=True)
    if results.unreadable or results.not_gradable:
        raise typer.Exit(SOME_UNREADABLE if results.unreadable else SOME_NOT_GRADABLE)


@app.command()
def models() -> None:
    """List the models that ship with lentigo."""
    from lentigo.runtime import describe_models

    typer.echo(describe_models(), nl=False)
