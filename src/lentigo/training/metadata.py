"""Train what age, sex and site add to a network's logits, on the training part's metadata alone.

The terms are a classifier of their own, 'metadata alone', whose logits are at the balanced prior like a network's:
the training adds the log class share (logit adjustment, Menon et al., ICLR 2021). It takes seconds. They are not
trained together with the image's logits of the same images, which a trained network knows by heart.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from lentigo import data
from lentigo.errors import DataError
from lentigo.models.fusion import MISSING, MetadataBranch, dropped
from lentigo.runtime.clinical import encode
from lentigo.runtime.metadata import OptionalInput

__all__ = ["branch_logits", "clinical_inputs", "known_of", "train_metadata"]

STEPS = 400
LEARNING_RATE = 0.03
WEIGHT_DECAY = 1e-3
DROPPED = 0.15
"""Share of each input that is taken as missing in a step."""


def clinical_inputs(records: data.Records) -> tuple[OptionalInput, ...]:
    """Age, sex and site, with the categories that some records have.

    Raises:
        DataError: none of the three is known of any image.
    """
    found = {
        name: tuple(sorted({str(v).lower() for v in records.table[name].dropna()} - {"unknown"}))
        for name in ("sex", "site")
    }
    if not any(found.values()) and records.table["age"].isna().all():
        raise DataError(f"{records.root}: no image has an age, a sex or a site.", "Use a data set with metadata.")
    return (
        OptionalInput(name="age", kind="number", missing=MISSING),
        *(OptionalInput(name=n, kind="category", missing=MISSING, categories=c) for n, c in found.items()),
    )


def known_of(records: data.Records, inputs: Sequence[OptionalInput]) -> dict[str, NDArray]:
    """The inputs' values of some records, [N] each."""
    columns = [one.name for one in inputs]
    return encode(inputs, records.table[columns].to_dict("records"), str(records.root))


def train_metadata(train: data.Records, inputs: Sequence[OptionalInput], seed: int = 0) -> MetadataBranch:
    """The branch of the training part's age, sex and site; each is dropped by chance in every step.

    Raises:
        DataError: a value that can't be read.
    """
    generator = torch.Generator().manual_seed(seed)
    values = [torch.from_numpy(v) for v in known_of(train, inputs).values()]
    labels = torch.from_numpy(train.labels)
    shares = np.bincount(train.labels, minlength=len(train.label_set)) / len(train)
    prior = torch.from_numpy(np.log(np.maximum(shares, 1e-9)).astype(np.float32))
    sexes, sites = (len(one.categories) for one in inputs[1:])
    branch = MetadataBranch(len(train.label_set), sexes, sites)
    optimizer = torch.optim.AdamW(branch.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss = F.cross_entropy(branch(*dropped(values, DROPPED, generator)) + prior, labels)
        loss.backward()
        optimizer.step()
    return branch.eval()


@torch.inference_mode()
def branch_logits(branch: MetadataBranch, known: dict[str, NDArray]) -> NDArray[np.float32]:
    """What a branch adds to the logits [N, K], at the balanced prior."""
    found: NDArray[np.float32] = branch(*(torch.from_numpy(v) for v in known.values())).numpy()
    return found
