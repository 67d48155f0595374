"""Verbs of data: fetch, describe, audit, leakage, split, pixels, pack, augmentations."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from lentigo.errors import needs_extra

app = typer.Typer(help="Download, describe, audit and split a data set without leaks.", no_args_is_help=True)

Root = Annotated[Path, typer.Argument(help="The data set's folder or file.", metavar="ROOT")]
Roots = Annotated[
    list[Path],
    typer.Argument(help="The data set's folder or file; several are joined, the main one first.", metavar="ROOT..."),
]
LabelsOfEach = Annotated[
    list[str] | None,
    typer.Option(
        "--labels",
        help="Label set: its name, or a CSV or JSON file; of several data sets one for all, or one for each.",
        metavar="FILE_OR_NAME",
    ),
]
Map = Annotated[
    Path | None,
    typer.Option("--map", help="What labels of further data sets become in the first: a file with from and to."),
]
Labels = Annotated[str | None, typer.Option(help="Label set: its name, or a CSV or JSON file.", metavar="FILE_OR_NAME")]
Strict = Annotated[bool, typer.Option("--strict", help="Stop at any problem instead of skipping bad rows.")]

Outside = Annotated[bool, typer.Option("--outside", help="Allow a table to refer to images outside its own folder.")]


@app.command()
def fetch(
    name: Annotated[str | None, typer.Argument(help="Name of a data set, such as ham10000.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder to download into (default: the data set's name).")] = None,
) -> None:
    """Download a data set after showing its licence; offline, list what to download by hand.

    Without NAME, list the available data sets and their licences.
    """
    from lentigo import data
    from lentigo.data import sources

    if name is None:
        typer.echo(sources.list_manifests())
    else:
        typer.echo(f"{(folder := data.fetch(name, out))}\nNext: lentigo data describe {folder}")


@app.command()
def describe(
    roots: Roots,
    out: Annotated[Path, typer.Option(help="Folder for the page, its figures and their data.")] = Path("described"),
    labels: LabelsOfEach = None,
    mapping: Map = None,
    strict: Strict = False,
    outside: Outside = False,
) -> None:
    """Write a page that describes a data set, or several as one."""
    from lentigo import audit, data

    records = data.read(roots, labels=labels, mapping=mapping, strict=strict, outside=outside)
    typer.echo(audit.describe(records, out))


@app.command()
def audit(
    roots: Roots,
    out: Annotated[Path, typer.Option(help="Folder for the report.")] = Path("audit"),
    split_file: Annotated[
        Path | None, typer.Option("--split", help="A split to check for leaks: a saved split of lentigo, or any CSV.")
    ] = None,
    search: Annotated[
        str,
        typer.Option(
            help="Search for duplicates: exact, approximate (misses some and says how many), or auto (by the size)."
        ),
    ] = "auto",
    labels: LabelsOfEach = None,
    mapping: Map = None,
    strict: Strict = False,
    outside: Outside = False,
) -> None:
    """Find duplicates, conflicting labels, damaged images and leaks, with pictures; also across several data sets."""
    from lentigo import audit, data

    records = data.read(roots, labels=labels, mapping=mapping, strict=strict, outside=outside)
    typer.echo(audit.write_audit(records, out, split=split_file, search=search))  # type: ignore[arg-type]  # unknown ones are refused


@app.command()
def leakage(
    root: Root,
    out: Annotated[Path, typer.Option(help="Folder for leakage.md and leakage.json.")],
    size: Annotated[int, typer.Option(help="Side of the downscaled images that are compared, in pixels.")] = 28,
    outside: Outside = False,
) -> None:
    """Measure how much leaks inflate results: a 1-NN baseline under leaky and leak-proof protocols."""
    from lentigo import audit, data

    command = shlex.join(["lentigo", "data", "leakage", str(root), "--size", str(size), "--out", str(out)])
    audit.nearest_neighbour_study(data.read(root, outside=outside), size).save(out, command)
    typer.echo(f"Wrote {out / 'leakage.md'}")


@app.command()
def split(
    roots: Roots,
    out: Annotated[Path, typer.Option(help="CSV file to write.")] = Path("split.csv"),
    protocol: Annotated[str, typer.Option(help="Split protocol.")] = "grouped",
    fold: Annotated[int, typer.Option(help="Test fold, from 0.")] = 0,
    folds: Annotated[int, typer.Option(help="Number of folds.")] = 5,
    pairs: Annotated[
        Path | None, typer.Option(help="Pairs of images of the same lesion: an audit's folder, or a CSV table.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the shuffle.")] = 0,
    labels: LabelsOfEach = None,
    mapping: Map = None,
    strict: Strict = False,
    outside: Outside = False,
) -> None:
    """Split a data set by a named protocol and save the split with its hash.

    Of several data sets, the protocol grouped splits the first; the others only add to its training part.
    """
    from lentigo import data

    records = data.read(roots, labels=labels, mapping=mapping, strict=strict, outside=outside)
    typer.echo(data.write_split(records, out, protocol=protocol, fold=fold, folds=folds, seed=seed, pairs=pairs))


@app.command()
def pixels(
    root: Root,
    out: Annotated[Path, typer.Option(help="CSV file to write; its metadata go beside it.")],
    size: Annotated[int, typer.Option(help="Side of the square images in pixels; Kaggle has 28 and 8.")] = 28,
    grey: Annotated[bool, typer.Option("--grey", help="Greyscale instead of RGB.")] = False,
    labels: Labels = None,
    strict: Strict = False,
    outside: Outside = False,
) -> None:
    """Write the images as a pixel table in the layout of Kaggle's hmnist_28_28_RGB.csv."""
    from lentigo import data
    from lentigo.data.sources import pixel_csv

    pixel_csv.write(data.read(root, labels=labels, strict=strict, outside=outside), out, size, "L" if grey else "RGB")
    typer.echo(f"Wrote {out}")


@app.command()
def pack(
    root: Root,
    out: Annotated[Path, typer.Option(help="The .parquet file to write.")],
    size: Annotated[int, typer.Option(help="Largest side of the square images, in pixels.")] = 192,
    megabytes: Annotated[float, typer.Option(help="Largest size of the file; the quality follows from it.")] = 60.0,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing file.")] = False,
    labels: Labels = None,
    strict: Strict = False,
    outside: Outside = False,
) -> None:
    """Write a data set as one small file to train on elsewhere: reduced squares with their table."""
    from lentigo import data

    records = data.read(root, labels=labels, strict=strict, outside=outside)
    typer.echo(data.pack(records, out, size=size, megabytes=megabytes, overwrite=overwrite))


@app.command()
def augmentations(
    root: Root,
    out: Annotated[Path, typer.Option(help="Figure to write: .png, .svg or .pdf.")] = Path("augmentations.png"),
    seed: Annotated[int, typer.Option(help="Random seed for the lesions and the augmentations.")] = 0,
    outside: Outside = False,
) -> None:
    """Draw a figure of each augmentation applied to lesions of the data set."""
    with needs_extra("Drawing augmentations", "train"):
        from lentigo import data
        from lentigo.data import augment

    typer.echo(f"Wrote {augment.sheet_of(data.read(root, outside=outside), out, seed=seed)}")
