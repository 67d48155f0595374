"""The verb cost: the bytes, compute and memory of a network, a run or a file."""

from typing import Annotated

import typer

from lentigo.errors import needs_extra

app = typer.Typer()


@app.command()
def cost(
    model: Annotated[
        str, typer.Argument(help="Name of a network or model, folder of a run, or path of a bundle or .tflite file.")
    ],
    size: Annotated[int | None, typer.Option(help="Side of the square input in pixels (default: native).")] = None,
    classes: Annotated[int | None, typer.Option(help="Number of classes (default: as published).")] = None,
    against: Annotated[
        str | None, typer.Option(help="Another of these: efficiency factor and reduction, one row per footing.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    measure: Annotated[bool, typer.Option("--measure", help="Also measure latency on this machine.")] = False,
) -> None:
    """Count parameters, multiply-accumulates, memory and bytes of a network, layer by layer, of a run or of a file."""
    with needs_extra("Counting costs", "train"):
        from lentigo.evaluation import cost as costs

    typer.echo(costs.describe_cost(model, size, classes, against=against, as_json=as_json, measured=measure))
