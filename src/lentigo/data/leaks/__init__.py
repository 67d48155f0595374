"""How much of a test set is in the training set, and what that alone is worth, of any split: ours or anybody's.

>>> report = leaks.measure(leaks.read_split(Path("their_split.csv"), records))
>>> print(report)
"""

from lentigo.data.leaks.foreign import read_split
from lentigo.data.leaks.report import LeakReport, Score, measure
from lentigo.data.leaks.study import LeakStudy, nearest_neighbour_study

__all__ = ["LeakReport", "LeakStudy", "Score", "measure", "nearest_neighbour_study", "read_split"]
