"""Verbs that train a finished run further: finetune, prune."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer()

Run = Annotated[Path, typer.Argument(help="Folder of a finished run.")]
Out = Annotated[Path, typer.Option(help="Folder of the new run; repeating the command resumes an interrupted one.")]
RecipeFile = Annotated[
    Path | None,
    typer.Option(help="JSON file with recipe entries (default: a quarter of the run's epochs at a tenth of its rate)."),
]
Root = Annotated[Path | None, typer.Option("--data", help="Folder of the run's images, if it was moved.")]
Device = Annotated[str, typer.Option(help="Device: auto, cpu, cuda or mps.")]


@app.command()
def finetune(run: Run, out: Out, recipe: RecipeFile = None, root: Root = None, device: Device = "auto") -> None:
    """Train a finished run's network further on its own split."""
    from lentigo import training

    parent = training.load_run(run, data=root)
    chosen = training.Recipe.load(recipe) if recipe else None
    typer.echo(training.fine_tune(parent, chosen, out=out, device=device).summary())  # type: ignore[arg-type]


@app.command()
def prune(
    run: Run,
    out: Out,
    macs: Annotated[float | None, typer.Option(help="Most multiply-accumulates, mirror images included.")] = None,
    size: Annotated[float | None, typer.Option("--bytes", help="Most bytes of exported 32-bit weights.")] = None,
    latency_ms: Annotated[float | None, typer.Option(help="Most milliseconds an image, on one thread.")] = None,
    latency_ratio: Annotated[float | None, typer.Option(help="The same as a share of the latency before.")] = None,
    recipe: RecipeFile = None,
    importance: Annotated[str, typer.Option(help="magnitude, taylor, bn_scale, lamp or fpgm.")] = "magnitude",
    scope: Annotated[str, typer.Option(help="What competes: isomorphic, global or layer.")] = "isomorphic",
    round_to: Annotated[int, typer.Option(help="Channels are a multiple of this.")] = 4,
    most: Annotated[float, typer.Option(help="Largest share of a layer's channels that may go.")] = 0.9,
    root: Root = None,
    device: Device = "auto",
) -> None:
    """Remove whole channels until a target is met, then fine-tune: a smaller run like any other."""
    from lentigo import compression, training

    pruned = compression.prune_structured(
        training.load_run(run, data=root),
        out,
        target=compression.Target(macs, size, latency_ms, latency_ratio),
        recipe=training.Recipe.load(recipe) if recipe else None,
        importance=importance,  # type: ignore[arg-type]  # unknown ones are refused
        scope=scope,  # type: ignore[arg-type]
        round_to=round_to,
        most=most,
        device=device,  # type: ignore[arg-type]
    )
    typer.echo(pruned.summary())
