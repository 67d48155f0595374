"""The verb verify: whether artefacts say the same of real images."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer()


@app.command()
def verify(
    bundle: Annotated[str, typer.Argument(help="The bundle to compare with: a path, or a model's name.")],
    others: Annotated[list[str], typer.Argument(help="Other artefacts of the model.", metavar="OTHER...")],
    root: Annotated[Path, typer.Option("--data", help="Data set whose images are compared.")],
    images: Annotated[int, typer.Option(help="Number of images, at most.")] = 500,
    out: Annotated[Path | None, typer.Option(help="Also write the result to a .json or .md file.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Compare a bundle with others (fp16, int8, packed, LiteRT, .html in a browser) on real images.

    The exit code is 1 if a policy is violated.
    """
    import json

    from lentigo import compression

    found = compression.verify_files(bundle, others, root, images=images, out=out)
    typer.echo(json.dumps(found.to_dict(), indent=2) if as_json else found.to_markdown())
    raise typer.Exit(0 if found.holds else 1)
