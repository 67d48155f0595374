"""Audit a data set before anything is learnt from it: duplicates, label conflicts, metadata faults, broken images.

>>> found = data.audit(records)
>>> found.save(Path("audit"))
>>> fold = data.split(records, "grouped", pairs=found.pairs)
"""

from lentigo.data.audit.auditing import Audit, Conflict, audit
from lentigo.data.audit.writing import write_audit

__all__ = ["Audit", "Conflict", "audit", "write_audit"]
