"""The verb search: hyper-parameter search on validation images."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer()


@app.command()
def search(
    model: Annotated[str, typer.Argument(help="Name of a network, such as explainable_cnn.")],
    root: Annotated[Path, typer.Option("--data", help="The data set's folder.")],
    out: Annotated[Path, typer.Option(help="Output folder; an interrupted search there is resumed.")],
    sampler: Annotated[str, typer.Option(help="Sampler: tpe, grid or genetic.")] = "tpe",
    trials: Annotated[int, typer.Option(help="Maximum number of trainings.")] = 20,
    space: Annotated[Path | None, typer.Option(help="JSON file with the search space.")] = None,
    protocol: Annotated[str, typer.Option(help="Split protocol.")] = "grouped",
    fold: Annotated[int, typer.Option(help="Test fold of five, 0 to 4.")] = 0,
    recipe: Annotated[Path | None, typer.Option(help="JSON file with fixed recipe entries.")] = None,
    size: Annotated[int | None, typer.Option(help="Side of the square input, in pixels.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Maximum number of epochs per trial.")] = None,
    seed: Annotated[int, typer.Option(help="Random seed of the sampler.")] = 0,
    device: Annotated[str, typer.Option(help="Device: auto, cpu, cuda or mps.")] = "auto",
    labels: Annotated[
        str | None, typer.Option(help="Label set: its name, or a CSV or JSON file.", metavar="FILE_OR_NAME")
    ] = None,
    outside: Annotated[
        bool, typer.Option("--outside", help="Allow a table to refer to images outside its own folder.")
    ] = False,
    storage: Annotated[
        str | None,
        typer.Option(
            help="Share the trials with other workers: a journal file that all see, or a database's URL.",
            metavar="FILE_OR_URL",
        ),
    ] = None,
    study: Annotated[str, typer.Option(help="Name of the search in a shared storage.", metavar="NAME")] = "search",
) -> None:
    """Search for hyper-parameters of a network on the validation part; re-run to resume."""
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
        outside=outside,
        storage=storage,
        study=study,
    )
    typer.echo(
        f"Best of {len(found.trials)} trials: {found.best.parameters}, validation loss {found.best.loss:.4f}.\n"
        f"Wrote {found.path / 'search.md'}\nNext: lentigo evaluate {found.run}"
    )
