"""Whether reactions of second order can stand in for one of third order.

A step of three molecules, ``X_i + X_j + X_k -> products`` at the rate kappa x_i x_j x_k, as a pair
of second-order steps through an intermediate Z: ``X_i + X_j <=> Z`` (k1, k-1) and
``X_k + Z -> products`` (k2). `stand_ins` has the networks and what theory says of them, `fit` their
best constants, `exact` networks that need no intermediate step at all, `failure` why training of a
neural network does not find them, `library` and `search` the finding, `bound` how fast the
intermediate is at least.
"""
