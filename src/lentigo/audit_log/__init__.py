"""Audit log: which image was judged by which model, with which result and when; nothing else, and every change shows.

A log is JSON lines. Each holds its number, the hash of the line before it and its own, so that a line that was
changed, removed, moved or inserted breaks the chain. A missing end breaks none: a side file (`NAME.head`) holds the
number and hash of the last line. Whoever can write both files can rewrite both, which shows only against a head hash
that was kept elsewhere.
"""

from lentigo.audit_log.log import AuditLog
from lentigo.audit_log.verify import AuditReport, verify_audit_log

__all__ = ["AuditLog", "AuditReport", "verify_audit_log"]
