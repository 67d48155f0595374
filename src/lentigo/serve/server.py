"""`serve`: one call that starts everything, and returns when everything has ended."""

import asyncio
import gc
import math
import os
import signal
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal

import uvicorn
import uvloop

from lentigo.errors import DataError, LentigoError, OutputError, reason
from lentigo.serve.app import create_app
from lentigo.serve.logs import route_libraries
from lentigo.serve.memory import keep_memory_flat
from lentigo.serve.problems import ProblemError
from lentigo.serve.protocol import protocol_for
from lentigo.serve.service import Service
from lentigo.serve.settings import Settings, load_settings

__all__ = ["serve"]


def serve(
    models: Sequence[str | os.PathLike[str]] | None = None,
    *,
    config: str | os.PathLike[str] | None = None,
    ui: Literal["page", "gradio"] = "page",
    **given: Any,
) -> None:
    """Serve models over HTTP until SIGTERM or SIGINT; SIGHUP opens the models again.

    What was accepted is finished first. The configuration is written to the log at the start, without keys.

    Args:
        models: names or paths of bundles; None leaves them to the configuration.
        config: a TOML file with the names of `Settings`.
        ui: 'page', the REST service with the page at `/`, or 'gradio', a Gradio page of one model.
        given: settings by name; they take precedence over the environment, and that over the file.

    Raises:
        DataError: the configuration is not valid, or the Gradio page has no use for a part of it.
        BundleError: a model can't be opened.
        OutputError: the address can't be used.
        MissingExtraError: Gradio is not installed.
    """
    named = [os.fspath(model) for model in models] if models else None
    settings = load_settings(config, models=named, **given)
    if ui == "gradio":
        if unused := sorted(settings.model_fields_set - {"models", "host", "port", "max_bytes"}):
            raise DataError(f"The Gradio page doesn't use {', '.join(unused)}.", "Leave them out, or use --ui page.")
        if len(settings.models) > 1:
            raise DataError("The Gradio page shows one model.", "Name one, or use --ui page.")
        from lentigo.serve.gradio_page import serve_gradio

        _bind(settings).close()  # for an address that can't be used: Gradio's own words name its variables
        serve_gradio(settings)
        return
    uvloop.run(_serve(settings))


async def _serve(settings: Settings) -> None:
    keep_memory_flat()
    service = Service(settings)
    app = create_app(settings, service=service)
    with _bind(settings) as bound:
        await service.start()  # here, so that its errors reach the caller
        service.log.write("info", "configuration", **settings.shown())
        route_libraries(service.log)
        server = _Server(
            uvicorn.Config(
                app,
                http=protocol_for(settings),
                ws="none",
                loop="none",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_keep_alive=math.ceil(settings.keep_alive),
                timeout_graceful_shutdown=math.ceil(settings.shutdown_timeout),
            )
        )
        reloads: set[asyncio.Task[None]] = set()

        def on_hangup() -> None:
            task = asyncio.create_task(_reload(service))
            reloads.add(task)
            task.add_done_callback(reloads.discard)

        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, on_hangup)
        host, port = bound.getsockname()[:2]
        service.log.write("info", "listening", host=host, port=port, workers=service.pool.alive)
        gc.freeze()  # what is loaded stays: looking through it again and again would take time from every request
        await server.serve(sockets=[bound])
    service.log.write("info", "stopped")


class _Server(uvicorn.Server):
    """uvicorn's server, which ends the process with the signal that stopped it; ours just returns."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        yield


async def _reload(service: Service) -> None:
    try:
        await service.reload()
    except (LentigoError, ProblemError) as error:
        service.log.write("warning", "the models stay", reason=str(error))


def _bind(settings: Settings) -> socket.socket:
    """Take the address; nobody can connect before there is someone to answer."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    bound = socket.socket(family)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((settings.host, settings.port))
    except OSError as error:
        where = f"{settings.host}:{settings.port}"
        bound.close()
        raise OutputError(f"{where}: {reason(error)}.", "Choose another host or port.") from None
    return bound
