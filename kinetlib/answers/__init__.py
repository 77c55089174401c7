"""What a real reaction answers: a network proposes, evidence decides, the catalogue is open."""

from kinetlib.answers.asking import Answer, NothingWeighed, Possible, Proposal, answer
from kinetlib.answers.ending import Ending, interruptible
from kinetlib.answers.words import sentences

__all__ = [
    "Answer",
    "Ending",
    "NothingWeighed",
    "Possible",
    "Proposal",
    "answer",
    "interruptible",
    "sentences",
]
