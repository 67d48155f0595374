"""Verbs that compare images with images: index, similar, follow, ugly-duckling."""

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer()


class Style(StrEnum):
    """Output formats."""

    table = "table"
    json = "json"


class Dates(StrEnum):
    """Where dates of images are read."""

    names = "names"
    exif = "exif"


class Part(StrEnum):
    """Which images an index holds."""

    train = "train"
    all = "all"


Model = Annotated[str | None, typer.Option(help="Name of an installed model, or path of a bundle with embeddings.")]
Format = Annotated[Style, typer.Option("--format", help="Output format.")]
Picture = Annotated[Path | None, typer.Option(help="Picture to write, .png or .jpg.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace an existing file.")]


def _print(result: object, style: Style) -> None:
    text = json.dumps(result.to_dict(), ensure_ascii=False) + "\n" if style == Style.json else str(result)  # type: ignore[attr-defined]
    typer.echo(text, nl=False)


@app.command()
def index(
    source: Annotated[Path, typer.Argument(help="The data set, or a run trained on it.", metavar="RUN_OR_DATA")],
    model: Model = None,
    out: Annotated[Path | None, typer.Option(help="File to write (default: MODEL.index.npz beside the model).")] = None,
    part: Annotated[
        Part, typer.Option(help="train: what the model has learned from; all: a data set it has not seen.")
    ] = Part.train,
    labels: Annotated[str | None, typer.Option(help="Label set: its name, or a CSV or JSON file.")] = None,
    overwrite: Overwrite = False,
) -> None:
    """Make the index of known lesions for `similar`: ids, diagnoses and vectors, no pixels."""
    from lentigo.comparison import build_index

    made = build_index(source, model, out, part=part.value, labels=labels, overwrite=overwrite)
    typer.echo(f"Wrote {made.path}: {len(made):,} images of {made.source}")


@app.command()
def similar(
    image: Annotated[Path, typer.Argument(help="Image of a lesion.")],
    index: Annotated[Path, typer.Option(help="The index: MODEL.index.npz.")],
    model: Model = None,
    count: Annotated[int, typer.Option(help="Number of lesions, 1 to 50.")] = 5,
    image_id: Annotated[
        str | None, typer.Option(help="The image's id, if it may be indexed (default: its name).")
    ] = None,
    lesion_id: Annotated[str | None, typer.Option(help="Its lesion's id, if it may be indexed.")] = None,
    images: Annotated[Path | None, typer.Option(help="Folder with the indexed images, for the picture.")] = None,
    out: Picture = None,
    style: Format = Style.table,
    overwrite: Overwrite = False,
) -> None:
    """Show the known lesions nearest to an image, never the image itself or its lesion. A hint, not a diagnosis."""
    from lentigo.comparison import similar as find

    found = find(
        image,
        index,
        model,
        count=count,
        image_id=image_id,
        lesion_id=lesion_id,
        images=images,
        out=out,
        overwrite=overwrite,
    )
    _print(found, style)


@app.command()
def follow(
    visits: Annotated[
        list[Path],
        typer.Argument(help="A CSV with image, date and mask; or images, with --dates.", metavar="VISITS..."),
    ],
    dates: Annotated[
        Dates | None, typer.Option(help="Of images: dates are in their names (2024-05-31), or in their Exif data.")
    ] = None,
    masks: Annotated[Path | None, typer.Option(help="Of images: folder of masks named after them.")] = None,
    model: Model = None,
    out: Picture = None,
    style: Format = Style.table,
    overwrite: Overwrite = False,
) -> None:
    """Compare dated images of one lesion: probabilities, and size and colour inside masks. A hint, not a diagnosis."""
    from lentigo.comparison import follow as compare
    from lentigo.comparison import read_visits

    found = read_visits(visits, dates=None if dates is None else dates.value, masks=masks)
    _print(compare(found, model, out=out, overwrite=overwrite), style)


@app.command(name="ugly-duckling")
def ugly_duckling(
    lesions: Annotated[
        list[str],
        typer.Argument(help="Images or folders, each image a lesion; or one CSV table.", metavar="LESIONS..."),
    ],
    model: Model = None,
    out: Picture = None,
    style: Format = Style.table,
    overwrite: Overwrite = False,
) -> None:
    """Show the lesion of one patient that is least like the patient's others. A hint, not a diagnosis."""
    from lentigo.comparison import ugly_duckling as find

    _print(find(lesions, model, out=out, overwrite=overwrite), style)
