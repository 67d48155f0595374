"""The verb cost: the compute and memory of a network."""

from typing import Annotated

import typer

app = typer.Typer()


@app.command()
def cost(
    model: Annotated[str, typer.Argument(help="Name of a network, such as compact or timm/mobilenetv3_small_100.")],
    size: Annotated[int | None, typer.Option(help="Side of the square input in pixels (default: native).")] = None,
    classes: Annotated[int | None, typer.Option(help="Number of classes (default: as published).")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    measure: Annotated[bool, typer.Option("--measure", help="Also measure latency on this machine.")] = False,
) -> None:
    """Count a network's parameters, multiply-accumulates, memory and bytes, layer by layer."""
    from lentigo.evaluation import cost as costs

    typer.echo(costs.describe_cost(model, size, classes, as_json=as_json, measured=measure))
