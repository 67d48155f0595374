"""Can a map be believed? Faithfulness, agreement with lesion masks, randomised networks, and small changes."""

from lentigo.explanation.measures.faithfulness import Curve, deletion, insertion
from lentigo.explanation.measures.localisation import pointing_game
from lentigo.explanation.measures.randomisation import cascade
from lentigo.explanation.measures.stability import alike, small_changes, stability

__all__ = [
    "Curve",
    "alike",
    "cascade",
    "deletion",
    "insertion",
    "pointing_game",
    "small_changes",
    "stability",
]
