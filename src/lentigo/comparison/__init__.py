"""Images compared with other images: similar known lesions, one lesion over time, all lesions of one patient.

Everything here is a hint and says so. Only `build_index` needs more than the plain install.

>>> from lentigo import comparison
>>> index = comparison.build_index("HAM10000/", "model.onnx", "model.index.npz")
>>> comparison.similar("lesion.jpg", index, "model.onnx").neighbours[0].diagnosis
"""

from lentigo.comparison.building import build_index
from lentigo.comparison.following import Change, FollowUp, follow
from lentigo.comparison.index import Index, load_index
from lentigo.comparison.neighbours import Neighbour, Similar, similar
from lentigo.comparison.patient import Outlier, UglyDuckling, ugly_duckling
from lentigo.comparison.visits import Visit, read_visits

__all__ = [
    "Change",
    "FollowUp",
    "Index",
    "Neighbour",
    "Outlier",
    "Similar",
    "UglyDuckling",
    "Visit",
    "build_index",
    "follow",
    "load_index",
    "read_visits",
    "similar",
    "ugly_duckling",
]
