"""The account of a run: how many inputs, how many rows, what became of them, and what is not done yet."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass

from lentigo.bulk.work import Outcome

__all__ = ["Summary", "summarise"]

_RESULTS = ("gradable", "not gradable")


@dataclass(frozen=True)
class Summary:
    """What a folder of results holds after a run.

    Attributes:
        out: the folder.
        parts: number of parts in the plan.
        finished: number of them that have their file; fewer than `parts` only if the run was stopped.
        done_before: number of them that earlier runs had finished, and this one left alone.
        rows: number of rows; one for each input of the finished parts.
        gradable: rows with a diagnosis.
        not_gradable: rows of images that the model can't assess.
        failures: rows without a verdict, by kind: 'unreadable image', 'unreadable shard', 'missing', 'unreachable'
            and 'worker lost'.
        others: members of tar shards that are not images and have no row, by suffix.
        new_rows: rows that this run wrote.
        seconds: that this run took.
        notices: what else must not be overlooked.
    """

    out: str
    parts: int
    finished: int
    done_before: int
    rows: int
    gradable: int
    not_gradable: int
    failures: dict[str, int]
    others: dict[str, int]
    new_rows: int
    seconds: float
    notices: tuple[str, ...] = ()

    @property
    def failed(self) -> int:
        """Rows without a verdict."""
        return sum(self.failures.values())

    @property
    def images_per_second(self) -> float:
        """Rows that this run wrote, by its time, start of the engine included."""
        return self.new_rows / self.seconds if self.seconds else 0.0

    def to_dict(self) -> dict[str, object]:
        """As plain values for JSON."""
        return asdict(self) | {"failed": self.failed, "images_per_second": round(self.images_per_second, 2)}

    @property
    def text(self) -> str:
        """The account in words, a line for each matter."""
        before = f", {self.done_before} of them from earlier runs" if self.done_before else ""
        lines = [
            f"{self.rows:,} rows in {self.finished:,} of {self.parts:,} parts{before}: {self.out}",
            f"{self.gradable:,} gradable, {self.not_gradable:,} not gradable, {self.failed:,} failed.",
        ]
        if self.failures:
            kinds = ", ".join(f"{kind} {count:,}" for kind, count in sorted(self.failures.items()))
            lines.append(f"Failures by kind: {kinds}. The column `error` says why.")
        if self.others:
            kinds = ", ".join(f"{suffix} {count:,}" for suffix, count in sorted(self.others.items()))
            lines.append(f"No image, no row: {sum(self.others.values()):,} members of shards ({kinds}).")
        if self.new_rows:
            lines.append(f"{self.new_rows:,} rows in {self.seconds:,.1f} s: {self.images_per_second:,.1f} a second.")
        else:
            lines.append("Nothing was left to do.")
        return "\n".join([*lines, *self.notices]) + "\n"


def summarise(
    out: str, parts: int, before: Iterable[Outcome], new: Iterable[Outcome], seconds: float, notices: Iterable[str]
) -> Summary:
    """The account from what the files of the parts say.

    Args:
        out: the folder.
        parts: number of parts in the plan.
        before: of parts that were left alone.
        new: of parts that this run wrote.
        seconds: that it took.
        notices: what else must not be overlooked.
    """
    left, made = list(before), list(new)
    counts: Counter[str] = Counter()
    others: Counter[str] = Counter()
    for outcome in [*left, *made]:
        counts.update(outcome.counts)
        others.update(outcome.others)
    return Summary(
        out=out,
        parts=parts,
        finished=len(left) + len(made),
        done_before=len(left),
        rows=counts.total(),
        gradable=counts["gradable"],
        not_gradable=counts["not gradable"],
        failures={kind: count for kind, count in sorted(counts.items()) if kind not in _RESULTS},
        others=dict(sorted(others.items())),
        new_rows=sum(outcome.rows for outcome in made),
        seconds=seconds,
        notices=tuple(notices),
    )
