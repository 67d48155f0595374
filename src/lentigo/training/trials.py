"""Which worker trains which trial of a search, when several share its storage and any of them may be killed.

A slot is one choice of parameters, from 0. The trial that was asked for first holds it; where its worker died, a
repetition with the same parameters holds it next, and goes on from the same run. A search of n trials is over when the
slots 0 to n - 1 are settled: finished, pruned, or lost with several workers one after another.

What must not go wrong when two workers act at once rests on what storages do atomically: they number new trials, and
let one worker alone take a waiting trial or end one that runs. Where they don't, workers hold a lock meanwhile
(`storage.lock_of`).
"""

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress

import optuna
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import FrozenTrial, TrialState

from lentigo.owners import is_dead, owner

__all__ = ["DONE", "LOST_WITH", "Trials", "is_lost", "slots"]

DONE = (TrialState.COMPLETE, TrialState.PRUNED)
"""States of a trial with a result."""
BEAT = 30.0
"""Seconds between two signs of life of a worker."""
SILENCE = 150.0
"""Seconds without one after which a worker counts as dead."""
POLL = 2.0
"""Seconds between two looks at what the others do."""
LOST_WITH = 4
"""Workers that may die of one trial before it is not tried again: it might be what they die of."""


def slots(trials: list[FrozenTrial]) -> list[int]:
    """The slot of each trial, in the order of their numbers."""
    found: list[int] = []
    chosen = 0
    for trial in trials:
        repeated = trial.user_attrs.get("repetition_of")
        found.append(chosen if repeated is None else found[repeated])
        chosen += repeated is None
    return found


def is_lost(trial: FrozenTrial) -> bool:
    """Whether a trial is not tried again, because it ended with too many workers."""
    return trial.state == TrialState.FAIL and trial.user_attrs.get("deaths", 0) >= LOST_WITH


