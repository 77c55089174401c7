"""Reactions from outside M1 to M20, to test what a classifier makes of what it never saw.

They stand in ``foreign.toml`` beside this file and are simulated like the catalogue::

    mine = tuple(foreign.reactions().values())
    shards.build(shards.Plan("test", 2023, 100, 5, catalogue=mine), 0)

To be foreign is not to look foreign. In ``product-inhibition`` the product holds the catalyst off
its cycle. Where it comes and goes quickly and ``k-2 = 0``, the rate is, with c0 all catalyst,
``k2 c0 (S / K) / (1 + S / K + P / Ki)``, ``K = (k-1 + k2) / k1`` and ``Ki = k-3 / k3``. M1 with
``k1 = k2 / K``, ``k-1 = 0`` and ``k-2 = k2 / Ki`` has the same rate and binds as much: after the
first turnover no curve of S and P tells them apart, and a score that calls such a reaction foreign
only says that those constants are rare. Any of the others passes for a mechanism of the catalogue
where its constants make the foreign step slow or rare; the bounds in ``foreign.toml`` keep those
away.
"""

from __future__ import annotations

from functools import cache
from importlib import resources

from kinetlib.kinetics import mechanisms
from kinetlib.kinetics.mechanisms import Mechanism

#: Foreign reactions whose curves those of a mechanism of the catalogue can be.
COINCIDING = {"product-inhibition": "M1"}


@cache
def reactions() -> dict[str, Mechanism]:
    """Return the foreign reactions by name, in their order."""
    return mechanisms.load(resources.files("kinetlib.kinetics") / "foreign.toml")
