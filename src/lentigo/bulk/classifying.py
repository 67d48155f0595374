"""Classify any number of images into a folder of parquet: each input one row, whatever happens."""

import json
import os
import secrets
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import PurePath
from types import ModuleType

from lentigo.bulk import local_engine, ray_engine, storage
from lentigo.bulk.alone import alone
from lentigo.bulk.listing import list_sources
from lentigo.bulk.plan import Part, Plan, load_plan, make_plan, refuse_other, save_plan
from lentigo.bulk.rows import schema
from lentigo.bulk.summary import Summary, summarise
from lentigo.bulk.work import Job, Outcome, outcome_of
from lentigo.errors import BundleError, DataError, LentigoError, OutputError, did_you_mean
from lentigo.progress import track
from lentigo.runtime import Classifier, check_prevalence

__all__ = ["ENGINES", "SUMMARY", "classify"]

ENGINES: dict[str, ModuleType] = {"local": local_engine, "ray": ray_engine}
"""What does the parts: this process, or Ray's actors here and on other machines."""
SUMMARY = "_summary.json"


def classify(
    sources: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    out: str | os.PathLike[str],
    *,
    model: str | os.PathLike[str] | None = None,
    engine: str = "local",
    address: str | None = None,
    workers: int | None = None,
    prevalence: Mapping[str, float] | None = None,
    maps: bool = False,
    images_per_part: int = 500,
    progress: bool = True,
) -> Summary:
    """Classify images in bulk: one row for each input, in parquet files that a killed run leaves whole.

    The inputs are listed once and grouped into parts; the plan is kept in `out`. The same call continues a run: a part
    that is finished is not done again, except inputs that were missing or unreachable, or whose worker died, and
    shards that have changed since they were unreadable. Rows don't depend on engine, workers or parts.

    Args:
        sources: folders, images, patterns, tar shards (WebDataset), parquet files with a column of images or of
            addresses, or manifests: a .txt of one address a line, or a .csv with a column `image` or `path`. Each is
            a path or an address that fsspec knows, such as 's3://bucket/shards/'.
        out: folder or address for the results: new, empty, or of an earlier run with the same arguments. With Ray on
            several machines, one that all of them reach.
        model: name or path of a bundle; None is the default model.
        engine: 'local' or 'ray'.
        address: of a running Ray cluster; None starts one on this machine.
        workers: number of sessions, one processor each; None is one for each processor of the engine.
        prevalence: as for `runtime.classify_files`.
        maps: add the column `map`, the class-activation map of the most probable diagnosis.
        images_per_part: how many images make up a part; shards and row groups are parts by themselves.
        progress: show a bar on standard error if that is a terminal.

    Returns:
        The account, which is in `out` as `_summary.json` too.

    Raises:
        ImageError: nothing to classify.
        DataError: a source that can't be understood, two inputs of one id, an impossible prevalence, or arguments that
            don't fit together.
        OutputError: `out` belongs to another run, or can't be written; what is finished stays.
        BundleError: no such model, or one without maps where they are asked for.
        MissingExtraError: pyarrow, fsspec, Ray or the package of a file system is not installed.
    """
    started = time.monotonic()
    _refuse(engine, address, workers, images_per_part)
    named = list(map(storage.plain, [sources] if isinstance(sources, str | os.PathLike) else sources))
    target = storage.plain(out)
    classifier = Classifier.load(model, threads=1)
    schema(classifier.labels.classes, maps=maps)  # pyarrow is there
    stated = None if prevalence is None else check_prevalence(prevalence, classifier.labels)
    arguments: dict[str, object] = {
        "sources": named,
        "model": classifier.bundle.metadata.name,
        "model_sha256": classifier.sha256,
        "prevalence": stated,
        "maps": maps,
        "images_per_part": images_per_part,
    }
    _refuse_inside(named, target)
    if maps and not classifier.bundle.has_maps:
        raise BundleError(f"{arguments['model']} has no class-activation maps.", "Classify without maps.")
    with alone(target) as check:
        plan, notices = _planned(named, target, arguments, images_per_part)
        job = Job(target, plan.sha256, secrets.token_hex(8), stated, maps)
        before, todo = _left(plan, target)
        new: list[Outcome] = []
        with closing(ENGINES[engine].run(todo, job, classifier, workers=workers, address=address)) as outcomes:
            for outcome in track(outcomes, "Classifying", len(plan), done=len(before)) if progress else outcomes:
                check()
                _refuse_problem(outcome, len(before) + len(new), len(plan))
                new.append(outcome)
        summary = summarise(target, len(plan), before, new, time.monotonic() - started, notices)
        _refuse_unfinished(summary)
        storage.write(storage.joined(target, SUMMARY), json.dumps(summary.to_dict(), indent=1).encode() + b"\n")
    return summary


