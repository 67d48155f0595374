"""Change the code at random places, one at a time, and count how often its tests notice: results/mutation.md.

python tools/mutation.py [--sample 60] [--seed 20261127]

The mutants are Cosmic Ray's: pip install cosmic-ray. Outcomes are kept in results/mutation.json, so that an
interrupted command continues; a mutant that survived is tried again, which is what to do once the tests are improved.
Needs a system that forks.
"""

import argparse
import json
import os
import platform
import random
import resource
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib import import_module
from importlib.metadata import version
from multiprocessing import get_context
from multiprocessing.util import Finalize
from pathlib import Path

import pytest
from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator, operator_names
from parso.tree import NodeOrLeaf

from lentigo.atomic import write_text
from lentigo.render.markdown import table

ROOT = Path(__file__).parent.parent
LOG = ROOT / "results" / "mutation.json"
BITS = ("BitAnd", "BitOr", "BitXor", "LShift", "RShift")
TREE = Path()
LIMIT = 120
"""Seconds of processor time for the tests of one mutant; whatever takes longer is noticed."""


@dataclass(frozen=True)
class Subject:
    """Modules, and the fast tests that must notice a change of them.

    Attributes:
        modules: patterns below src/lentigo.
        tests: files below tests.
        without: words in the names of tests that try many data sets; only what survives the others meets them.
    """

    modules: tuple[str, ...]
    tests: tuple[str, ...]
    without: tuple[str, ...] = ()


SUBJECTS = {
    "metrics": Subject(
        tuple(f"evaluation/metrics/{name}.py" for name in ("confusion", "ranges", "ranking", "reliability", "scorer")),
        tuple(f"evaluation/metrics/test_{name}.py" for name in ("ranges", "scorer", "reliability")),
        ("percentiles_fail", "700"),
    ),
    "measuring": Subject(
        tuple(f"evaluation/metrics/{name}.py" for name in ("measure", "pages", "summary")),
        ("evaluation/metrics/test_measure.py",),
        ("identities",),
    ),
    "statistics": Subject(
        tuple(f"evaluation/statistics/{name}.py" for name in ("delong", "estimates", "intervals", "mcnemar")),
        tuple(f"evaluation/statistics/test_{name}.py" for name in ("estimates", "mcnemar", "delong", "intervals")),
        ("one_of_twenty", "cover_the_truth"),
    ),
    "comparing": Subject(
        tuple(f"evaluation/statistics/{name}.py" for name in ("comparison", "runs", "tables")),
        tuple(f"evaluation/statistics/test_{name}.py" for name in ("runs", "comparison")),
        ("one_of_twenty",),
    ),
    "grouping": Subject(
        tuple(f"data/{name}.py" for name in ("groups", "identical", "pairs")),
        tuple(f"data/test_{name}.py" for name in ("groups", "pairs", "identical")),
        ("finest",),
    ),
    "splits": Subject(
        ("data/splits.py", "data/protocols/*.py"),
        tuple(f"data/test_{name}.py" for name in ("protocols", "splits")),
        ("no_honest_protocol", "class_shares", "no_grouped_split", "published_sizes"),
    ),
}

EQUIVALENT: dict[str, str] = {
    "return hashlib.blake2b(content, digest_size= 15).digest()": "a shorter hash tells files apart as well",
    "at_edge = any(abs(value - end) <= 1e-12 for end in SCALES[scale].ends)": "no value lies at just that distance",
    "if any(len(a) < len(b) for a, b in zip(known, folds, strict=False)):": "the two always have the same length",
    "fits = ((shown >= observed).mean(axis=1) >= tail) * ((shown <= observed).mean(axis=1) >= tail)": (
        "the product of two truth values is their conjunction"
    ),
    "deepest = max((len(path.absolute().parts) for path in paths), default= -1)": "no tables have no names",
    'for key in found.provenance[ -1].shown("headline"):': "runs of other labels or majorities are refused",
}
"""What a mutant's line does that no test could notice, by the line as it was changed."""


@dataclass(frozen=True)
class Mutant:
    """One change of one module.

    Attributes:
        subject: key of `SUBJECTS`.
        module: path below src/lentigo.
        operator: Cosmic Ray's name of the kind of change.
        occurrence: which place in the module.
        line: number of the first line that differs.
        before, after: that line.
    """

    subject: str
    module: str
    operator: str
    occurrence: int
    line: int
    before: str
    after: str


