"""The verb reproduce."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer()


@app.command()
def reproduce(
    study: Annotated[
        str, typer.Argument(help="efficient_cnn, binary_melanoma, compressed_cnn, explainable_cnn, leakage, or all.")
    ],
    root: Annotated[Path, typer.Option("--data", help="The data set's folder.")],
    out: Annotated[Path, typer.Option(help="Folder to write into; what is in it already is not run again.")],
    budget: Annotated[str, typer.Option(help="quick, cpu or full.")] = "cpu",
    protocol: Annotated[
        list[str] | None, typer.Option(help="Which protocols; without it the study's own and the honest one.")
    ] = None,
    tables: Annotated[str, typer.Option(help="Tables to write, such as III,IV; without it all.")] = "",
    weights: Annotated[
        list[str] | None, typer.Option(help="Start a network from a safetensors file.", metavar="NETWORK=FILE")
    ] = None,
    download: Annotated[
        bool, typer.Option("--download", help="Fetch ImageNet weights for pretrained networks without a file.")
    ] = False,
) -> None:
    """Run a published study again: published value, arithmetic, its own protocol, and the honest one, side by side."""
    from lentigo import studies
    from lentigo.models import parse_options

    files = {name: str(file) for name, file in parse_options(weights or ()).items()}
    for page in studies.reproduce(
        study,
        root,
        out,
        budget=budget,
        protocols=protocol or (),
        tables=[name for name in tables.split(",") if name],
        weights=files,
        download=download,
    ):
        typer.echo(f"Wrote {page}")
