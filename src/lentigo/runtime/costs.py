"""What the models that ship cost to run: counted and measured by benchmarks/latency.py into weights/costs.json."""

from functools import cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from lentigo.errors import BundleError

__all__ = ["COSTS", "Cost", "Costs", "read_costs"]

COSTS = Path(__file__).parent.parent / "weights" / "costs.json"
"""Stands beside the models, so that whoever has them has it too."""


class Cost(BaseModel):
    """Of one file.

    Attributes:
        sha256: of the unpacked file, as in `Bundle.sha256`: a file that was replaced since has no cost here.
        macs: multiply-accumulates of one image by part: 'network' (mirrors included), 'preprocessing' and 'ood'.
        median_ms, min_ms, p90_ms: milliseconds of one image.
    """

    model_config = ConfigDict(frozen=True)

    sha256: str
    macs: dict[str, int]
    median_ms: float
    min_ms: float
    p90_ms: float

    @property
    def total_macs(self) -> int:
        """Of the whole graph."""
        return sum(self.macs.values())


class Costs(BaseModel):
    """Of all models that shipped when they were measured.

    Attributes:
        command: that measured.
        what: was measured.
        image: height and width of the image, in pixels, that was counted and timed.
        n: calls timed.
        machine: processor and versions.
        models: by name.
    """

    model_config = ConfigDict(frozen=True)

    command: str
    what: str
    image: tuple[int, int]
    n: int
    machine: str
    models: dict[str, Cost]

    def of(self, sha256: str) -> Cost | None:
        """Of the file with this hash; None where that one was not measured."""
        return next((cost for cost in self.models.values() if cost.sha256 == sha256), None)


@cache
def read_costs(path: Path = COSTS) -> Costs | None:
    """What was measured; None where nothing was.

    Raises:
        BundleError: the file is damaged.
    """
    if not path.is_file():
        return None
    try:
        return Costs.model_validate_json(path.read_bytes())
    except ValidationError as error:
        reason = error.errors(include_url=False)[0]["msg"]
        raise BundleError(f"{path}: can't be read ({reason}).", "Install lentigo again, or measure again.") from None
