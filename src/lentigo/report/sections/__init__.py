"""The page below the first screen: one function per section, `Subject` in, `Section` out; `SECTIONS` is their order."""

from collections.abc import Callable

from lentigo.report.document import Section
from lentigo.report.sections.calibration import calibration
from lentigo.report.sections.decisions import decisions
from lentigo.report.sections.diagnoses import diagnoses
from lentigo.report.sections.doubt import doubt
from lentigo.report.sections.groups import groups
from lentigo.report.sections.headline import headline, yes_or_no
from lentigo.report.sections.melanoma import melanoma
from lentigo.report.sections.mistakes import mistakes
from lentigo.report.sections.origin import origin
from lentigo.report.sections.worse_images import worse_images
from lentigo.report.subject import Subject

__all__ = ["SECTIONS", "mistakes"]

SECTIONS: tuple[Callable[[Subject], Section], ...] = (
    headline,
    melanoma,
    decisions,
    diagnoses,
    mistakes,
    calibration,
    doubt,
    yes_or_no,
    groups,
    worse_images,
    origin,
)
"""The page, in order. A further section is a further function here."""
