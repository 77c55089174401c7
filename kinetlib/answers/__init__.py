"""What a real reaction answers: a network proposes, evidence decides, the catalogue is open."""

from kinetlib.answers.asking import Answer, Possible, Proposal, answer
from kinetlib.answers.words import sentences

__all__ = ["Answer", "Possible", "Proposal", "answer", "sentences"]
