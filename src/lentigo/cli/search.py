"""The verb search: hyper-parameters by trial and validation."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer()


@app.command()
def search(
    model: Annotated[str, typer.Argument(help="Name of a network, such as explainable_cnn.")],
    root: Annotated[Path, typer.Option("--data", help="The data set's folder.")],
    out: Annotated[Path, typer.Option(help="Where to write; a search that lies there goes on.")],
    sampler: Annotated[str, typer.Option(help="How to choose: tpe, grid or genetic.")] = "tpe",
    trials: Annotated[int, typer.Option(help="How many trainings, at most.")] = 20,
    space: Annotated[Path | None, typer.Option(help="JSON file that says what to choose from.")] = None,
    protocol: Annotated[str, typer.Option(help="The split protocol.")] = "grouped",
    fold: Annotated[int, typer.Option(help="Which of five folds to keep for testing, 0 to 4.")] = 0,
    recipe: Annotated[Path | None, typer.Option(help="JSON file with recipe entries that are not searched.")] = None,
    size: Annotated[int | None, typer.Option(help="Side of the square that the network sees, in pixels.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Most passes over the training part, each trial.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of the choices.")] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    labels: Annotated[
        str | None, typer.Option(help="Label set: its name, or a CSV or JSON file.", metavar="FILE_OR_NAME")
    ] = None,
) -> None:
    """Search for a network's hyper-parameters on the validation part; re-run to resume."""
    from lentigo import studies, training

    found = training.search_from(
        root,
        model,
        studies.search_space(model, space),
        out=out,
        protocol=protocol,
        fold=fold,
        sampler=sampler,  # type: ignore[arg-type]  # unknown ones are refused
        trials=trials,
        recipe=training.Recipe.load(recipe, size=size, epochs=epochs),
        seed=seed,
        device=device,  # type: ignore[arg-type]  # as well
        labels=labels,
    )
    typer.echo(
        f"Best of {len(found.trials)} trials: {found.best.parameters}, validation loss {found.best.loss:.4f}.\n"
        f"Wrote {found.path / 'search.md'}\nNext: lentigo evaluate {found.run}"
    )
