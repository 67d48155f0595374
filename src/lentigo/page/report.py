"""The report on one image as an HTML file that needs nothing else: what the page saves, made in Python."""

import base64
import html
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import PurePath

import onnxruntime

from lentigo.errors import DataError
from lentigo.page.packing import describe
from lentigo.runtime import Bundle, Verdict
from lentigo.runtime.decisions import BALANCED_PRIOR, Risk
from lentigo.runtime.heatmap_files import encode
from lentigo.texts import Text, percent, text

__all__ = ["report_html"]

_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;color:#1c1a18;max-width:46rem;margin:2rem auto;padding:0 1rem}"
    "h1{font-size:1.3rem}h2{font-size:1.2rem;margin:1rem 0 .3rem}h3{font-size:1rem;margin:1.4rem 0 .3rem}"
    "img{width:100%;display:block;margin:.8rem 0 .3rem}p{margin:.3rem 0}ol{padding:0;list-style:none}"
    "li{border-top:1px solid #ddd;padding:.35rem 0}.row{display:flex;justify-content:space-between;gap:1rem}"
    ".risk{margin-bottom:.8rem}.small{font-size:.87em}.faint{color:#5d5853;font-weight:400}"
    ".notice{border:1px solid #999;padding:.5rem .8rem}.name::first-letter{text-transform:uppercase}"
)
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def report_html(verdict: Verdict, bundle: Bundle, *, language: str = "en", diagnosis: str | None = None) -> str:
    """The report on one image: decision, next step, picture with map, risks, diagnoses, model.

    The picture is drawn anew and holds nothing of the file but its pixels; a tag keeps it from being classified.

    Args:
        verdict: of the image, by `bundle`.
        bundle: the model; what it states of its thresholds is explained.
        language: one of `lentigo.texts.LANGUAGES`.
        diagnosis: whose evidence is drawn, id or name; None is the most probable one.

    Returns:
        The text of the file.

    Raises:
        DataError: no such language, not a diagnosis of this model, or a verdict by another model.
        ImageError: the image's file was removed or changed since it was classified.
    """
    if verdict.model_sha256 != bundle.sha256:
        raise DataError(
            f"{_file_name(verdict)}: judged by another model than {bundle.name}.", "Give the bundle that judged it."
        )
    verdict.chosen(diagnosis)  # refused even where no map is drawn
    title = text("result.report_title", language, name=_file_name(verdict))
    body = [
        _element("h1", title),
        _element("p", text("notice", language), "notice"),
        *_headline(verdict, language),
        *_picture(verdict, bundle, language, diagnosis),
        *(_risks(verdict, bundle, language) if verdict.risks else ()),
        *(_diagnoses(verdict, language) if verdict.gradable else ()),
        *_details(verdict, bundle, language),
    ]
    return (
        f'<!doctype html>\n<html lang="{language}">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{html.escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        + "\n".join(body)
        + "\n</body>\n</html>\n"
    )


def _file_name(verdict: Verdict) -> str:
    return PurePath(verdict.source).name or verdict.source


def _element(tag: str, content: str, style: str = "") -> str:
    """An element with a text; the text is escaped."""
    attribute = f' class="{style}"' if style else ""
    return f"<{tag}{attribute}>{html.escape(content)}</{tag}>"


def _row(left: str, right: str) -> str:
    return f'<div class="row">{_element("span", left, "name")}{_element("span", right)}</div>'


def _headline(verdict: Verdict, language: str) -> Iterator[str]:
    yield _element("h2", text(f"decision.{verdict.decision}", language))
    step = verdict.next_step_in(language).replace(f" {text('notice', language)}", "")
    yield f"<p>{_element('strong', text('result.next', language) + ':')} {html.escape(step)}</p>"


def _picture(verdict: Verdict, bundle: Bundle, language: str, diagnosis: str | None) -> Iterator[str]:
    made = {"decision": verdict.decision, "model": verdict.model, "model_sha256": verdict.model_sha256}
    picture = base64.b64encode(encode(verdict.overlay(diagnosis, caption=False), made)).decode()
    alt = html.escape(text("result.image", language, name=_file_name(verdict)))
    yield f'<img src="data:image/png;base64,{picture}" alt="{alt}">'
    words: list[str] = [text("result.square", language)]
    if verdict.gradable and not bundle.has_maps:
        words.append(text("result.no_map", language))
    elif verdict.gradable:
        chosen = verdict.chosen(diagnosis)
        words.insert(0, f"{text('result.map_for', language)}: {_named(verdict.name(chosen), language)}.")
        if not (verdict.evidence(chosen) > 0).any():
            words.append(text("result.empty_map", language))
        else:
            words.append(f"{text('result.scale.low', language)}; {text('result.scale.high', language)}.")
    yield _element("p", " ".join(words), "faint small")


