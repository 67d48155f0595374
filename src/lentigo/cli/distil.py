"""Verbs of distillation: teach, soft-labels."""

from pathlib import Path
from typing import Annotated

import typer

from lentigo.cli.train import Device, Labels, Map

app = typer.Typer()

Roots = Annotated[
    list[Path], typer.Option("--data", help="The data set's folder or file. Repeatable: the first is split.")
]


@app.command()
def teach(
    teachers: Annotated[Path, typer.Argument(help="JSON list of teachers: name, model, weights, options, recipe.")],
    roots: Roots,
    out: Annotated[Path, typer.Option(help="Output folder; the same one again resumes.")],
    fold: Annotated[
        list[int] | None,
        typer.Option(help="Fold to train, from 0; repeatable (default: all with a graphics card, else three)."),
    ] = None,
    folds: Annotated[int, typer.Option(help="Number of folds.")] = 5,
    protocol: Annotated[str, typer.Option(help="Split protocol.")] = "grouped",
    weights: Annotated[Path | None, typer.Option(help="Folder of the weights (default: that of the list).")] = None,
    device: Device = "auto",
    labels: Labels = None,
    mapping: Map = None,
) -> None:
    """Train a list of teachers over folds, and write out-of-fold predictions and a table."""
    from lentigo import compression

    taught = compression.train_teachers_from(
        roots,
        teachers,
        out,
        folds=fold,
        of=folds,
        protocol=protocol,
        weights=weights,
        device=device,  # type: ignore[arg-type]  # unknown ones are refused
        labels=labels,
        mapping=mapping,
    )
    typer.echo(taught.to_markdown())


@app.command()
def soft_labels(
    teachers: Annotated[list[str], typer.Argument(help="Runs or bundles that answer; several are averaged.")],
    roots: Roots,
    out: Annotated[Path, typer.Option(help="The .safetensors file to write.")],
    views: Annotated[int, typer.Option(help="Augmented views of each training image.")] = 20,
    split: Annotated[Path | None, typer.Option(help="A saved split (default: made from the three below).")] = None,
    protocol: Annotated[str, typer.Option(help="Split protocol.")] = "grouped",
    fold: Annotated[int, typer.Option(help="Test fold, from 0.")] = 0,
    folds: Annotated[int, typer.Option(help="Number of folds.")] = 5,
    recipe: Annotated[Path | None, typer.Option(help="JSON file with recipe entries: size and augmentation.")] = None,
    size: Annotated[int | None, typer.Option(help="Least side of the views, in pixels.")] = None,
    seed: Annotated[int, typer.Option(help="Random seed of the views.")] = 0,
    device: Device = "auto",
    labels: Labels = None,
    mapping: Map = None,
) -> None:
    """Let teachers answer for augmented views of a training part, for students to learn from."""
    from lentigo import compression, training

    store = compression.soft_labels_from(
        teachers,
        roots,
        training.Recipe.load(recipe, size=size),
        views,
        out,
        split=split,
        protocol=protocol,
        fold=fold,
        folds=folds,
        seed=seed,
        device=device,
        labels=labels,
        mapping=mapping,
    )
    typer.echo(f"{store}.\n{out}: {out.stat().st_size / 1e6:.1f} MB, sha256 {store.sha256}")
    entry = f'"loss": {{"name": "distillation", "params": {{"store": "{out}"}}}}'
    typer.echo(f"Next: lentigo train NETWORK with a recipe that holds {entry}")