def _planned(
    sources: list[str], out: str, arguments: dict[str, object], images_per_part: int
) -> tuple[Plan, list[str]]:
    """The plan that is there, or a new one; and what must be said."""
    plan = load_plan(out)
    if plan is not None:
        refuse_other(plan, arguments, out)
        return plan, _changed(plan, sources)
    try:
        listing = list_sources(sources)
    except storage.UnavailableError as error:
        raise DataError(str(error)) from None
    plan = make_plan(listing.inputs, arguments, images_per_part)
    save_plan(plan, out)
    return plan, listing.notices


def _changed(plan: Plan, sources: list[str]) -> list[str]:
    """What gets no row, and what the sources hold now and the plan does not; nothing where they can't be listed."""
    try:
        listing = list_sources(sources)
    except (LentigoError, storage.UnavailableError):
        return []
    before = plan.files
    now = {(one.address, one.group) for one in listing.inputs}
    # A table that could not be read when it was listed is one input, whatever it holds.
    added = {address for address, group in now - before if group is None or (address, None) not in before}
    if not added:
        return listing.notices
    return [
        *listing.notices,
        f"Not classified: {len(added)} inputs that came after this run was begun, such as {min(added)}. "
        "Classify them into another folder.",
    ]


def _left(plan: Plan, out: str) -> tuple[list[Outcome], list[tuple[Part, bool]]]:
    """The outcomes of finished parts, and the parts to do, with whether they are to be tried again."""
    present = storage.listed(out)

    def state(part: Part) -> tuple[Part, Outcome | None, bool]:
        outcome = outcome_of(out, part) if part.name in present else None
        if outcome is not None and outcome.plan != plan.sha256:
            raise OutputError(f"{out}: {part.name} is of another run.", "Name a new folder.")
        return part, outcome, outcome is not None and outcome.again(part)

    with ThreadPoolExecutor(16) as pool:
        states = list(pool.map(state, plan))
    before = [outcome for _, outcome, again in states if outcome is not None and not again]
    return before, [(part, again) for part, outcome, again in states if outcome is None or again]


def _refuse(engine: str, address: str | None, workers: int | None, images_per_part: int) -> None:
    if engine not in ENGINES:
        raise DataError(f"No engine {engine!r}.", did_you_mean(engine, ENGINES))
    if address is not None and engine != "ray":
        raise DataError("Only Ray has an address.", "Use --engine ray (engine='ray').")
    if workers is not None and workers < 1:
        raise DataError(f"{workers} workers can't classify.", "Give a number above 0.")
    if images_per_part < 1:
        raise DataError(f"A part of {images_per_part} images is empty.", "Give a number above 0.")


def _refuse_problem(outcome: Outcome, finished: int, parts: int) -> None:
    """Stop at the first part that can't be written: all others would be computed for nothing."""
    if outcome.problem:
        raise OutputError(
            f"{outcome.problem} {finished} of {parts} parts are finished and stay.",
            "Then run the same again: it continues.",
        )


def _refuse_unfinished(summary: Summary) -> None:
    if summary.finished != summary.parts:
        raise OutputError(
            f"{summary.out}: {summary.finished} of {summary.parts} parts are finished.", "Run the same again."
        )


def _refuse_inside(sources: list[str], out: str) -> None:
    """Results never go among the inputs, nor through a link."""
    for source in sources:
        inner, outer = (PurePath(one if storage.is_remote(one) else os.path.realpath(one)) for one in (out, source))
        if inner == outer or outer in inner.parents or inner in outer.parents:
            raise OutputError(f"{out}: results are not written among the inputs ({source}).", "Name another folder.")
