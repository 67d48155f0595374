"""Several data sets in one training: what a run keeps of each, and how many images of an epoch each gives."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from lentigo import data
from lentigo.data.augment import Mixing
from lentigo.errors import RunError
from lentigo.labels import LabelMapping, LabelSet
from lentigo.training.recipe import Recipe

__all__ = ["RunSource", "SourceMix", "check_mixing", "check_shares", "describe_sources", "main_prior", "source_mix"]

Share = Annotated[float, Field(ge=0, le=1)]


@dataclass(frozen=True)
class RunSource:
    """One of several data sets that a run was trained on.

    Attributes:
        name: in the column `data_set` of the records.
        root: where it was.
        licence, citation: its own.
        images: readable ones in the training part.
        share: of the images of an epoch.
        prior: share of each diagnosis in its training images.
        labels: its own label set, as plain values.
        mapping: pairs of labels, its own and the run's; empty where both are one.
        outside: whether its table was allowed to name images outside its folder.
    """

    name: str
    root: str
    licence: str
    citation: str
    images: int
    share: Share
    prior: tuple[Share, ...]
    labels: Mapping[str, object] = field(default_factory=dict)
    mapping: tuple[tuple[str, str | None], ...] = ()
    outside: bool = False

    def public(self) -> dict[str, object]:
        """What a file that travels says of it."""
        kept = {k: getattr(self, k) for k in ("name", "licence", "citation", "images", "share", "prior")}
        return {**kept, "labels": dict(self.labels).get("name"), "mapping": [list(pair) for pair in self.mapping]}

    def mapping_to(self, result: LabelSet) -> LabelMapping | None:
        """Its mapping to the run's labels."""
        if not self.mapping:
            return None
        return LabelMapping(LabelSet.from_dict(dict(self.labels)), result, self.mapping)


@dataclass(frozen=True)
class SourceMix:
    """Which training images make an epoch where each data set has its share.

    Those of the main data set come once each. The others follow an order that is drawn once, from the image after the
    last of the epoch before, so that none comes again before all have come.

    Attributes:
        sources: data set of each training image [N], the main one being 0.
        counts: images of an epoch from each data set [S].
        seed: of the orders.
    """

    sources: NDArray[np.int64]
    counts: tuple[int, ...]
    seed: int

    def __len__(self) -> int:
        return sum(self.counts)

    def draw(self, epoch: int) -> NDArray[np.int64]:
        """Positions of the images of an epoch, not shuffled."""
        drawn = []
        for source, count in enumerate(self.counts):
            own = np.random.default_rng([self.seed, source]).permutation(np.flatnonzero(self.sources == source))
            drawn.append(own[np.arange(epoch * count, (epoch + 1) * count) % len(own)])
        return np.concatenate(drawn)


def check_shares(shares: Mapping[str, float], records: data.Records) -> None:
    """See that a recipe's shares are of these data sets.

    Raises:
        RunError: they aren't, or the training part lacks one of them.
    """
    names = [source.name for source in records.sources]
    if shares and set(shares) != set(names):
        raise RunError(
            f"The recipe's source_shares name {', '.join(shares)}; the data sets are {', '.join(names) or 'only one'}.",
            "Give each data set a share, by its name." if names else "Omit source_shares.",
        )


def check_mixing(recipe: Recipe, records: data.Records) -> None:
    """See that no image of the training is a mixture of several data sets, whose prior is unknown.

    Raises:
        RunError: it is, and the recipe's logit adjustment needs the prior.
    """
    mixing = [step.name for step in recipe.augmentations if isinstance(step.make(), Mixing)]
    if records.sources and mixing and recipe.balance == "logit_adjustment":
        raise RunError(
            f"{', '.join(mixing)} mixes images of data sets that have their own class shares.",
            "Remove it from the augmentations, or set balance to class_weights.",
        )


def source_mix(shares: Mapping[str, float], train: data.Records, seed: int) -> SourceMix:
    """The mix of some training images by the shares of a recipe.

    Raises:
        RunError: none of them is of a data set that has a share.
    """
    sources, names = train.source_numbers, [source.name for source in train.sources]
    own = np.bincount(sources, minlength=len(names))
    if empty := [name for name, count in zip(names, own, strict=True) if not count]:
        raise RunError(f"The training part has no image of {empty[0]}.", "Omit that data set, and its share.")
    counts = [max(1, round(own[0] * shares[name] / shares[names[0]])) for name in names]
    return SourceMix(sources, (int(own[0]), *counts[1:]), seed)


def main_prior(train: data.Records) -> tuple[float, ...]:
    """Share of each diagnosis among training images of the main data set, the one that is validated and tested.

    Under the protocol 'external' the main one may be what is tested, and then of all training images.
    """
    main = train.labels[train.source_numbers == 0]
    counts = np.bincount(main if len(main) else train.labels, minlength=len(train.label_set))
    return tuple((counts / counts.sum()).tolist())


def describe_sources(train: data.Records, shares: Mapping[str, float], seed: int) -> tuple[RunSource, ...]:
    """What a run keeps of the data sets of its readable training images; nothing where there is only one."""
    if not train.sources:
        return ()
    numbers, labels, found = train.source_numbers, train.labels, []
    mix = source_mix(shares, train, seed).counts if shares else np.bincount(numbers, minlength=len(train.sources))
    for i, source in enumerate(train.sources):
        counts = np.bincount(labels[numbers == i], minlength=len(train.label_set))
        found.append(
            RunSource(
                name=source.name,
                root=str(source.root.absolute()),
                licence=source.licence,
                citation=source.citation,
                images=int(counts.sum()),
                share=float(mix[i] / sum(mix)),
                prior=tuple((counts / max(1, counts.sum())).tolist()),
                labels=json.loads(json.dumps(source.label_set.to_dict())),
                mapping=source.mapping.pairs if source.mapping else (),
                outside=source.outside,
            )
        )
    return tuple(found)
