"""Networks that hypothesis draws, of species with given names."""

from collections import Counter

from hypothesis import assume
from hypothesis import strategies as st

from kinetlib.kinetics.network import Network, Reaction


@st.composite
def networks(draw, names, most=5):
    """One to so many steps, reversible or not, each with up to three molecules on either side."""
    side = st.lists(names, max_size=3).map(lambda drawn: dict(Counter(drawn)))
    steps = []
    for number in range(1, draw(st.integers(1, most)) + 1):
        left, right = draw(side), draw(side)
        assume(left != right)
        step = (Reaction(left, right, f"k{number}"),)
        if draw(st.booleans()):
            step = (*step, Reaction(right, left, f"k-{number}"))
        steps.append(step)
    return Network(tuple(steps))
