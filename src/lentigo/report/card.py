"""The model card in Hugging Face's format: YAML front matter, then what the model is, can and can't do.

Source of the format: https://huggingface.co/docs/hub/model-cards (model-index). Numbers are those measured
on the subject's predictions.
"""

import re

import yaml

from lentigo.errors import DataError
from lentigo.evaluation.metrics.summary import summarise
from lentigo.evaluation.phone import PhonePictures
from lentigo.render.markdown import table
from lentigo.report.first_screen import first_screen
from lentigo.report.subject import Subject
from lentigo.runtime import Bundle
from lentigo.runtime.metadata import BundleMetadata
from lentigo.runtime.origins import citations, describe_start, starts
from lentigo.runtime.shipped import shipped_models

__all__ = ["model_card"]

_LICENCES = {
    "CC BY-NC 4.0": "cc-by-nc-4.0",
    "CC BY-NC-SA 4.0": "cc-by-nc-sa-4.0",
    "CC BY 4.0": "cc-by-4.0",
    "CC0 1.0": "cc0-1.0",
    "Apache-2.0": "apache-2.0",
}
"""How licences are called here and in Hugging Face's list."""


def model_card(subject: Subject) -> str:
    """The card as Markdown; its file is to be called README.md.

    Raises:
        DataError: the subject has no bundle.
    """
    if subject.bundle is None:
        raise DataError(f"{subject.path}: a model card needs more than predictions.", "Name the bundle that made them.")
    front = yaml.safe_dump(_front_matter(subject, subject.bundle), sort_keys=False, allow_unicode=True, width=120)
    return f"---\n{front}---\n\n{_body(subject, subject.bundle)}"


def _front_matter(subject: Subject, bundle: Bundle) -> dict[str, object]:
    described = bundle.metadata
    licence = _licence(described.licence)
    named = {"license": licence} if licence != "other" else {"license": "other", "license_name": described.licence}
    leaky = ["leaky"] if subject.metrics.provenance.leaky else []
    melanoma = ["melanoma"] if subject.predictions.label_set.melanoma is not None else []
    return {
        **named,
        "library_name": "lentigo",
        "pipeline_tag": "image-classification",
        "language": "en",
        "tags": ["dermoscopy", "skin-lesion", *melanoma, "onnx", "medical-research", described.network, *leaky],
        "datasets": list(dict.fromkeys([described.source, *_before(described)])),
        "metrics": ["accuracy", "roc_auc"],
        "model-index": [{"name": described.name, "results": [_result(subject)]}],
    }


def _before(described: BundleMetadata) -> list[str]:
    """Data that its starting weights had learned from."""
    return [str(start["run"]["data"]) for start in starts(described.start) if start.get("run")]


def _licence(text: str) -> str:
    """The weights' licence, out of 'Weights: CC BY-NC 4.0. Code: Apache-2.0.'"""
    found = re.search(r"Weights: (.+?)\.(?: |$)", text)
    return _LICENCES.get(found.group(1) if found else "", "other")


def _result(subject: Subject) -> dict[str, object]:
    what, values = subject.metrics.provenance, []
    for view in subject.views:
        for key in what.shown("headline"):
            found = subject.metrics.get(key, view=view)
            if found.value is None:
                continue
            interval = {} if found.low is None else {"args": {"interval_95": [found.low, found.high], "view": view}}
            values.append(
                {"type": key, "name": f"{what.label(key)}, {subject.views[view]}", "value": found.value, **interval}
            )
    split = f"{what.part or 'unknown part'}, protocol {what.protocol or 'unknown'}"
    return {
        "task": {"type": "image-classification", "name": f"{len(what.label_set)} diagnoses of skin lesions"},
        "dataset": {"type": subject.data, "name": subject.data, "split": split, "revision": what.split_sha256},
        "metrics": values,
    }


def _body(subject: Subject, bundle: Bundle) -> str:
    described = bundle.metadata
    first = "\n".join(f"- **{s.label}.** {f'**{s.text}**' if s.alarm else s.text}" for s in first_screen(subject))
    recipe = table(("entry of the recipe", "value"), described.recipe.items())
    cited = citations(described.citation, described.start)
    names = ", ".join(f"{label.name} (`{label.id}`)" for label in described.labels.labels)
    return f"""# {described.name}

{first}

## Model description

{described.network}, {described.parameters:,} parameters, {bundle.path.stat().st_size / 1e6:.2f} MB, in one ONNX file
with preprocessing, calibration (temperature {described.temperature:.3f}) and class-activation maps in its graph. It
takes the central square of a dermoscopic image, scaled to {described.size} x {described.size} pixels, and returns
probabilities of {names}, at the balanced prior: as if all were equally common.

```python
from lentigo import Classifier

verdict = Classifier.load("{_loaded_as(bundle)}").classify("lesion.jpg")
print(verdict.diagnoses, verdict.next_step)
```

## Intended use

Research, teaching and the comparison of methods on dermoscopic images. {described.notice}

**Not for**: diagnosis or triage of patients, photographs taken without a dermatoscope, other diseases than these,
and anything that the list above names as missing.

## Evaluation results

{summarise(subject.metrics)}{_phone(subject, bundle)}
## Training

Data: {described.source}. Split: {", ".join(f"{k} {v}" for k, v in described.split.items())}. {cited}

{_sources(described)}The weights started from {describe_start(described)}.


{recipe}

Environment: {", ".join(f"{k} {v}" for k, v in described.environment.items())}.

## Licence

{described.licence}

SHA-256 of the bundle: `{bundle.sha256}`
"""


def _loaded_as(bundle: Bundle) -> str:
    """The name of a model that ships; else the file's, which a reader has to have."""
    return bundle.name if shipped_models().get(bundle.name) == bundle.path else bundle.path.name


def _phone(subject: Subject, bundle: Bundle) -> str:
    """What phone pictures do to it, where `benchmarks/phone.py` measured this bundle beside the predictions."""
    path = subject.path.parent / "phone.json"
    if not path.is_file():
        return ""
    try:
        found = PhonePictures.from_json(path.read_text(encoding="utf-8"))
    except ValueError as error:
        reason = str(error).splitlines()[0]
        raise DataError(f"{path}: can't be read ({reason}).", "Delete it, or measure again.") from None
    if found.model_sha256 != bundle.sha256:
        return ""
    return f"\n**Not made for photographs without a dermatoscope.** {found.sentence()}\n"


def _sources(described: BundleMetadata) -> str:
    """The data sets, where it was trained on several."""
    rows = [
        (s["name"], f"{s['images']:,}", f"{s['share']:.0%}", *(s[k] or "not stated" for k in ("licence", "citation")))
        for s in described.sources
    ]
    if not rows:
        return ""
    listed = table(("data set", "training images", "share of an epoch", "licence", "cite"), rows)
    return f"{listed}\n\nThe first alone was split into training, validation and test.\n\n"
