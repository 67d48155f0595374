"""Run studies again, under their own protocols and under the honest one, and write what came out beside what was
printed."""

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from lentigo import data
from lentigo.data.protocols import PROTOCOLS
from lentigo.errors import RunError
from lentigo.studies.binary_melanoma import STUDY as BINARY_MELANOMA
from lentigo.studies.budgets import budget as find_budget
from lentigo.studies.compressed_cnn import STUDY as COMPRESSED_CNN
from lentigo.studies.efficient_cnn import STUDY as EFFICIENT_CNN
from lentigo.studies.explainable_cnn import STUDY as EXPLAINABLE_CNN
from lentigo.studies.jobs import Start, plan
from lentigo.studies.leakage import leakage
from lentigo.studies.outcome import Finished, run_job
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

    Returns:
        The study.md of each study, and leakage.md.

    Raises:
        RunError: unknown study, budget, protocol or table, or `out` holds trainings of another budget or data set.
        DataError: the data set can't be read or split.
    """
    if study not in (*STUDIES, "leakage", "all"):
        raise RunError(f"Unknown study {study!r}.", f"Studies: {', '.join(STUDIES)}, leakage, all.")
    for name in protocols:
        if name not in PROTOCOLS:
            raise RunError(f"Unknown protocol {name!r}.", f"Protocols: {', '.join(PROTOCOLS)}.")
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
        finished: list[Finished] = []
        variants: list[VariantOutcome] = []
        for number, job in enumerate(jobs, 1):
            place = folder / "runs" / job.folder
            print(f"{each.id} {number}/{len(jobs)}: {job.folder}, {job.recipe.epochs} epochs", file=sys.stderr)
            finished.append(Finished(run_job(job, limits, place), place))
            variants += run_variants(each, finished[-1], limits)
            if number == len(jobs) or jobs[number].system is not job.system:
                # After each system, so that an interrupted study shows what it has.
                page = write_study(each, finished, records, limits, command, folder, tables, variants)
        written.append(page)
    if study in ("leakage", "all"):
        written.append(leakage(root, out, budget=budget))
    return written


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
            raise RunError(f"{file}: there is no such file.", "Check the path.")