def in_type(node: NodeOrLeaf) -> bool:
    """Whether a place is part of a type, which nothing computes with."""
    while (parent := node.parent) is not None:
        of_argument = parent.type == "tfpdef" and node is parent.children[-1]
        of_variable = parent.type == "annassign" and node is parent.children[1]
        if of_argument or of_variable or (parent.type == "funcdef" and node is parent.annotation):
            return True
        node = parent
    return False


def places(subject: str) -> list[tuple[str, str, list[tuple[str, int]]]]:
    """Each place of a subject's modules: the module, the kind of change, and its changes by operator and occurrence.

    Of the operators between numbers those of bits are left out, which an array of decimals refuses at once.
    """
    base, found = ROOT / "src" / "lentigo", {}
    for path in sorted(path for pattern in SUBJECTS[subject].modules for path in base.glob(pattern)):
        tree = get_ast(path.read_text(encoding="utf-8"))
        module = path.relative_to(base).as_posix()
        for name in sorted(operator_names()):
            operator = get_operator(name)
            if operator.arguments() or name.rpartition("_")[2] in BITS:
                continue
            nodes = [node for node in ast_nodes(tree) for _ in operator().mutation_positions(node)]
            kind = name.rpartition("_")[0] or name
            for occurrence, node in enumerate(nodes):
                if not in_type(node):
                    found.setdefault((module, kind, occurrence), []).append((name, occurrence))
    return [(module, kind, changes) for (module, kind, _), changes in found.items()]


def mutants(sites: list[tuple[str, str, str, list[tuple[str, int]]]], count: int, seed: int) -> Iterator[Mutant]:
    """So many changes at places drawn at random, one for each."""
    draw = random.Random(seed)
    for subject, module, _, changes in draw.sample(sites, len(sites)):
        if count == 0:
            return
        operator, occurrence = draw.choice(changes)
        code = (ROOT / "src" / "lentigo" / module).read_text(encoding="utf-8")
        try:
            changed = mutate_code(code, get_operator(operator)(), occurrence)
        except AttributeError:  # Cosmic Ray knows no exceptions with a dot in their name
            continue
        pairs = zip(code.splitlines(), (changed or code).splitlines(), strict=False)
        different = next(((i, a, b) for i, (a, b) in enumerate(pairs, 1) if a != b), None)
        if different is not None:
            count -= 1
            line, before, after = different
            yield Mutant(subject, module, operator, occurrence, line, before.strip(), after.strip())


def tests_notice(subject: Subject, tree: Path, *, all_of_them: bool) -> bool:
    """Run a subject's tests on the package in a tree, in a process of its own; whether anything failed."""
    child = os.fork()
    if child == 0:
        os.setsid()
        os.chdir(tree)
        resource.setrlimit(resource.RLIMIT_CPU, (LIMIT, LIMIT + 5))
        with Path("log.txt").open("w") as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
        for name in [name for name in sys.modules if name.split(".")[0] == "lentigo"]:
            del sys.modules[name]  # what it imports stays, which saves seconds for each mutant
        sys.path[:0] = [str(tree / "src"), str(tree)]
        words = () if all_of_them else subject.without
        options = ["-x", "-n", "0", "-m", "not slow and not real", "-k", " and ".join(f"not {word}" for word in words)]
        files = [f"tests/{name}" for name in subject.tests]
        os._exit(pytest.main([*options, "-p", "no:cacheprovider", "--hypothesis-seed=0", *files]))
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status) != 0


def passes(name: str) -> bool:
    """Whether a subject's tests pass without any change."""
    return not tests_notice(SUBJECTS[name], TREE, all_of_them=False)


def try_out(mutant: Mutant) -> str:
    """'killed' or 'survived'."""
    path = TREE / "src" / "lentigo" / mutant.module
    code = path.read_text(encoding="utf-8")
    changed = mutate_code(code, get_operator(mutant.operator)(), mutant.occurrence)
    try:
        path.write_text(changed, encoding="utf-8")
        noticed = any(tests_notice(SUBJECTS[mutant.subject], TREE, all_of_them=more) for more in (False, True))
        return "killed" if noticed else "survived"
    finally:
        path.write_text(code, encoding="utf-8")


