"""The page at `/`: the pocket page of the first model, which still classifies in the browser, and what installs it.

What the service adds (its own map, FHIR, more formats, many files at once) the page finds in /openapi.json.
"""

import asyncio
import json
from functools import lru_cache
from importlib.resources import files

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse, Response

from lentigo import texts
from lentigo.errors import BundleError
from lentigo.page.writing import page_html
from lentigo.runtime import Bundle
from lentigo.runtime.shipped import find_bundle
from lentigo.serve.problems import ProblemError
from lentigo.serve.service import Service

__all__ = ["web_routes"]

web_routes = APIRouter(include_in_schema=False)

_ICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 512 512"><rect width="512" height="512" fill="#f6f4f1"/>'
    '<circle cx="256" cy="256" r="150" fill="#8a4f2a"/></svg>'
)
_MANIFEST = {
    "name": texts.text("page.title"),
    "short_name": "lentigo",
    "id": "./",
    "start_url": "./",
    "scope": "./",
    "display": "standalone",
    "background_color": "#f6f4f1",
    "theme_color": "#f6f4f1",
    "icons": [{"src": "icon.svg", "sizes": "any", "type": "image/svg+xml", "purpose": "any"}],
}
_NEWEST = {"Cache-Control": "no-cache"}
"""A reload of the models changes the page: browsers ask each time, and their service worker keeps the last one."""


@web_routes.get("/")
async def page(request: Request) -> Response:
    """The page of the first model."""
    service: Service = request.app.state.service
    models = service.pool.models
    if not models:
        raise ProblemError(503, "The models are being opened.", "Try again in a moment.")
    try:
        text = await asyncio.to_thread(_page, service.settings.models[0], models[0]["sha256"])
    except BundleError as error:
        raise ProblemError(
            501, f"There is no page of this model: {error.message}", "Use the addresses that /docs describes."
        ) from None
    return HTMLResponse(text, headers=_NEWEST)


@lru_cache(maxsize=2)
def _page(model: str, sha256: str) -> str:
    """The page of a model, whose hash tells its versions apart."""
    bundle = Bundle(find_bundle(model), threads=1)
    if bundle.sha256 != sha256:
        raise BundleError(f"{model} was replaced since it was opened.", "Reload the models.")
    return page_html(bundle, served=True)


@web_routes.get("/manifest.webmanifest")
async def manifest() -> Response:
    """What an installed page is called and how it looks."""
    return Response(json.dumps(_MANIFEST), media_type="application/manifest+json", headers=_NEWEST)


@web_routes.get("/icon.svg")
async def icon() -> Response:
    """The installed page's picture."""
    return Response(_ICON, media_type="image/svg+xml", headers=_NEWEST)


@web_routes.get("/service-worker.js")
async def service_worker() -> Response:
    """Keeps the page for the time without a network."""
    script = files("lentigo.page").joinpath("app/service-worker.js").read_text(encoding="utf-8")
    return Response(script, media_type="text/javascript", headers=_NEWEST)
