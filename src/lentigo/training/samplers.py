"""What a trial tries, drawn from the seed and its slot: a resumed search repeats an uninterrupted one, and workers that
ask at the same moment choose different things."""

from collections.abc import Sequence
from typing import Any, Literal

import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, GridSampler, NSGAIISampler, TPESampler
from optuna.trial import FrozenTrial, TrialState

from lentigo.training.space import Space, grid_of
from lentigo.training.trials import slots

__all__ = ["POPULATION", "Sampler", "SlotSampler"]

Sampler = Literal["tpe", "grid", "genetic"]
POPULATION = 8
"""Trials in a generation of the genetic sampler: searches here are short."""


class SlotSampler(BaseSampler):
    """A sampler that is made anew for each trial, when its slot is known.

    Args:
        name: of the sampler.
        space: what a grid is made of.
        seed: of all choices.
        shared: whether others train at the same time: TPE then takes their trials for bad ones, and so keeps away from
            them (the constant liar of Ginsbourger et al., 2010).
    """

    def __init__(self, name: Sampler, space: Space, seed: int, *, shared: bool = False) -> None:
        self.name, self.space, self.seed, self.shared = name, space, seed, shared
        self._made: BaseSampler | None = None

    def before_trial(self, study: optuna.Study, trial: FrozenTrial) -> None:
        """Make the sampler."""
        slot = slots(study.get_trials(deepcopy=False))[trial.number]
        self._made = self._make(slot)
        self._made.before_trial(study, trial)

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """As the sampler does."""
        return self._sampler.infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """As the sampler does."""
        return self._sampler.sample_relative(study, trial, search_space)

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """As the sampler does."""
        return self._sampler.sample_independent(study, trial, param_name, param_distribution)

    def after_trial(
        self, study: optuna.Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None
    ) -> None:
        """Nothing: what a trial leaves behind is in the storage."""

    @property
    def _sampler(self) -> BaseSampler:
        assert self._made is not None, "Optuna calls before_trial first"
        return self._made

    def _make(self, slot: int) -> BaseSampler:
        own = self.seed * 1_000_003 + slot
        if self.name == "grid":
            return _Grid(grid_of(self.space), self.seed, slot)  # its order must stay
        if self.name == "tpe":
            return TPESampler(seed=own, constant_liar=self.shared)
        return NSGAIISampler(population_size=POPULATION, seed=own)


class _Grid(GridSampler):
    """A grid whose cells are given to the slots in their order, so that none is left out and none tried twice."""

    def __init__(self, grid: dict[str, list], seed: int, slot: int) -> None:
        super().__init__(grid, seed)
        self.slot = slot

    def before_trial(self, study: optuna.Study, trial: FrozenTrial) -> None:
        """Note the cell, as Optuna does it, unless the trial is a repetition, which has it already."""
        if "grid_id" not in trial.system_attrs:
            cell = self.slot % len(self._all_grids)
            study._storage.set_trial_system_attr(trial._trial_id, "search_space", self._search_space)
            study._storage.set_trial_system_attr(trial._trial_id, "grid_id", cell)