def _risks(verdict: Verdict, bundle: Bundle, language: str) -> Iterator[str]:
    yield _element("h3", text("result.risks", language))
    for target, risk in verdict.risks.items():
        at = risk.at_balanced_prior if risk.at_threshold_view is None else risk.at_threshold_view
        words = [text("result.no_threshold", language)]
        if risk.threshold is not None:
            view = text(f"view.{risk.threshold_view}", language)
            words = [
                text("result.reached" if risk.suspicious else "result.not_reached", language),
                text("result.threshold", language, threshold=percent(risk.threshold, language), view=view),
            ]
        if risk.at_stated_prevalence is not None:
            words.append(text("result.stated", language, risk=percent(risk.at_stated_prevalence, language)))
        further = _element("p", _point(target, risk, bundle, language), "faint small") if risk.threshold else ""
        yield (
            f'<div class="risk">{_row(text(f"target.{target}", language), percent(at, language))}'
            f"{_element('p', ' · '.join(words), 'small')}{further}</div>"
        )


def _point(target: str, risk: Risk, bundle: Bundle, language: str) -> str:
    """What an operating point means, in natural frequencies."""
    points = [p for p in bundle.metadata.operating_points if p.target == target and p.threshold == risk.threshold]
    caught = round(100 * (risk.target_sensitivity or 0))
    values = {"target": text(f"target.{target}", language), "caught": caught, "missed": 100 - caught}
    words = [text("result.point", language, n=p.validation_images, **values) for p in points[:1]]
    measured = describe(bundle)["specificity"].get(target)
    if measured and (measured["sensitivity"], measured["view"]) == (risk.target_sensitivity, risk.threshold_view):
        words.append(text("result.flagged", language, caught=caught, flagged=round(100 * (1 - measured["value"]))))
    return " ".join(words)


def _diagnoses(verdict: Verdict, language: str) -> Iterator[str]:
    view = text(f"view.{verdict.view}", language)
    yield f"<h3>{html.escape(text('result.diagnoses', language))} {_element('span', view, 'faint')}</h3>\n<ol>"
    for one in _ranked(verdict):
        label, malignant = verdict.label(one), {True: "true", False: "false", None: "null"}
        plain = _said(f"plain.{label.name.lower()}", language)
        kind = " · ".join(filter(None, (text(f"kind.{malignant[label.malignant]}", language), plain)))
        probability = percent((verdict.probabilities or {})[one], language)
        yield f"<li>{_row(_named(label.name, language), probability)}{_element('p', kind, 'faint small')}</li>"
    yield "</ol>"
    if verdict.view == BALANCED_PRIOR:
        yield _element("p", text("result.balanced_note", language, n=len(verdict.classes)), "faint small")


def _ranked(verdict: Verdict) -> Sequence[str]:
    shares = verdict.probabilities or {}
    return sorted(shares, key=lambda one: -shares[one])


def _details(verdict: Verdict, bundle: Bundle, language: str) -> Iterator[str]:
    yield _element("h3", text("result.details", language))
    if verdict.ood_score is not None and verdict.ood_threshold is not None:
        values = {"score": f"{verdict.ood_score:.2f}", "threshold": f"{verdict.ood_threshold:.2f}"}
        yield _element("p", text("result.ood", language, **values), "faint small")
    described = describe(bundle)
    made = text(
        "page.made",
        language,
        model=verdict.model,
        parameters=f"{described['parameters']:,}".replace(",", "," if language == "en" else "\N{NO-BREAK SPACE}"),
        sha=verdict.model_sha256[:12],
        version=described["lentigo"],
        engine=f"ONNX Runtime {onnxruntime.__version__}",
    )
    when = text("result.created", language, when=f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC")
    yield _element("p", f"{made} {when}", "faint small")


def _named(name: str, language: str) -> str:
    """A diagnosis by its name in a language; as the model has it where the catalogue doesn't know it."""
    return _said(f"name.{name.lower()}", language) or name


def _said(key: str, language: str) -> Text | str:
    try:
        return text(key, language)
    except KeyError:
        return ""
