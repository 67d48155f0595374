"""The verb serve."""

from pathlib import Path
from typing import Annotated, Literal

import typer

app = typer.Typer()


@app.command()
def serve(
    models: Annotated[
        list[str] | None, typer.Argument(help="Names of installed models, or paths of bundles.", metavar="[MODEL]...")
    ] = None,
    config: Annotated[Path | None, typer.Option(help="TOML file with any of the settings.")] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen at (default: 127.0.0.1).")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen at (default: 8080).")] = None,
    workers: Annotated[int | None, typer.Option(help="Worker processes (default: one a core).")] = None,
    batch: Annotated[int | None, typer.Option(help="Most images in a batch.")] = None,
    queue: Annotated[int | None, typer.Option(help="Most images that wait or are computed.")] = None,
    max_images: Annotated[int | None, typer.Option(help="Most images in a request.")] = None,
    max_bytes: Annotated[int | None, typer.Option(help="Most bytes in a request.")] = None,
    max_pixels: Annotated[int | None, typer.Option(help="Most pixels in an image.")] = None,
    max_buffered: Annotated[int | None, typer.Option(help="Most bytes of all requests in memory.")] = None,
    max_connections: Annotated[int | None, typer.Option(help="Most open connections.")] = None,
    header_timeout: Annotated[float | None, typer.Option(help="Seconds for a request's header.")] = None,
    body_timeout: Annotated[float | None, typer.Option(help="Seconds for a request's body.")] = None,
    timeout: Annotated[float | None, typer.Option(help="Seconds for a batch.")] = None,
    keep_alive: Annotated[float | None, typer.Option(help="Seconds that an idle connection stays open.")] = None,
    shutdown_timeout: Annotated[float | None, typer.Option(help="Seconds to finish requests after SIGTERM.")] = None,
    api_keys_file: Annotated[Path | None, typer.Option(help="File with the keys of clients, one a line.")] = None,
    admin_key_file: Annotated[Path | None, typer.Option(help="File with the key of /v1/admin/reload.")] = None,
    cors_origins: Annotated[
        list[str] | None, typer.Option("--cors-origin", help="Origin whose pages may call the service; repeatable.")
    ] = None,
    audit_log: Annotated[Path | None, typer.Option(help="Write a hash-chained log of verdicts to this file.")] = None,
    ui: Annotated[Literal["page", "gradio"], typer.Option(help="Our page and REST, or a Gradio page.")] = "page",
    log_level: Annotated[str | None, typer.Option(help="debug, info, warning or error.")] = None,
) -> None:
    """Serve models over HTTP: REST, documented at /docs. SIGTERM finishes what was accepted; SIGHUP reloads the models.

    Settings are read from these options, then from LENTIGO_SERVE_* in the environment, then from the file.
    """
    given = {name: value for name, value in locals().items() if name not in ("models", "config", "ui")}

    from lentigo.serve import serve as run

    run(models or None, config=config, ui=ui, **{name: None if value == [] else value for name, value in given.items()})
