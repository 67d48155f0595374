"""The form of the published system: a Gradio page in three states, before, while and after an image is classified.

It says what the other pages say, from the same texts. Gradio computes on this machine, where it also keeps uploads and
heat maps for some minutes.
"""

import os
from functools import partial
from typing import Any

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # before the import, which calls out otherwise

try:
    import gradio as gr
except ModuleNotFoundError as missing:
    from lentigo.errors import MissingExtraError

    raise MissingExtraError("The Gradio page", "gradio") from missing

from lentigo.errors import ImageError
from lentigo.runtime import Classifier
from lentigo.runtime.decisions import NOT_GRADABLE
from lentigo.serve.settings import Settings
from lentigo.texts import text

__all__ = ["gradio_page", "serve_gradio"]

_MINUTES = (300, 300)
"""Seconds between looks for what is to be deleted, and the age at which it is."""


def gradio_page(classifier: Classifier) -> gr.Blocks:
    """The page of a classifier."""
    with gr.Blocks(title=text("page.title"), analytics_enabled=False, delete_cache=_MINUTES) as page:
        gr.Markdown(f"# {text('page.lead')}\n\n{text('notice')}")
        file = gr.File(label=text("page.choose"), type="binary", file_count="single")
        with gr.Column() as start:
            gr.Markdown(_start(classifier))
        with gr.Column(visible=False) as work:
            gr.Markdown(f"## {text('work.title')}")
        with gr.Column(visible=False) as result:
            said = gr.Markdown()
            risks = gr.Label(label=text("result.diagnoses"))
            picture = gr.Image(label=text("result.map"), format="png", interactive=False)
        states = [start, work, result]
        file.upload(partial(_show, 1), outputs=states).then(
            partial(_classify, classifier), inputs=file, outputs=[said, risks, picture]
        ).then(partial(_show, 2), outputs=states)
        file.clear(partial(_show, 0), outputs=states)
    return page


def serve_gradio(settings: Settings) -> None:
    """Serve the Gradio page of one model until Ctrl-C.

    Raises:
        BundleError: the model can't be opened.
    """
    classifier = Classifier.load(settings.models[0], threads=1)
    place = {"server_name": settings.host, "server_port": settings.port or None}
    limits = {"max_file_size": settings.max_bytes, "share": False}
    gradio_page(classifier).launch(**place, **limits, theme=local_theme())


def local_theme() -> gr.themes.Base:
    """Gradio's own look with fonts that need not be fetched."""
    return gr.themes.Default(font=["system-ui", "sans-serif"], font_mono=["monospace"])


def _start(classifier: Classifier) -> str:
    values = {"n": len(classifier.labels), "source": classifier.bundle.metadata.source}
    lists = [
        f"**{text(key)}**\n" + "\n".join(f"- {text(f'{key}.{i}', **values)}" for i in (1, 2, 3))
        for key in ("page.does", "page.cannot")
    ]
    return "\n\n".join(lists)


def _show(state: int) -> list[Any]:
    return [gr.Column(visible=i == state) for i in range(3)]


def _classify(classifier: Classifier, content: bytes | None) -> tuple[str, Any, Any]:
    """The words for an image, its probabilities by name, and its heat map."""
    hidden = gr.Label(visible=False), gr.Image(visible=False)
    try:
        verdict = classifier.classify(content or b"")
    except ImageError as error:
        return f"## {text('fail.title')}\n\n{error}", *hidden
    said = f"## {text(f'decision.{verdict.decision}')}\n\n{verdict.next_step}"
    if verdict.decision == NOT_GRADABLE:
        return said, *hidden
    picture = gr.Image(verdict.overlay(), visible=True) if classifier.bundle.has_maps else hidden[1]
    return said, gr.Label(dict(verdict.diagnoses), visible=True), picture
