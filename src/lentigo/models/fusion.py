"""What age, sex and site add to a network's logits, with any of them missing.

logits = image logits + age term + sex term + site term. Each term is zero where its input is missing, so that with
nothing known the fused network is the image's alone, and each logit still is the mean of its map plus a constant of
the patient. The sum is Bayes' rule for image and metadata that are independent given the diagnosis; as they are not
quite, the terms are scaled by one factor that is chosen on the validation part.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

__all__ = ["MISSING", "MetadataBranch"]

MISSING = -1
"""Of every input: an age or a category that is not known."""
AGE_UNIT = 100.0
KNOTS = (0.0, 0.15, 0.3, 0.45, 0.6, 0.75)
"""Where the age term may bend, in units of `AGE_UNIT`."""


class MetadataBranch(nn.Module):
    """The terms of age, sex and site.

    Args:
        classes: number of diagnoses K.
        sexes, sites: number of categories of each.
    """

    knots: Tensor

    def __init__(self, classes: int, sexes: int, sites: int) -> None:
        super().__init__()
        self.age = nn.Linear(len(KNOTS), classes)
        self.sex = nn.Parameter(torch.zeros(sexes, classes))
        self.site = nn.Parameter(torch.zeros(sites, classes))
        nn.init.zeros_(self.age.weight)
        nn.init.zeros_(self.age.bias)
        self.register_buffer("knots", torch.tensor(KNOTS))

    def forward(self, age: Tensor, sex: Tensor, site: Tensor) -> Tensor:
        """What is added to the logits [N, K].

        Args:
            age: years, float32 [N]; `MISSING` where it is not known.
            sex, site: positions of the categories, int64 [N]; likewise.
        """
        known = (age >= 0).float().unsqueeze(1)
        bends = torch.relu(age.unsqueeze(1) / AGE_UNIT - self.knots)
        return known * self.age(bends) + _rows(self.sex, sex) + _rows(self.site, site)

    def scaled(self, factor: float) -> "MetadataBranch":
        """A branch whose terms are `factor` times as large."""
        copy = MetadataBranch(self.age.out_features, len(self.sex), len(self.site))
        copy.load_state_dict({k: v if k == "knots" else v * factor for k, v in self.state_dict().items()})
        return copy.eval()


def _rows(table: Tensor, positions: Tensor) -> Tensor:
    """A table's rows [N, K]; zeros for `MISSING`, which is the last row of the longer table."""
    zeros = torch.zeros(1, table.shape[1], dtype=table.dtype, device=table.device)
    return torch.cat([table, zeros])[positions]


def dropped(values: Sequence[Tensor], share: float, generator: torch.Generator) -> list[Tensor]:
    """Inputs [N] of which each is missing by chance, so that a network learns to do without any of them."""
    return [
        torch.where(torch.rand(len(v), generator=generator) < share, torch.full_like(v, MISSING), v) for v in values
    ]
