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
    out: Annotated[Path, typer.Option(help="Output folder; trainings already finished in it are reused.")],
    budget: Annotated[str, typer.Option(help="quick, cpu or full.")] = "cpu",
    protocol: Annotated[
        list[str] | None, typer.Option(help="Split protocols (default: the study's own and the leak-proof one).")
    ] = None,
    tables: Annotated[str, typer.Option(help="Tables to reproduce, such as III,IV (default: all).")] = "",
    weights: Annotated[
        list[str] | None, typer.Option(help="Initial weights of a network, as safetensors.", metavar="NETWORK=FILE")
    ] = None,
    download: Annotated[
        bool, typer.Option("--download", help="Download ImageNet weights for pretrained networks without a file.")
    ] = False,
    engine: Annotated[
        str, typer.Option(help="Where the trainings run: local, one after another, or ray, as independent jobs.")
    ] = "local",
    address: Annotated[
        str | None, typer.Option(help="Address of a running Ray cluster (default: one on this machine).")
    ] = None,
) -> None:
    """Reproduce a published study: published and recomputed values, its own protocol and the leak-proof one."""
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
        engine=engine,  # type: ignore[arg-type]  # unknown ones are refused
        address=address,
    ):
        typer.echo(f"Wrote {page}")
