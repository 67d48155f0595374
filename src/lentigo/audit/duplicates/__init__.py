"""Find images that show one lesion: identical files, copies of one picture, and other photographs of one lesion.

Nothing here knows lesion ids or published pairs. Each search is torch-free and gives the same pairs in every run:

- `identical`: same bytes (SHA-256).
- `copies`: same picture turned, mirrored, scaled or compressed again: perceptual hashes name the candidates,
  correlation at 64 px, but for the rim, over the eight symmetries of the square decides.
- `views`: the lesion from another distance, angle or day: an embedding of local features names the candidates, a
  similarity transform that maps enough of them onto each other decides.
"""

from lentigo.audit.duplicates.fingerprints import Fingerprints, take_fingerprints
from lentigo.audit.duplicates.search import Duplicate, find_duplicates

__all__ = ["Duplicate", "Fingerprints", "find_duplicates", "take_fingerprints"]
