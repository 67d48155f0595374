"""Describe a data set: look at its table and its pictures, and write what they teach."""

import os

from lentigo.arguments import checked
from lentigo.atomic import own_folder
from lentigo.audit.describing.appearance import examine, samples
from lentigo.audit.describing.description import Description
from lentigo.audit.describing.findings import findings
from lentigo.audit.describing.summary import summarise
from lentigo.data.outputs import output_folder
from lentigo.data.records import Records
from lentigo.errors import OutputError, needs_extra

__all__ = ["describe"]

SAMPLES = 8
"""Pictures shown of each class."""


@checked
def describe(records: Records, out: str | os.PathLike[str], *, seed: int = 0) -> Description:
    """Describe a data set and write a page, the figures and their numbers.

    Every picture is decoded once. What a source doesn't know (ages, sites, lesions, diagnoses) is reported as missing,
    and its figure is left out. The same records give the same files.

    Args:
        records: the data set.
        out: folder to write `index.html`, `numbers.json` and `figures/NAME.png` and `.svg` into; made if absent.
        seed: seed of the choice of sample pictures.

    Raises:
        DataError: there are no records, or none of the pictures can be read.
        OutputError: the folder can't be written, is inside the data set, or holds other files than a description's.
        MissingExtraError: the packages that draw are not installed.
    """
    with needs_extra("Describing a data set", "data"):
        # Only here, so that reading a data set doesn't wait for the packages that draw.
        from lentigo.audit.describing.writer import write
    folder = own_folder(output_folder(out, records), ("numbers.json",))
    summary = summarise(records)
    appearance = examine(records, summary.labels)
    found = Description(folder, summary, appearance, findings(summary, appearance))
    pictures = samples(records, summary.labels, SAMPLES, seed)
    try:
        write(records, found, pictures)
    except OSError as error:
        raise OutputError.of(folder, error) from error
    return found
