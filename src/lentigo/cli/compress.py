"""The verb compress."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer()

SOME_WITHHELD = 3
"""Exit code when at least one step did not pass the gate, so that the file ships without it."""


@app.command()
def compress(
    run: Annotated[Path, typer.Argument(help="Folder of a finished run.")],
    recipe: Annotated[
        str, typer.Option(help="Steps such as prune+int8, or a JSON file with steps, parameters and the gate.")
    ],
    out: Annotated[Path, typer.Option(help="Output folder; an interrupted compression resumes in it.")],
    root: Annotated[Path | None, typer.Option("--data", help="Folder of the run's images, if it was moved.")] = None,
    device: Annotated[str, typer.Option(help="Device for steps that train: auto, cpu, cuda or mps.")] = "auto",
) -> None:
    """Compress a run step by step; only what loses little on the validation part ships.

    Exit code 0: every step passed the gate. 3: at least one did not and is left out of the file. 1: none passed, and
    there is no file.
    """
    from lentigo import compression, training

    done = compression.compress(training.load_run(run, data=root, device=device), recipe, out)  # type: ignore[arg-type]
    typer.echo(done.summary())
    if not done.complete:
        raise typer.Exit(SOME_WITHHELD)
