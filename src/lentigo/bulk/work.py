"""One part from start to end: read, classify, write. Any engine calls `Worker.do`, any number of times, anywhere.

The file of rows appears whole or not at all, and a part whose file is there is not done again. A mark in `_attempts`
stands while a part is in hand. Whoever finds one knows that an earlier attempt died, and then notes each image before
it is read: one that was in hand at two deaths gets a row that says so instead of a third. A shard is read on after such
an image, unless reading it is what kills: then a row says that nothing more of it is read.
"""

import io
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

from lentigo.bulk import storage
from lentigo.bulk.listing import IMAGE, Input
from lentigo.bulk.plan import FORMAT, Part
from lentigo.bulk.reading import UNREADABLE_SHARD, Item, items
from lentigo.bulk.rows import Row, row_of, schema
from lentigo.errors import OutputError
from lentigo.runtime import Classifier

__all__ = ["ATTEMPTS", "LOST", "Job", "Outcome", "Worker", "outcome_of"]

ATTEMPTS = "_attempts"
LOST = "worker lost"
_RETRIED = (storage.MISSING, storage.UNREACHABLE, LOST)
_DEATHS = 2
"""Number of times that an attempt may die with the same image in hand."""


@dataclass(frozen=True)
class Job:
    """What all parts of a run have in common.

    Args:
        out: address of the folder of results.
        plan: hash of the plan.
        run: names this run, so that a part is tried again once in it.
        prevalence: as for `classify`.
        maps: whether rows have class-activation maps.
    """

    out: str
    plan: str
    run: str
    prevalence: Mapping[str, float] | None
    maps: bool


@dataclass(frozen=True)
class Outcome:
    """What became of a part, as its file says.

    Args:
        part: its number.
        run: that wrote it.
        counts: rows with a result, 'not gradable', and by kind of failure; they sum to the rows.
        others: members of shards that are not images, by suffix.
        shard: what identified the shard when it was read; empty for images.
        plan: hash of the plan.
        problem: why there is no file, empty if there is one.
    """

    part: int
    run: str
    counts: dict[str, int]
    others: dict[str, int]
    shard: str
    plan: str
    problem: str = ""

    @property
    def rows(self) -> int:
        """Number of rows."""
        return sum(self.counts.values())

    def again(self, part: Part) -> bool:
        """Whether another run should try again what the storage did not give, or a shard that was made again."""
        if any(self.counts.get(kind) for kind in _RETRIED):
            return True
        if not self.counts.get(UNREADABLE_SHARD):
            return False
        return storage.identity(part.inputs[0].address) not in ("", self.shard)


class Worker:
    """Classifies parts with one session.

    Args:
        classifier: the model.
        job: what all parts have in common.
        alive: called after each image, and while shards are read.
    """

    def __init__(self, classifier: Classifier, job: Job, alive: Callable[[], None] | None = None) -> None:
        self._classifier = classifier
        self._job = job
        self._alive = alive or (lambda: None)

    def do(self, part: Part, *, again: bool = False) -> Outcome:
        """Do a part, unless its file is there.

        Args:
            part: what to do.
            again: try again what failed in the file of an earlier run.

        Returns:
            What its file says; or a problem, where the file could not be written.
        """
        job = self._job
        try:
            found = outcome_of(job.out, part)
            if found is not None and found.plan != job.plan:
                return self._problem(part, f"{job.out}: {part.name} is of another run, which was begun here meanwhile.")
            if found is not None and not (again and found.run != job.run):
                return found
            return self._do(part, found)
        except (OutputError, storage.UnavailableError) as error:  # of the folder of results
            return self._problem(part, str(error))

    def _problem(self, part: Part, problem: str) -> Outcome:
        return Outcome(part.number, self._job.run, {}, {}, "", self._job.plan, problem=problem)

    def _do(self, part: Part, before: Outcome | None) -> Outcome:
        kept = {} if before is None else self._kept(part)
        mark = _Mark(storage.joined(self._job.out, f"{ATTEMPTS}/{part.name}.json"))
        others: Counter[str] = Counter()
        # Asked for before it is read: what changes meanwhile is read again.
        shard = "" if part.inputs[0].kind == IMAGE else storage.identity(part.inputs[0].address)
        wanted = [one for one in part.inputs if one.ids[0] not in kept]
        fresh: dict[str, Row] = {}
        for item in _spared(wanted, mark, others, self._alive):
            if item.spoils:
                fresh = {identifier: self._spoilt(row, item) for identifier, row in fresh.items()}
            fresh[item.id] = self._row(item)
            self._alive()
        merged = kept | fresh
        rows = [merged[identifier] for identifier in part.ids] if kept else list(fresh.values())
        _refuse_lost(part, rows)
        outcome = Outcome(part.number, self._job.run, _counts(rows), dict(others), shard, self._job.plan)
        there = self._write(part, rows, outcome, before)
        mark.remove()
        return there

    def _row(self, item: Item) -> Row:
        return row_of(item, self._classifier, prevalence=self._job.prevalence, maps=self._job.maps)

    def _spoilt(self, row: Row, damage: Item) -> Row:
        """The row of an image whose shard turned out to be damaged."""
        error = f"{row['source']}: perhaps damaged, since its shard is. {damage.error}"
        item = Item(str(row["image_id"]), str(row["source"]), None, UNREADABLE_SHARD, error)
        return self._row(item)

    def _kept(self, part: Part) -> dict[str, Row]:
        """Rows of an earlier attempt that need not be done again; none of a shard, which is read as a whole."""
        from pyarrow import parquet

        if part.inputs[0].kind != IMAGE:
            return {}
        table = parquet.read_table(io.BytesIO(storage.read(storage.joined(self._job.out, part.name))))
        return {row["image_id"]: row for row in table.to_pylist() if row["error_kind"] not in _RETRIED}

    def _write(self, part: Part, rows: list[Row], outcome: Outcome, before: Outcome | None) -> Outcome:
        """Write the file of a part, unless somebody else has finished it meanwhile; what is there then."""
        import pyarrow as pa
        from pyarrow import parquet

        said = {name: value for name, value in vars(outcome).items() if name != "problem"} | {"format": FORMAT}
        columns = schema(self._classifier.labels.classes, maps=self._job.maps)
        table = pa.Table.from_pylist(rows, columns.with_metadata({"lentigo": json.dumps(said)}))
        content = io.BytesIO()
        parquet.write_table(table, content, compression="zstd")
        address = storage.joined(self._job.out, part.name)
        if before is None and storage.create(address, content.getvalue()):
            return outcome
        found = outcome_of(self._job.out, part)
        if found is not None and found != before and found.plan == outcome.plan:
            return found
        storage.write(address, content.getvalue())  # damaged, or to be replaced
        return outcome


