"""Train a network on a split.

>>> from lentigo import training
>>> run = training.train("compact", fold, training.Recipe(size=64), out="runs/first")
"""

from lentigo.errors import needs_extra

with needs_extra("lentigo.training", "train"):
    from lentigo.training.finetune import fine_tune
    from lentigo.training.fit import train, train_from
    from lentigo.training.hooks import BatchContext, Hook, register_callback, register_loss
    from lentigo.training.loading import load_run
    from lentigo.training.recipe import Augment, Recipe
    from lentigo.training.run import Run
    from lentigo.training.search import search, search_from
    from lentigo.training.search_report import Search, Trial
    from lentigo.training.space import Range, Space, load_space

__all__ = [
    "Augment",
    "BatchContext",
    "Hook",
    "Range",
    "Recipe",
    "Run",
    "Search",
    "Space",
    "Trial",
    "fine_tune",
    "load_run",
    "load_space",
    "register_callback",
    "register_loss",
    "search",
    "search_from",
    "train",
    "train_from",
]
