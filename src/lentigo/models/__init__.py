"""Architectures. They know no data: pixels in, logits out."""

from lentigo.models import compact as _compact  # noqa: F401  importing a family registers it
from lentigo.models import compressed_cnn as _compressed_cnn  # noqa: F401
from lentigo.models import efficient_cnn as _efficient_cnn  # noqa: F401
from lentigo.models import explainable_cnn as _explainable_cnn  # noqa: F401
from lentigo.models import melanoma_cnn as _melanoma_cnn  # noqa: F401
from lentigo.models import plain_cnn as _plain_cnn  # noqa: F401
from lentigo.models import soft_attention as _soft_attention  # noqa: F401
from lentigo.models import transfer as _transfer  # noqa: F401
from lentigo.models.counting import Counts, count_parameters
from lentigo.models.mirrors import MirrorAverage
from lentigo.models.registry import Entry, build, describe, entry, names, parse_options, register
from lentigo.models.weights import Loaded, load_weights
from lentigo.normalisation import Normalisation

__all__ = [
    "Counts",
    "Entry",
    "Loaded",
    "MirrorAverage",
    "Normalisation",
    "build",
    "count_parameters",
    "describe",
    "entry",
    "load_weights",
    "names",
    "parse_options",
    "register",
]
