"""Run studies again, under their own protocols and under the honest one, and write what came out beside what was
printed."""

import os
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from lentigo import data
from lentigo.data.protocols import PROTOCOLS
from lentigo.errors import RunError
from lentigo.studies.binary_melanoma import STUDY as BINARY_MELANOMA
from lentigo.studies.budgets import Budget
from lentigo.studies.budgets import budget as find_budget
from lentigo.studies.compressed_cnn import STUDY as COMPRESSED_CNN
from lentigo.studies.efficient_cnn import STUDY as EFFICIENT_CNN
from lentigo.studies.engines import Engine, check_engine, train_ahead
from lentigo.studies.explainable_cnn import STUDY as EXPLAINABLE_CNN
from lentigo.studies.jobs import Job, Start, plan
from lentigo.studies.leakage import leakage
from lentigo.studies.outcome import OUTCOME, Finished, run_job
from lentigo.studies.pictures import draw_pictures
from lentigo.studies.study import Study
from lentigo.studies.variants import VariantOutcome, run_variants
from lentigo.studies.writing import write_study

__all__ = ["STUDIES", "reproduce"]

STUDIES: Mapping[str, Study] = {s.id: s for s in (EFFICIENT_CNN, BINARY_MELANOMA, COMPRESSED_CNN, EXPLAINABLE_CNN)}


def reproduce(
    study: str,
    root: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    budget: str = "cpu",
    protocols: Sequence[str] = (),
    tables: Sequence[str] = (),
    weights: Mapping[str, str | os.PathLike[str]] | None = None,
    download: bool = False,
    engine: Engine = "local",
    address: str | None = None,
) -> list[Path]:
    """Train every system of a study under each protocol, measure it, and write tables and figures.

    What was finished before is read and not run again; what was interrupted goes on. Each study has a folder under
    `out` with study.md, study.json, figures/ and, with images of the data set and therefore not to be passed on,
    pictures/. The trainings are in runs/.

    Args:
        study: id of a study; 'leakage' for the experiment of that name; 'all' for all of these.
        root: the data set.
        out: folder to write into.
        budget: 'quick', 'cpu' or 'full'.
        protocols: which to run; without it the study's own and the honest one.
        tables: names of the tables to write; without it all.
        weights: safetensors files by the name of the network that starts from them. The ResNet50 of the studies has
            Keras' stride on the first convolution: torchvision's weights, with a later stride, don't belong in it.
        download: fetch ImageNet weights for pretrained networks without a file; otherwise they start at random, and
            every table says so.
        engine: 'local' trains one after another; 'ray' trains all networks of a study as independent jobs, a processor
            (and, where there are any, a graphics card) each, in a folder that all nodes share.
        address: of a running Ray cluster; without it one starts on this machine.

    Returns:
        The study.md of each study, and leakage.md.

    Raises:
        RunError: unknown study, budget, protocol, table or engine, `out` holds trainings of another budget or data set,
            or a training on the cluster failed.
        DataError: the data set can't be read or split.
    """
    if study not in (*STUDIES, "leakage", "all"):
        raise RunError(f"Unknown study {study!r}.", f"Studies: {', '.join(STUDIES)}, leakage, all.")
    for name in protocols:
        if name not in PROTOCOLS:
            raise RunError(f"Unknown protocol {name!r}.", f"Protocols: {', '.join(PROTOCOLS)}.")
    check_engine(engine, address)
    chosen = list(STUDIES.values()) if study == "all" else [STUDIES[study]] if study in STUDIES else []
    limits = find_budget(budget)
    start = Start({name: Path(file) for name, file in (weights or {}).items()}, download)
    _check_weights(start, chosen)
    for each in chosen:
        for name in tables:
            each.table(name)
    records = data.read(root)
    written = []
    for each in chosen:
        folder, command = Path(out) / each.id, _command(each, budget, protocols, tables, start)
        jobs = plan(each, records, limits, protocols or (*each.protocols, each.honest), start)
        places = [folder / "runs" / job.folder for job in jobs]
        train_ahead(
            {p / OUTCOME: partial(_train, each.id, job, limits, p) for job, p in zip(jobs, places, strict=True)},
            engine,
            address,
        )
        finished: list[Finished] = []
        variants: list[VariantOutcome] = []
        for number, (job, place) in enumerate(zip(jobs, places, strict=True), 1):
            print(f"{each.id} {number}/{len(jobs)}: {job.folder}, {job.recipe.epochs} epochs", file=sys.stderr)
            finished.append(Finished(run_job(job, limits, place), place))
            variants += run_variants(each, finished[-1], limits)
            if number == len(jobs) or jobs[number].system is not job.system:
                # After each system, so that an interrupted study shows what it has.
                page = write_study(
                    each, finished, records, limits, command, folder, tables, variants, planned=len(jobs)
                )
        draw_pictures(each, finished, records, folder / "pictures")
        written.append(page)
    if study in ("leakage", "all"):
        written.append(leakage(root, out, budget=budget, engine=engine, address=address))
    return written


def _train(study: str, job: Job, budget: Budget, place: Path) -> None:
    """Train and measure one network and its compressed forms, on a node of a cluster."""
    list(run_variants(STUDIES[study], Finished(run_job(job, budget, place), place), budget))


def _command(study: Study, budget: str, protocols: Sequence[str], tables: Sequence[str], start: Start) -> str:
    """What to type to do it again."""
    words = ["lentigo reproduce", study.id, "--data ROOT --out DIR --budget", budget]
    words += [f"--protocol {name}" for name in protocols] + ([f"--tables {','.join(tables)}"] if tables else [])
    own = {system.network for system in study.systems}
    words += [f"--weights {network}={file.name}" for network, file in start.files.items() if network in own]
    return " ".join(words + (["--download"] if start.download else []))


def _check_weights(start: Start, studies: Sequence[Study]) -> None:
    known = {system.network for study in studies for system in study.systems if system.pretrained}
    for network, file in start.files.items():
        if network not in known:
            raise RunError(
                f"No system initialises {network!r} from weights.", f"Those that do: {', '.join(sorted(known))}."
            )
        if not file.is_file():
            raise RunError(f"{file}: there is no such file.", "Check the path, or fetch ImageNet weights: --download.")