def outcome_of(out: str, part: Part) -> Outcome | None:
    """What the file of a part says; None where there is none, or it is damaged.

    Raises:
        OutputError: it can't be read, or another lentigo wrote it.
    """
    from pyarrow import parquet

    address = storage.joined(out, part.name)
    try:
        file = storage.opened(address)
    except storage.UnavailableError as error:
        if error.kind == storage.MISSING:
            return None
        raise OutputError(str(error)) from None
    try:
        with file:
            said: dict[str, Any] = json.loads(parquet.read_metadata(file).metadata[b"lentigo"])
    except Exception:  # pyarrow has no error of its own for damage
        if file.failure is not None:  # it may be whole
            raise OutputError(str(storage.unavailable(address, file.failure))) from None
        return None
    if said.pop("format", None) != FORMAT:
        raise OutputError(f"{address}: written by another version of lentigo.", "Name a new folder.")
    return Outcome(**said)


def _spared(wanted: Sequence[Input], mark: "_Mark", others: Counter[str], alive: Callable[[], None]) -> Iterator[Item]:
    """The items of a part, each noted before it is read; instead of those that killed their worker, why they aren't."""
    if wanted and wanted[0].kind == IMAGE:
        for i, one in enumerate(wanted):
            mark.note(i)
            known = mark.died(i) >= _DEATHS
            yield from [_lost(one.ids[0], one.address, mark.died(i))] if known else items([one], others)
        return
    found = items(wanted, others, alive)
    for i in count():
        mark.note(i)
        died = mark.died(i)
        if died > _DEATHS:  # it was not even classified at the last one
            for one in wanted:
                for identifier in one.ids[i:] if one.counted else one.ids:
                    yield _lost(identifier, one.address, died)
            return
        item = next(found, None)
        if item is None:
            return
        yield _lost(item.id, item.source, died) if died == _DEATHS else item


def _lost(identifier: str, source: str, died: int) -> Item:
    error = f"{source}: its worker died {died} times while this was in hand. Look at it, then run this again."
    return Item(identifier, source, None, LOST, error)


class _Mark:
    """The mark of a part in hand."""

    def __init__(self, address: str) -> None:
        self._address = address
        try:
            self._deaths = _deaths(json.loads(storage.read(address)))
            self._careful = True
        except (storage.UnavailableError, ValueError):
            self._deaths, self._careful = {}, False
        self._write(None)

    def died(self, i: int) -> int:
        """How often a worker died with the i-th item in hand."""
        return self._deaths.get(i, 0)

    def note(self, i: int) -> None:
        """The i-th item is in hand now; noted where an earlier attempt died."""
        if self._careful:
            self._write(i)

    def remove(self) -> None:
        """The part is done."""
        storage.remove(self._address)

    def _write(self, i: int | None) -> None:
        said = {"in_hand": i, "deaths": list(self._deaths.items())}
        storage.write(self._address, json.dumps(said).encode())


def _deaths(said: Any) -> dict[int, int]:
    """Deaths by number of the image, with the one that the mark stands for."""
    found = Counter({int(i): int(times) for i, times in said["deaths"]})
    if said["in_hand"] is not None:
        found[said["in_hand"]] += 1
    return dict(found)


def _counts(rows: list[Row]) -> dict[str, int]:
    def kind(row: Row) -> str:
        return str(row["error_kind"] or ("gradable" if row["gradable"] else "not gradable"))

    return dict(Counter(map(kind, rows)))


def _refuse_lost(part: Part, rows: list[Row]) -> None:
    """A last check of what everything rests on: one row for each input."""
    ids = [row["image_id"] for row in rows]
    if len(set(ids)) != len(ids) or not ids or (part.ids and tuple(ids) != part.ids):
        raise OutputError(f"{part.name}: {len(ids)} rows for {len(part.ids)} inputs.", "Please report this.")
