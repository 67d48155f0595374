"""Find images that show one lesion: identical files, copies of one picture, and other photographs of one lesion.

Nothing here knows lesion ids or published pairs. Each search is torch-free and gives the same pairs in every run:

- `identical`: same bytes (SHA-256).
- `copies`: same picture turned, mirrored, scaled or compressed again: perceptual hashes name the candidates,
  correlation at 64 px, but for the rim, over the eight symmetries of the square decides.
- `views`: the lesion from another distance, angle or day: an embedding of local features names the candidates, a
  similarity transform that maps enough of them onto each other decides.

Among very many images the candidates come from indexes (`approximate`), which miss some; `recall` measures how many.
"""

from lentigo.audit.duplicates.fingerprints import Fingerprints, take_fingerprints
from lentigo.audit.duplicates.recall import Recall, find_with_recall
from lentigo.audit.duplicates.search import Duplicate, Search, find_duplicates

__all__ = [
    "Duplicate",
    "Fingerprints",
    "Recall",
    "Search",
    "find_duplicates",
    "find_with_recall",
    "take_fingerprints",
]
