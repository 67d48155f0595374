"""What a network, a run or a file costs: bytes on named footings, multiply-accumulates, memory, time, energy."""

from lentigo.errors import needs_extra

with needs_extra("lentigo.evaluation.cost", "train"):
    from lentigo.evaluation.cost.account import Account, account
    from lentigo.evaluation.cost.count import Cost, Layer, cost
    from lentigo.evaluation.cost.measure import Measured, Speed, measure
    from lentigo.evaluation.cost.measure_bundle import measure_bundle
    from lentigo.evaluation.cost.render import account_table, cost_table, describe_cost, measured_table, reduction_table
    from lentigo.evaluation.cost.sizes import FOOTINGS, Reduction, reduction, reductions

__all__ = [
    "FOOTINGS",
    "Account",
    "Cost",
    "Layer",
    "Measured",
    "Reduction",
    "Speed",
    "account",
    "account_table",
    "cost",
    "cost_table",
    "describe_cost",
    "measure",
    "measure_bundle",
    "measured_table",
    "reduction",
    "reduction_table",
    "reductions",
]
