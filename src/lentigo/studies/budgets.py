"""How much computing a reproduction may spend. A result is only ever quoted with its budget."""

from dataclasses import dataclass
from types import MappingProxyType

from lentigo.errors import RunError

__all__ = ["BUDGETS", "Budget", "budget"]


@dataclass(frozen=True)
class Budget:
    """Limits of every training of a reproduction.

    Attributes:
        name: 'quick', 'cpu' or 'full'.
        summary: in words, printed over every table.
        folds: the folds, of five, that are run.
        seeds: which seeds, on each fold.
        epochs: most epochs; None for as many as published.
        macs: most multiply-accumulates that one training may spend on forward passes of what trains; epochs are cut to
            fit, though never below one. None for no limit. A limit in operations and not in seconds, so that every
            machine runs the same epochs.
        images: most images of the data set that are used, by whole lesions; None for all.
        precision: of the networks' arithmetic, as in `training.Recipe`.
        replicates: bootstrap resamples behind the intervals.
        timed: batches of one image that are timed for each network.
        leaky_variants: whether compressed forms are made under leaky protocols too, and not under the honest one alone.
        pretrained_size: most pixels a side of the images of pretrained networks, which take any; None for as many as
            published.
    """

    name: str
    summary: str
    folds: tuple[int, ...]
    seeds: tuple[int, ...]
    epochs: int | None
    macs: float | None
    images: int | None
    precision: str
    replicates: int
    timed: int
    leaky_variants: bool = True
    pretrained_size: int | None = None

    def epochs_for(self, wanted: int, macs_an_epoch: float) -> int:
        """How many of the wanted epochs fit into this budget, at least one."""
        fitting = wanted if self.macs is None else int(self.macs // max(macs_an_epoch, 1.0))
        return max(1, min(wanted, fitting, self.epochs or wanted))


BUDGETS = MappingProxyType(
    {
        b.name: b
        for b in (
            Budget(
                "quick",
                "one epoch on some 70 images, of 64 pixels a side for pretrained networks: a smoke test without "
                "meaningful results",
                folds=(0,),
                seeds=(0,),
                epochs=1,
                macs=None,
                images=70,
                precision="float32",
                replicates=20,
                timed=1,
                leaky_variants=False,
                pretrained_size=64,
            ),
            Budget(
                "cpu",
                "fold 0 of 5, one seed, all images, bfloat16; epochs cut so that a training spends at most 8 "
                "tera-multiply-accumulates forward: what two CPU cores can do in an afternoon",
                folds=(0,),
                seeds=(0,),
                epochs=None,
                macs=8e12,
                images=None,
                precision="bfloat16",
                replicates=1000,
                timed=10,
            ),
            Budget(
                "full",
                "all five folds, one seed each, epochs as published, float32",
                folds=(0, 1, 2, 3, 4),
                seeds=(0,),
                epochs=None,
                macs=None,
                images=None,
                precision="float32",
                replicates=1000,
                timed=10,
            ),
        )
    }
)
"""All budgets by name."""


def budget(name: str) -> Budget:
    """A budget by name.

    Raises:
        RunError: there is none of that name.
    """
    if name not in BUDGETS:
        raise RunError(f"Unknown budget {name!r}.", f"Budgets: {', '.join(BUDGETS)}.")
    return BUDGETS[name]
