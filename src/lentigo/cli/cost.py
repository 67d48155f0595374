"""The verb cost: what a network takes to run."""

from typing import Annotated

import typer

app = typer.Typer()


@app.command()
def cost(
    model: Annotated[str, typer.Argument(help="Name of a network, such as compact or timm/mobilenetv3_small_100.")],
    size: Annotated[int | None, typer.Option(help="Input in pixels a side; the native size without it.")] = None,
    classes: Annotated[int | None, typer.Option(help="Number of classes; as published without it.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    measure: Annotated[bool, typer.Option("--measure", help="Also time it on this machine.")] = False,
) -> None:
    """Count a network's parameters, multiply-accumulates, memory and bytes, layer by layer."""
    from lentigo.evaluation import cost as costs

    typer.echo(costs.describe_cost(model, size, classes, as_json=as_json, measured=measure))
