"""Datasets in the layout of Burés and Larrosa (2023): theirs read in, ours written out.

The published data (doi 10.48420/16965292, an archive of 7 GB) are nine files, each a pickle of
one object, ``{x1,x2,y}_{train,val,test}_M1_M20_train_val_test_set.pkl``. They were not at hand
here; what is known comes from code by others that loads them, on GitHub: (a) DearKarl,
Simulation_Based_Classification, 2025; (b) Flying256, Nature-Vol-613-26-January-2023-, 2026; (c) the
Nature Kinetic Benchmark of the Mo group, Zhejiang University, 2026.

- ``x1`` (sample, 4): catalyst loadings of the four runs (a, c);
- ``x2`` (sample, 21, 12): for each run time, substrate, product (a, c), first point t = 0 (a);
- ``x2`` of the test set: a dict by number of points (2, 6, 20 and perhaps others), then by noise in
  percent (0, 1, 5 and perhaps others), keys whole numbers (b);
- ``y`` (sample,): 0 to 19 for M1 to M20 (b, c).

In (a) itself ``y`` is one-hot (sample, 20), and ``x2`` of the test set an array (sample, 7, 12).

Assumed, as none of them says it: double precision (4.95 million samples then take 9.3 GiB, the
size that c gives), hence a pickle protocol of 4 or 5 (3 cannot hold so much); that the number of
points does not count t = 0; loadings and concentrations relative to the substrate of the standard
run; time from 0 to 1, relative to a horizon that the four runs share. `read` relies neither on the
precision nor on the protocol, the number of points or the order of the runs.

Reading runs nothing that is in a file, see `kinetlib.runs.published.unpickler`.
"""

from kinetlib.runs.published.export import write
from kinetlib.runs.published.samples import (
    STEM,
    Split,
    by_mechanism,
    mechanism,
    read,
    samples,
    to_shards,
)

__all__ = ["STEM", "Split", "by_mechanism", "mechanism", "read", "samples", "to_shards", "write"]
