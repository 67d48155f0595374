"""Train a network on a split.

>>> from lentigo import training
>>> run = training.train("compact", fold, training.Recipe(size=64), out="runs/first")
"""

from lentigo.errors import MissingExtraError

try:
    from lentigo.training.fit import train, train_from
    from lentigo.training.recipe import Recipe
    from lentigo.training.run import Run, load_run
except ModuleNotFoundError as missing:
    if missing.name is None or missing.name.startswith("lentigo"):
        raise
    raise MissingExtraError("lentigo.training", "train") from missing

__all__ = ["Recipe", "Run", "load_run", "train", "train_from"]
