"""What a network costs: parameters, multiply-accumulates, memory, bytes, time, energy."""

from lentigo.evaluation.cost.count import Cost, Layer, cost
from lentigo.evaluation.cost.measure import Measured, Speed, measure
from lentigo.evaluation.cost.render import cost_table, describe_cost, measured_table

__all__ = ["Cost", "Layer", "Measured", "Speed", "cost", "cost_table", "describe_cost", "measure", "measured_table"]
