"""How much of a test set is in the training set, and what that alone is worth, of any split: ours or anybody's.

>>> report = leak_report(read_split(Path("their_split.csv"), records))
>>> print(report)
"""

from lentigo.audit.leaks.foreign import read_split
from lentigo.audit.leaks.report import LeakReport, Score, leak_report
from lentigo.audit.leaks.study import LeakStudy, nearest_neighbour_study

__all__ = ["LeakReport", "LeakStudy", "Score", "leak_report", "nearest_neighbour_study", "read_split"]
