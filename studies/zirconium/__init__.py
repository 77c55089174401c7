"""Interatomic potentials as a test of optimal design: which crystals to learn from.

Zirconium with an embedded-atom potential as the reference (`reference`), deformed crystals to
choose from and to be tested on (`crystals`), neighbourhoods as vectors and how alike they are
(`descriptors`, `kernels`), a potential learned by Gaussian-process regression
(`gaussian_process`), the benchmark on one pool (`benchmark`) and on many (`study`, `verdict`).

Needs the extra ``potentials``; nothing of it is imported before it is used.
"""
