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


_NEEDS_OUT = ("engine", "address", "workers", "maps")
_WITHOUT_OUT = ("style", "metadata", "explain", "fhir_version", "overwrite")


class Engine(StrEnum):
    """What classifies in bulk."""

    local = "local"
    ray = "ray"


class Style(StrEnum):
    """Output formats."""

    table = "table"
    json = "json"
    csv = "csv"
    fhir = "fhir"


@app.command()
def classify(
    context: typer.Context,
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
    out: Annotated[
        str | None,
        typer.Option(
            help="In bulk: folder or address for parquet files of results; a further run continues. PATH may then also "
            "be a tar shard, a parquet file, a manifest (.txt or .csv), or an address such as s3://bucket/images/."
        ),
    ] = None,
    engine: Annotated[Engine, typer.Option(help="With --out: this process, or Ray.")] = Engine.local,
    address: Annotated[
        str | None, typer.Option(help="With --engine ray: a running cluster; without it, one starts here.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="With --out: sessions at once; as many as processors without it.")
    ] = None,
    maps: Annotated[bool, typer.Option("--maps", help="With --out: a column of class-activation maps.")] = False,
) -> None:
    """Classify images and report risks.

    Exit code 0: every image has a result. 3: at least one could not be read. 4: at least one is not gradable.
    """
    import sys

    from lentigo.runtime import classify_files, read_prevalence, render

    _refuse_mixed(context, bulk=out is not None)
    if out is not None:
        from lentigo import bulk

        summary = bulk.classify(
            paths,
            out,
            model=model,
            engine=engine,
            address=address,
            workers=workers,
            prevalence=None if prevalence is None else read_prevalence(prevalence),  # type: ignore[arg-type]
            maps=maps,
        )
        typer.echo(summary.text, nl=False)
        _exit(summary.failed, summary.not_gradable)
        return
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
    _exit(results.unreadable, results.not_gradable)


def _exit(unreadable: int, not_gradable: int) -> None:
    if unreadable or not_gradable:
        raise typer.Exit(SOME_UNREADABLE if unreadable else SOME_NOT_GRADABLE)


def _refuse_mixed(context: typer.Context, *, bulk: bool) -> None:
    """Options that have no effect here are refused, not ignored."""
    for parameter in context.command.params:
        source = context.get_parameter_source(parameter.name or "")
        given = source is not None and source.name != "DEFAULT"
        if given and parameter.name in (_WITHOUT_OUT if bulk else _NEEDS_OUT):
            words = "it does not go with --out." if bulk else "it needs --out FOLDER."
            raise typer.BadParameter(words, param_hint=parameter.opts[0])


@app.command()
def models() -> None:
    """List the models that ship with lentigo."""
    from lentigo.runtime import describe_models

    typer.echo(describe_models(), nl=False)
