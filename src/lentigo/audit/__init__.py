"""What is in a data set and what is wrong with it, found before anything is learnt from it.

>>> from lentigo import audit, data
>>> records = data.read("HAM10000/")
>>> audit.describe(records, "described").page  # one page with numbers and figures
>>> found = audit.audit(records)  # duplicates, label conflicts, metadata faults, unreadable images
>>> found.save(Path("audited"))
>>> fold = data.split(records, "grouped", pairs=found.pairs)
>>> print(audit.leak_report(audit.read_split(Path("their_split.csv"), records)))
"""

from lentigo.errors import needs_extra

with needs_extra("lentigo.audit", "data"):
    from lentigo.audit.auditing import Audit, Conflict, audit
    from lentigo.audit.describing import Description, describe
    from lentigo.audit.duplicates import (
        Duplicate,
        Fingerprints,
        Recall,
        Search,
        find_duplicates,
        find_with_recall,
        take_fingerprints,
    )
    from lentigo.audit.leaks import LeakReport, LeakStudy, leak_report, nearest_neighbour_study, read_split
    from lentigo.audit.writing import write_audit

__all__ = [
    "Audit",
    "Conflict",
    "Description",
    "Duplicate",
    "Fingerprints",
    "LeakReport",
    "LeakStudy",
    "Recall",
    "Search",
    "audit",
    "describe",
    "find_duplicates",
    "find_with_recall",
    "leak_report",
    "nearest_neighbour_study",
    "read_split",
    "take_fingerprints",
    "write_audit",
]