def make_tree() -> None:
    """A copy of the package and its tests for this process to change."""
    global TREE  # noqa: PLW0603 - one for each worker
    TREE = Path(tempfile.mkdtemp())
    for name in ("src", "tests"):
        shutil.copytree(ROOT / name, TREE / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", TREE)
    Finalize(None, shutil.rmtree, (TREE, True), exitpriority=1)


def key(mutant: Mutant) -> str:
    """What identifies a change, wherever its line is by now."""
    return f"{mutant.module}: {mutant.before} -> {mutant.after}"


def page(outcomes: dict[str, dict], possible: dict[str, int], chosen: argparse.Namespace) -> str:
    """The result, for people."""
    rows = []
    for name in [*SUBJECTS, "all"]:
        own = [one for one in outcomes.values() if name in (one["subject"], "all")]
        equal = [one for one in own if one["now"] == "survived" and one["after"] in EQUIVALENT]
        count = possible[name] if name in possible else sum(possible.values())
        first, now = (sum(one[when] == "killed" for one in own) for when in ("first", "now"))
        rows.append((name, f"{count:,}", len(own), first, now, len(equal), len(own) - now - len(equal)))
    head = ("subject", "places", "sample", "noticed at first", "noticed now", "equivalent", "survive")
    left = [
        f"- `{one['module']}`, line {one['line']}: `{one['before']}` became `{one['after']}`: "
        + EQUIVALENT.get(one["after"], "not noticed")
        for one in outcomes.values()
        if one["now"] == "survived"
    ]
    modules = "; ".join(f"{name}: {', '.join(s.modules)}" for name, s in SUBJECTS.items())
    return "\n".join(
        [
            "# Mutation of metrics, statistics and grouping\n",
            "One place of the code is changed at a time (another operator, number, condition), and the fast tests of "
            "its subject are run. A change that no test notices survives. 'At first' is before the tests were improved "
            "for those that survived.\n",
            table(head, rows),
            "\n## Not noticed\n",
            *(left or ["None."]),
            f"\n{modules}. Places in types are left out; a place is drawn, then one of its changes.\n",
            f"Made by `python tools/mutation.py --sample {chosen.sample} --seed {chosen.seed}` on "
            f"{datetime.now(UTC):%d %B %Y}: Cosmic Ray {version('cosmic-ray')}, Python {platform.python_version()}.\n",
        ]
    )


def main() -> None:
    """Choose, try out, and write."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--sample", type=int, default=60, help="how many mutants")
    parser.add_argument("--seed", type=int, default=20261127, help="of the choice")
    parser.add_argument("--jobs", type=int, default=2, help="how many at once")
    parser.add_argument("--out", type=Path, default=LOG.with_suffix(".md"), help="the page; the outcomes lie beside it")
    chosen = parser.parse_args()
    for name in ("lentigo.audit", "lentigo.evaluation"):
        import_module(name)  # with all that the tests need, once
    found = {name: places(name) for name in SUBJECTS}
    sites = [(name, *site) for name, own in found.items() for site in own]
    sample = list(mutants(sites, chosen.sample, chosen.seed))
    kept = chosen.out.with_suffix(".json")
    known = json.loads(kept.read_text(encoding="utf-8")) if kept.exists() else {}
    outcomes = {key(m): known[key(m)] | asdict(m) for m in sample if key(m) in known}
    missing = [m for m in sample if outcomes.get(key(m), {}).get("now") != "killed" and m.after not in EQUIVALENT]
    with ProcessPoolExecutor(chosen.jobs, get_context("fork"), make_tree) as pool:
        sound = {name: pool.submit(passes, name) for name in sorted({m.subject for m in missing})}
        running = {pool.submit(try_out, mutant): mutant for mutant in missing}
        for done in as_completed(running):
            mutant, now = running[done], done.result()
            first = outcomes[key(mutant)]["first"] if key(mutant) in outcomes else now
            outcomes[key(mutant)] = asdict(mutant) | {"first": first, "now": now}
            print(f"{now:9} {mutant.module}:{mutant.line}: {mutant.before}  ->  {mutant.after}", flush=True)
            write_text(kept, json.dumps(outcomes, indent=1, sort_keys=True) + "\n")
        if broken := [name for name, run in sound.items() if not run.result()]:
            sys.exit(f"The tests of {', '.join(broken)} fail without any change.")
    write_text(chosen.out, page(outcomes, {name: len(own) for name, own in found.items()}, chosen))


if __name__ == "__main__":
    signal.signal(signal.SIGXCPU, signal.SIG_DFL)
    main()
