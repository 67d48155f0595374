"""One image of an acquisition station: classified, its results written, and noted in the journal, once."""

import hashlib
import io
import json
import os
from dataclasses import dataclass
from pathlib import Path

from lentigo.atomic import write_text
from lentigo.audit_log import AuditLog
from lentigo.clinic.dicom import dicom_heatmap, dicom_report, write_dicom
from lentigo.clinic.fhir import fhir_text
from lentigo.clinic.journal import DONE, REFUSED, REPEATED, Journal
from lentigo.errors import ImageError
from lentigo.runtime import Classifier, Failure, Verdict
from lentigo.runtime.formats import START, sniff

__all__ = ["Station", "Writes"]


@dataclass(frozen=True)
class Writes:
    """What is written for each image besides JSON, and a structured report for DICOM.

    Attributes:
        heatmaps: heat maps: a secondary capture for DICOM, else PNG.
        fhir: version of a FHIR Bundle; None for no Bundle.
        audit_log: the audit log; None for none.
    """

    heatmaps: bool = False
    fhir: str | None = None
    audit_log: AuditLog | None = None


class Station:
    """Classifies contents into an output folder.

    Files are named by the image's name and the hash of its content, and written whole: an image whose handling was
    interrupted is handled again, to the same files.
    """

    def __init__(self, classifier: Classifier, out: Path, journal: Journal, writes: Writes) -> None:
        self._classifier = classifier
        self._out = out
        self._journal = journal
        self._writes = writes

    def handle(self, content: bytes, name: str, *, last: bool) -> bool:
        """Handle an image; False if it can't be read and should be tried again.

        Args:
            content: its file.
            name: its file's name, in results.
            last: whether it is refused for good if it can't be read.

        Raises:
            OutputError: a result can't be written; the image is not handled then.
        """
        name = name.encode("utf-8", "backslashreplace").decode()
        sha256 = hashlib.sha256(content).hexdigest()
        if self._journal.knows(sha256, name):
            return True
        if self._journal.has_content(sha256):
            self._journal.add(sha256, name, REPEATED, [], "an image with the same content was handled before")
            return True
        result = self._classified(content, name)
        if isinstance(result, Failure) and not last:
            return False
        if self._writes.audit_log:
            self._writes.audit_log.append(result, sha256)
        files, remark = self._write(result, f"{_stem(name)}-{sha256[:12]}", content)
        if isinstance(result, Failure):
            self._journal.add(sha256, name, REFUSED, files, result.error)
        else:
            self._journal.add(sha256, name, DONE, files, remark)
        return True

    def _classified(self, content: bytes, name: str) -> Verdict | Failure:
        file = io.BytesIO(content)
        file.name = name
        return self._classifier.classify_batch([file])[0]

    def _write(self, result: Verdict | Failure, stem: str, content: bytes) -> tuple[list[str], str]:
        """The names of the files that were written, JSON last, and what could not be made."""
        files, remarks = [], []
        kind = sniff(content[:START])
        if isinstance(result, Verdict) and kind and kind.name == "DICOM":
            wanted = [(".sr.dcm", dicom_report)] + [(".heatmap.dcm", dicom_heatmap)] * self._writes.heatmaps
            for suffix, make in wanted:
                try:
                    write_dicom(make(result), self._out / f"{stem}{suffix}", overwrite=True)
                    files.append(f"{stem}{suffix}")
                except ImageError as error:
                    remarks.append(str(error))
        elif isinstance(result, Verdict) and self._writes.heatmaps:
            result.save_overlay(self._out / f"{stem}.heatmap.png", overwrite=True)
            files.append(f"{stem}.heatmap.png")
        if self._writes.fhir:
            write_text(self._out / f"{stem}.fhir.json", fhir_text([result], version=self._writes.fhir))
            files.append(f"{stem}.fhir.json")
        text = json.dumps(result.to_dict(), indent=2, allow_nan=False) + "\n"
        write_text(self._out / f"{stem}.json", text)
        return [*files, f"{stem}.json"], " ".join(dict.fromkeys(remarks))


def _stem(name: str) -> str:
    """A file name's stem, short and without what some file systems refuse."""
    stem = "".join(c if c.isalnum() or c in "-_. " else "_" for c in Path(name).name)
    stem = stem.removesuffix(Path(stem).suffix) if len(Path(stem).suffix) < 7 else stem
    return os.fsencode(stem)[:100].decode("utf-8", "ignore").strip(". ") or "image"
