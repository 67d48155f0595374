r"""Every compression technique on the compressed_cnn base and on the compact network, on folds grouped by lesion.

    python benchmarks/compression.py ROOT --work FOLDER [--budget cpu|full] [--run compact=RUN] [--out results] \
        [--folds compressed_cnn=0,1,2] [--epochs compact=3] [--teacher compressed_cnn=RUN]
    python benchmarks/compression.py ROOT --work FOLDER --networks N --run N=FOLD_0 --run N=FOLD_1 --run N=FOLD_2

Trains what is missing, compresses it by every technique and measures each file; what was finished in FOLDER is read,
and what was interrupted resumes. --run takes finished runs, one a fold, on the data that they were trained on, instead
of training any; N is any name for what they are of. --folds says which folds of a network (else the budget's), --epochs
how long each of its fine-tunings lasts (else a quarter of its training), --teacher which run or bundle its distillation
learns from (else the network itself); that must not have seen a fold's test part. The page is made from the JSON files
in FOLDER: it can be written at any time with what there is.
"""

import argparse
import shlex
from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations
from pathlib import Path

from lentigo import data, training
from lentigo.compression.survey import TECHNIQUES, NotMade, Surveyed, survey
from lentigo.studies import STUDIES
from lentigo.studies.budgets import Budget, budget
from lentigo.studies.compression_page import write_survey
from lentigo.studies.jobs import images_an_epoch, recipe_for

COMPACT = training.Recipe(size=64, epochs=60)
"""The recipe of the 64 px network that shipped first; the budget cuts its epochs."""
CPU_EPOCHS = 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", type=Path, help="HAM10000")
    parser.add_argument("--work", type=Path, required=True, help="folder of trainings, files and measurements")
    parser.add_argument("--budget", default="cpu", help="cpu: fold 0, epochs cut; full: five folds, whole recipes")
    parser.add_argument("--run", action="append", default=[], help="NETWORK=FOLDER of a finished run; one a fold")
    parser.add_argument("--folds", action="append", default=[], help="NETWORK=0,1,2, instead of the budget's")
    parser.add_argument("--epochs", action="append", default=[], help="NETWORK=N, of each fine-tuning")
    parser.add_argument("--teacher", action="append", default=[], help="NETWORK=RUN_OR_BUNDLE that distillation asks")
    parser.add_argument("--networks", nargs="+", default=["compact", "compressed_cnn"])
    parser.add_argument("--techniques", nargs="+", default=list(TECHNIQUES), choices=TECHNIQUES, help="which ones")
    parser.add_argument("--page-only", action="store_true", help="measure nothing: the page of what is in FOLDER")
    parser.add_argument("--note", action="append", default=[], help="a paragraph of the page; repeatable")
    parser.add_argument("--out", type=Path, default=Path("results"), help="folder of compression.md")
    options = parser.parse_args()
    lasting, teachers = (_pairs(pairs) for pairs in (options.epochs, options.teacher))
    try:
        given = given_runs(options.run)
    except ValueError as error:
        parser.error(str(error))
    if both := sorted(set(given) & set(_pairs(options.folds))):
        parser.error(f"{both[0]}: --run names its runs, so --folds has no say.")
    folds = {network: tuple(map(int, text.split(","))) for network, text in _pairs(options.folds).items()}
    limits, records = budget(options.budget), data.read(options.root)
    found: list[Surveyed | NotMade] = []
    for network in options.networks:
        own = replace(limits, folds=folds.get(network, limits.folds))
        trained = given.get(network) or runs(network, records, own, options.work, train=not options.page_only)
        for run in trained:
            for one in survey(
                run,
                options.work / network / f"fold{run.split.fold}",
                name=network if network in given else None,
                techniques=options.techniques,
                epochs=int(lasting[network]) if network in lasting else None,
                measure=not options.page_only,
                teachers=[teachers[network]] if network in teachers else [],
            ):
                found.append(one)
                write_survey(found, command(options), options.out, options.note)


def _pairs(given: list[str]) -> dict[str, str]:
    return dict(pair.split("=", 1) for pair in given)


def given_runs(pairs: list[str]) -> dict[str, list[training.Run]]:
    """Finished runs by network, in the order of their folds.

    Raises:
        ValueError: two are of one fold, or of different splits of the data.
    """
    found: dict[str, list[training.Run]] = {}
    for network, folder in (pair.split("=", 1) for pair in pairs):
        found.setdefault(network, []).append(training.load_run(folder))
    for network, own in found.items():
        own.sort(key=lambda run: run.split.fold)
        for one, other in combinations(own, 2):
            if one.split.fold == other.split.fold:
                raise ValueError(f"{network}: {one.path} and {other.path} are both of fold {one.split.fold}.")
            if tested := set(one.split.test.ids) & set(other.split.test.ids):
                raise ValueError(f"{network}: {one.path} and {other.path} test {len(tested)} images both: two splits.")
    return found


def runs(network: str, records: data.Records, limits: Budget, work: Path, *, train: bool) -> Iterator[training.Run]:
    """A run of each fold, trained if it must and may be."""
    for fold in limits.folds:
        out = work / network / f"fold{fold}" / "run"
        if not train:
            if (out / "network.safetensors").exists():
                yield training.load_run(out)
            continue
        split = data.split(records, fold=fold)
        resume = (out / "recipe.json").exists()
        yield training.train(network, split, recipe(network, split, limits), out=out, resume=resume)


def recipe(network: str, split: data.Split, limits: Budget) -> training.Recipe:
    if network == "compact":
        return COMPACT.replaced(epochs=COMPACT.epochs if limits.macs is None else CPU_EPOCHS)
    system = STUDIES[network].systems[0]
    return recipe_for(system, split.protocol, limits, images_an_epoch(system, split))


def command(options: argparse.Namespace) -> str:
    words = ["python", "benchmarks/compression.py", "ROOT", "--work", "FOLDER", "--budget", options.budget]
    words += [f"--run={pair.split('=', 1)[0]}=RUN" for pair in options.run]
    words += [f"--folds={pair}" for pair in options.folds]
    words += [f"--epochs={pair}" for pair in options.epochs]
    words += [f"--teacher={name}=RUN" for name in _pairs(options.teacher)]
    chosen = [] if options.techniques == list(TECHNIQUES) else ["--techniques", *options.techniques]
    return shlex.join([*words, "--networks", *options.networks, *chosen])


if __name__ == "__main__":
    main()