class Trials:
    """The trials of a study, which this worker takes one after another.

    Args:
        study: with a sampler that draws by the slot.
        wanted: how many slots there are.
        alone: whether no other worker can be there, so that whatever runs was interrupted.
        lock: held while a trial is taken or let go; one that may be entered again.
    """

    def __init__(
        self, study: optuna.Study, wanted: int, *, alone: bool, lock: AbstractContextManager[object] | None = None
    ) -> None:
        self.study, self.wanted, self.alone = study, wanted, alone
        self.lock = lock or nullcontext()
        self._beats: dict[int, tuple[object, float]] = {}
        self._waited, self._own = False, -1

    def take(self) -> optuna.Trial | None:
        """The next trial for this worker, waiting for it while others train the last ones; None when all are settled.

        A trial whose worker died is taken before a new one is chosen.
        """
        self._own = -1
        while True:
            trials = self.free_dead()
            slot = slots(trials)
            settled = {s for s, t in zip(slot, trials, strict=True) if t.state in DONE or is_lost(t)}
            if settled.issuperset(range(self.wanted)):
                return None
            free = any(t.state == TrialState.WAITING and s < self.wanted for s, t in zip(slot, trials, strict=True))
            if not free and max(slot, default=-1) + 1 >= self.wanted:
                self._wait(len(set(range(self.wanted)) - settled))
                continue
            with self.lock:
                trial = self.study.ask()
                if self._is_ours(trial):
                    trial.set_user_attr("owner", owner())
                    self._own = trial.number
                    return trial
                self._end(trial.number)  # another worker was faster

    def free_dead(self) -> list[FrozenTrial]:
        """Let trials whose workers died be taken again; all trials as they then are."""
        trials = self.study.get_trials(deepcopy=False)
        dead = [trial for trial in trials if trial.state == TrialState.RUNNING and self._is_dead(trial)]
        for trial in dead:
            self.free(trial, died=not self.alone)
        orphans = self._orphans(trials)
        for trial in orphans:
            self._repeat(trial, trial.user_attrs.get("deaths", 0))
        return self.study.get_trials(deepcopy=False) if dead or orphans else trials

    def free(self, trial: optuna.Trial | FrozenTrial, *, died: bool) -> None:
        """End a trial without a result, and let another worker take it, unless too many died of it already."""
        with self.lock:
            frozen = self.study.get_trials(deepcopy=False)[trial.number]
            deaths = frozen.user_attrs.get("deaths", 0) + died
            with suppress(UpdateFinishedTrialError):
                optuna.Trial(self.study, frozen._trial_id).set_user_attr("deaths", deaths)
            if self._end(trial.number) and deaths < LOST_WITH:
                self._repeat(frozen, deaths)

    @contextmanager
    def alive(self, trial: optuna.Trial) -> Iterator[None]:
        """Give signs of life while a trial is trained."""
        over = threading.Event()

        def beat() -> None:
            count = 0
            while not over.wait(BEAT):
                count += 1
                with suppress(Exception):  # the trial was taken over, or the database is away for a moment
                    trial.set_user_attr("beat", count)

        thread = threading.Thread(target=beat, daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def same_running(self, trial: optuna.Trial) -> bool:
        """Whether another worker trains the same parameters for an earlier slot."""
        trials = self.free_dead()
        slot = slots(trials)
        return any(
            other.state == TrialState.RUNNING and slot[other.number] < slot[trial.number]
            for other in trials
            if other.params == trial.params
        )

    def _is_ours(self, trial: optuna.Trial) -> bool:
        """Whether the slot of a trial is wanted, and no other trial holds it."""
        trials = self.study.get_trials(deepcopy=False)
        slot = slots(trials)
        held = any(
            other.state != TrialState.FAIL and slot[other.number] == slot[trial.number]
            for other in trials[: trial.number]
        )
        return slot[trial.number] < self.wanted and not held

    def _is_dead(self, trial: FrozenTrial) -> bool:
        if trial.number == self._own:
            return False
        if self.alone:
            return True
        known = trial.user_attrs.get("owner") or {}
        if is_dead(known):
            return True
        return self._silent(trial, (known.get("process"), trial.user_attrs.get("beat", 0)))

    def _silent(self, trial: FrozenTrial, sign: object) -> bool:
        """Whether nothing has changed for too long, by this worker's own clock: those of machines differ."""
        now = time.monotonic()
        known, since = self._beats.get(trial.number, (None, now))
        if known != sign:
            self._beats[trial.number] = sign, now
            return False
        return now - since > SILENCE

    def _orphans(self, trials: list[FrozenTrial]) -> list[FrozenTrial]:
        """The last trials of slots whose worker died between ending one and letting it be repeated."""
        last: dict[int, FrozenTrial] = {}
        for s, trial in zip(slots(trials), trials, strict=True):
            if s < self.wanted and (s not in last or last[s].state == TrialState.FAIL):
                last[s] = trial
        ended = (trial for trial in last.values() if trial.state == TrialState.FAIL and not is_lost(trial))
        return [trial for trial in ended if self.alone or self._silent(trial, "ended")]

    def _repeat(self, trial: FrozenTrial, deaths: int) -> None:
        attributes = {name: value for name, value in trial.user_attrs.items() if name == "run"}
        self.study.add_trial(
            optuna.create_trial(
                state=TrialState.WAITING,
                params=trial.params,
                distributions=trial.distributions,
                intermediate_values=trial.intermediate_values,
                system_attrs=trial.system_attrs,
                user_attrs={**attributes, "repetition_of": trial.number, "deaths": deaths},
            )
        )

    def _end(self, number: int) -> bool:
        """End a trial as failed; False where another worker did."""
        try:
            self.study.tell(number, state=TrialState.FAIL)
        except (ValueError, UpdateFinishedTrialError):
            return False
        return True

    def _wait(self, left: int) -> None:
        if not self._waited:
            print(f"Other workers train the last trials ({left} open); waiting for them.", file=sys.stderr)
        self._waited = True
        time.sleep(POLL)
