"""The verb explain; with a bundle it needs the plain install only."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer()

SOME_FAILED = 3
"""Exit code when at least one image could not be explained."""


class PictureStyle(StrEnum):
    """How figures show the map."""

    side_by_side = "side-by-side"
    overlay = "overlay"
    contour = "contour"
    map = "map"


@app.command()
def explain(
    paths: Annotated[list[str], typer.Argument(help="Images, folders, or patterns in quotes.", metavar="IMAGE...")],
    model: Annotated[
        str | None, typer.Option(help="Name of an installed model, path of a bundle, or folder of a run.")
    ] = None,
    method: Annotated[
        str,
        typer.Option(
            help="cam, occlusion and rise work on any model; grad_cam and others look inside a run. A wrong name lists "
            "all."
        ),
    ] = "cam",
    target: Annotated[
        str | None, typer.Option(help="Diagnosis, id or name. Without it, each image's most probable one.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the figures. No input is overwritten.")] = None,
    style: Annotated[PictureStyle, typer.Option(help="What the figures show.")] = PictureStyle.side_by_side,
    masks: Annotated[
        Path | None,
        typer.Option(
            help="Folder of lesion masks, NAME_segmentation.png or NAME.png: says how much of each map lies on the "
            "lesion."
        ),
    ] = None,
    setting: Annotated[
        list[str] | None,
        typer.Option("--set", help="Parameter of the method, such as masks=1000.", metavar="NAME=VALUE"),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace earlier heat maps in that folder.")] = False,
) -> None:
    """Show where in each image the evidence for a diagnosis is.

    Exit code 0: every image is explained. 3: at least one is not.
    """
    from lentigo.explanation import explain_files, parse_settings
    from lentigo.runtime import NOTICE

    results = explain_files(
        paths,
        method=method,
        target=target,
        model=model,
        out=out,
        style=style,
        masks=masks,
        overwrite=overwrite,
        parameters=parse_settings(setting or []),
    )
    failed = 0
    for result in results:
        failed += result.explanation is None
        typer.echo(str(result), err=result.explanation is None)
    typer.echo(NOTICE)
    if failed:
        raise typer.Exit(SOME_FAILED)
