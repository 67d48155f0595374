"""Verbs for building models: train, export, fuse, demo."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer()

Labels = Annotated[
    list[str] | None,
    typer.Option(
        help="Label set: its name, or a CSV or JSON file; of several data sets one for all, or one for each.",
        metavar="FILE_OR_NAME",
    ),
]
Map = Annotated[
    Path | None,
    typer.Option("--map", help="What labels of further data sets become in the first: a file with from and to."),
]
Outside = Annotated[bool, typer.Option("--outside", help="Allow a table to refer to images outside its own folder.")]
Out = Annotated[Path, typer.Option(help="Output folder.")]
Device = Annotated[str, typer.Option(help="Device: auto, cpu, cuda or mps.")]


@app.command()
def train(
    model: Annotated[str, typer.Argument(help="Name of a network, such as compact.")],
    out: Out,
    roots: Annotated[
        list[Path] | None,
        typer.Option(
            "--data",
            help="The data set's folder; --resume remembers it. Repeatable: the first is split, the others only add to "
            "its training part.",
        ),
    ] = None,
    protocol: Annotated[str | None, typer.Option(help="Split protocol (default: grouped).")] = None,
    fold: Annotated[int | None, typer.Option(help="Test fold, from 0.")] = None,
    folds: Annotated[int | None, typer.Option(help="Number of folds (default: 5).")] = None,
    split: Annotated[Path | None, typer.Option(help="A split saved by `lentigo data split` to use instead.")] = None,
    recipe: Annotated[Path | None, typer.Option(help="JSON file with recipe entries.")] = None,
    size: Annotated[int | None, typer.Option(help="Side of the square input, in pixels.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Maximum number of epochs.")] = None,
    seed: Annotated[int | None, typer.Option(help="Random seed for weights, shuffling and augmentation.")] = None,
    option: Annotated[
        list[str] | None,
        typer.Option(help="Option of the network, such as head=hidden or blocks=14; repeatable.", metavar="N=V"),
    ] = None,
    pretrained: Annotated[bool, typer.Option("--pretrained", help="Start from ImageNet weights (downloaded).")] = False,
    weights: Annotated[
        Path | None,
        typer.Option(help="Start from a safetensors file, or from a finished run's folder.", metavar="FILE_OR_RUN"),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Resume an interrupted run, with its recipe.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Stop at any problem in the data.")] = False,
    device: Device = "auto",
    devices: Annotated[
        int | None,
        typer.Option(help="Processes on this machine that train together, one a device; batch_size is of all."),
    ] = None,
    nodes: Annotated[
        int | None,
        typer.Option(help="Machines that train together: on each run this with NODE_RANK, MASTER_ADDR, MASTER_PORT."),
    ] = None,
    labels: Labels = None,
    mapping: Map = None,
    outside: Outside = False,
) -> None:
    """Train a network on a leak-proof split of a data set."""
    from lentigo import models, training

    run = training.train_from(
        roots or None,
        model,
        training.Recipe.load(recipe, size=size, epochs=epochs, seed=seed),
        out=out,
        protocol=protocol,
        fold=fold,
        folds=folds,
        split=split,
        options=models.parse_options(option) if option else None,
        pretrained=pretrained,
        weights=weights,
        resume=resume,
        strict=strict,
        device=device,  # type: ignore[arg-type]  # unknown ones are refused
        devices=devices,
        nodes=nodes,
        labels=labels,
        mapping=mapping,
        outside=outside,
    )
    typer.echo(run.summary())


def _setup_litert(wanted: bool) -> None:
    if wanted:
        from lentigo import export as exporting

        typer.echo(f"LiteRT is ready: {exporting.setup_litert()}")
        raise typer.Exit


@app.command()
def export(
    model: Annotated[
        str, typer.Argument(help="Folder of a finished run, or name or path of a bundle.", metavar="RUN_OR_BUNDLE")
    ],
    out: Annotated[
        Path,
        typer.Argument(
            help="The file to write: .onnx, packed as .onnx.zst, .tflite, or .html: a page that works offline."
        ),
    ],
    int8: Annotated[bool, typer.Option("--int8", help="Of a .tflite file: weights in 8 bits.")] = False,
    name: Annotated[str | None, typer.Option(help="The model's name (default: the file's name).")] = None,
    root: Annotated[
        Path | None,
        typer.Option("--data", help="The run's images, if they were moved; or images to compare a .tflite file on."),
    ] = None,
    device: Device = "auto",
    engine: Annotated[str, typer.Option(help="What computes in a page: own, or ort for onnxruntime-web.")] = "own",
    ort: Annotated[
        Path | None, typer.Option(help="Folder of onnxruntime-web for --engine ort (default: from npm).")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing page.")] = False,
    setup: Annotated[
        bool,
        typer.Option(
            "--setup-litert",
            callback=_setup_litert,
            is_eager=True,
            help="Create the environment that .tflite files need, and stop.",
        ),
    ] = False,
) -> None:
    """Export a run as a one-file ONNX bundle, verified against the network; convert a bundle; write its page."""
    if out.suffix.lower() == ".html":
        from lentigo.page import write_page

        typer.echo(write_page(model, out, engine=engine, ort=ort, overwrite=overwrite))
        return
    from lentigo import export as exporting

    typer.echo(exporting.summarise(exporting.convert(model, out, int8=int8, name=name, data=root, device=device)))


@app.command()
def fuse(
    model: Annotated[str, typer.Argument(help="Name or path of a bundle.")],
    out: Annotated[Path, typer.Argument(help="The .onnx file to write.")],
    root: Annotated[Path, typer.Option("--data", help="The data set that it was trained on.")],
    name: Annotated[str | None, typer.Option(help="The model's name (default: the file's name).")] = None,
    seed: Annotated[int, typer.Option(help="Random seed of the inputs that are dropped in training.")] = 0,
) -> None:
    """Add age, sex and site, each of which may be missing, to the logits of a bundle's network."""
    from lentigo import export as exporting

    typer.echo(exporting.summarise(exporting.fuse(model, root, out, name=name, seed=seed)))


@app.command()
def demo(
    out: Out = Path("demo"),
    root: Annotated[Path | None, typer.Option("--data", help="Folder of real images (default: synthetic).")] = None,
) -> None:
    """Run the whole pipeline on synthetic images: train, evaluate, export, classify, heat map."""
    from lentigo.demo import demo as run_demo

    typer.echo(run_demo(out, root))
