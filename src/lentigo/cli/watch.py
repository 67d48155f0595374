"""The verb watch."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer()


@app.command()
def watch(
    folders: Annotated[
        list[Path],
        typer.Argument(help="Folder to watch (not needed with --dicom), and folder for results.", metavar="[IN] OUT"),
    ],
    dicom: Annotated[int | None, typer.Option(help="Also listen for DICOM C-STORE at this port.")] = None,
    host: Annotated[str, typer.Option(help="Address to listen at; 0.0.0.0 for all. DICOM has no encryption.")] = (
        "127.0.0.1"
    ),
    ae_title: Annotated[str | None, typer.Option(help="Accept only calls to this AE title.")] = None,
    model: Annotated[str | None, typer.Option(help="Name of an installed model, or path of a bundle.")] = None,
    heatmaps: Annotated[
        bool, typer.Option("--heatmaps", help="Write heat maps too: secondary captures for DICOM, else PNG.")
    ] = False,
    fhir: Annotated[str | None, typer.Option(help="Write FHIR Bundles too: R5 or R4B.")] = None,
    audit_log: Annotated[Path | None, typer.Option(help="Add each result to this audit log.")] = None,
    settle: Annotated[float, typer.Option(help="Seconds for which a file must not have changed.")] = 2.0,
    once: Annotated[bool, typer.Option("--once", help="Stop when all that is there was handled.")] = False,
) -> None:
    """Classify new images of a folder, and those sent by DICOM, as they come; each once, across restarts."""
    from lentigo.clinic import watch as run

    if len(folders) > 2:
        raise typer.BadParameter("give one folder to watch and one for results")
    found = run(
        folders[0] if len(folders) == 2 else None,
        folders[-1],
        dicom=dicom,
        host=host,
        ae_title=ae_title,
        model=model,
        heatmaps=heatmaps,
        fhir=fhir,
        audit_log=audit_log,
        settle=settle,
        once=once,
    )
    typer.echo(f"{found.classified} classified, {found.refused} refused, {found.repeated} repeated.")
