"""How well a mechanism explains measured runs: its evidence, over all rate constants it may have.

The evidence (marginal likelihood) of a mechanism M is the probability density of the data y,

    Z = p(y | M) = integral of p(y | x, M) p(x | M) dx,

with p(x | M) the dataset's own prior (`kinetlib.inference.prior`) and p(y | x, M) the likelihood,
which `kinetlib.inference.target` holds together. Where the mechanisms are equally
probable beforehand, the posterior probability of one is its Z over the sum of all (Kass, Raftery,
J. Am. Stat. Assoc. 90, 773, 1995). Naming the most probable is the Bayes classifier: on data drawn
from that prior none is right more often.

The integral is found in four steps.

1. *Fit* (`fit`): draws from the prior are simulated under the conditions of the data, and the best
   of them descend. No evidence exceeds the largest likelihood, so here a mechanism can be given up.
2. *Temper*: a sequential Monte Carlo sampler carries the same draws to the posterior. The best
   fit of a mechanism with many constants often lies where the prior forbids it; here, too, it can
   be given up, by the largest likelihood in the support.
3. *Cover*: a mixture of t distributions about its particles, and about the best fits, each as wide
   as the curvature of the likelihood there says, is drawn from, and the draws are weighted by
   posterior / mixture. While their effective sample size is small, the next mixture is put about
   draws chosen by weight.
4. *Estimate*: the draws of the last round, and draws from the prior that no earlier step has seen,
   are weighted by posterior / (mixture and prior in their shares) (Veach, Guibas, SIGGRAPH 1995).
   The mean weight is Z, and the scatter of the weights gives its standard error. Earlier rounds are
   left out: kernels stand on the best of their draws, and there the mixture is too dense.

A mode that neither fits nor particles have found is missed, and the standard error does not tell.
That the sampler of step 2 has an estimate of its own is a check.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.special import logsumexp

from kinetlib.inference import descend
from kinetlib.inference.descend import cost, descended
from kinetlib.inference.mixtures import NEGLIGIBLE, Pool, size_of, tempered
from kinetlib.inference.target import Target

# What descents may miss of the largest ln p(y | x): they end after some steps, not at the top.
_UNFINISHED = 30.0


@dataclass(frozen=True)
class Effort(descend.Effort):
    """How much is computed for one evidence.

    Of the prior's bank at most three quarters are searched. Further attributes:

    Attributes
    ----------
    particles
        Of the tempered sampler.
    accepted, moves
        Accepted moves a particle and temperature, and most moves tried.
    fresh
        Draws from the prior that are weighed with those of the mixtures, as many as are left.
    """

    bank: int = 9000
    starts: int = 96
    steps: int = 24
    kernels: int = 500
    draws: int = 3000
    enough: float = 100.0
    rounds: int = 10
    particles: int = 1000
    accepted: float = 1.5
    moves: int = 12
    fresh: int = 1500


@dataclass(frozen=True)
class Evidence:
    """Evidence of one mechanism.

    Attributes
    ----------
    mechanism
        Its id.
    log_evidence
        ln Z, the data in units of the substrate. Where `given_up`, a bound: the largest ln p(y | x)
        as found by the fit or, in the support of the prior, by the sampler, and a margin.
    standard_error
        Of ln Z, from the scatter of the weights. NaN where given up, as the next three.
    effective_sample_size
        Kish's, (sum w)^2 / sum w^2. Below some tens neither ln Z nor its error is to be trusted.
    largest_weight
        Share of one draw in the estimate.
    tempered_log_evidence
        ln Z by the tempered sampler, a cruder estimate by other means.
    best_log_likelihood
        Largest ln p(y | x) found: in the support of the prior, unless the fit alone gave up.
    constants
        Rate constants there, times the horizon, by name; then drawn concentrations by species.
    given_up
        Whether the largest likelihood alone ruled the mechanism out.
    evaluations
        Sets of constants simulated.
    """

    mechanism: str
    log_evidence: float
    standard_error: float
    effective_sample_size: float
    largest_weight: float
    tempered_log_evidence: float
    best_log_likelihood: float
    constants: dict[str, float]
    given_up: bool
    evaluations: int


@dataclass(frozen=True)
class Fit:
    """What search and descents have found.

    Attributes
    ----------
    target
        What was fitted.
    bank, bank_log_likelihood
        Draws from the prior, shape (m, D), and ln p(y | x) of each, (m,).
    fresh
        Draws from the prior that were not looked at.
    x, log_likelihood
        Ends of the descents, shape (n, D), the best first, and ln p(y | x). They may lie beyond
        the box of constants.
    held
        Which of them the prior supports, shape (n,).
    """

    target: Target
    bank: NDArray[np.float64]
    bank_log_likelihood: NDArray[np.float64]
    fresh: NDArray[np.float64]
    x: NDArray[np.float64]
    log_likelihood: NDArray[np.float64]
    held: NDArray[np.bool_]

    @property
    def best(self) -> float:
        """Largest ln p(y | x) found, in the box of constants or not far from it."""
        return float(max(self.log_likelihood[0], self.bank_log_likelihood.max()))

    @property
    def best_held(self) -> tuple[float, NDArray[np.float64]]:
        """Largest ln p(y | x) found in the support of the prior, and where, (D,)."""
        x = np.concatenate([self.x[self.held], self.bank])
        likelihood = np.concatenate([self.log_likelihood[self.held], self.bank_log_likelihood])
        return float(likelihood.max()), x[likelihood.argmax()]


def fit(target: Target, *, rng: Generator, effort: Effort | None = None) -> Fit:
    """Find rate constants of a mechanism that explain the runs: search the bank, then descend.

    Parameters
    ----------
    target
        The mechanism's posterior, with the bank of its prior.
    rng
        Chooses the draws from the prior that are simulated.
    effort
        How much to compute.
    """
    effort = effort or Effort()
    prior = target.prior
    shuffled = rng.permutation(len(prior.bank))
    size = min(effort.bank, 3 * len(prior.bank) // 4)
    bank, fresh = np.split(prior.bank[shuffled[: size + effort.fresh]], [size])
    curves = target.curves(bank)
    starts = np.argsort(cost(target.residuals_of(curves)), kind="stable")[: effort.starts]
    x, _, _ = descended(target, bank[starts], effort.steps)
    likelihood = target.log_likelihood_of(target.curves(x))
    order = np.argsort(-likelihood, kind="stable")
    x, likelihood = x[order], likelihood[order]
    held = np.isfinite(prior.log_density(x))
    return Fit(target, bank, target.log_likelihood_of(curves), fresh, x, likelihood, held)


def evidence_of(
    target: Target,
    *,
    rng: Generator,
    effort: Effort | None = None,
    fitted: Fit | None = None,
    at_least: float = -np.inf,
) -> Evidence:
    """Estimate the evidence of a mechanism.

    Parameters
    ----------
    target
        The mechanism's posterior, with the bank of its prior.
    rng
        Source of all draws.
    effort
        How much to compute.
    fitted
        What `fit` has found for the same target; found here by default.
    at_least
        Give the mechanism up where its largest likelihood, which bounds Z, is below exp of this:
        in and about the box after the fit, in the support of the prior as the sampler nears it.
    """
    effort = effort or Effort()
    fitted = fitted or fit(target, rng=rng, effort=effort)
    bound = fitted.best + _UNFINISHED
    if bound < at_least or bound == -np.inf:
        return _result(target, bound, fitted.best, fitted.x[0])
    best, top = fitted.best_held
    held = np.isfinite(target.prior.log_density(fitted.bank))
    reached = tempered(
        target,
        fitted.bank[held],
        # Where a run failed the likelihood is zero; raised to a power it must stay a number.
        np.maximum(fitted.bank_log_likelihood[held], -1e12),
        effort.particles,
        rng,
        accepted=effort.accepted,
        most=effort.moves,
        best=best,
        at_least=at_least,
    )
    if reached.log_likelihood.max() > best:
        best = float(reached.log_likelihood.max())
        top = reached.x[reached.log_likelihood.argmax()]
    if reached.bound < at_least:
        return _result(target, reached.bound, best, top)
    centres = rng.permutation(np.unique(reached.x, axis=0))[: effort.kernels]
    good = fitted.held & (fitted.log_likelihood > best - NEGLIGIBLE)
    pool = Pool(target, fitted.fresh, best, top)
    pool.cover(np.concatenate([fitted.x[good], centres]), effort, rng)
    log_weights = pool.weights()
    n = effort.draws + len(fitted.fresh)
    size = size_of(log_weights)
    total = logsumexp(log_weights) if size else -np.inf
    return _result(
        target,
        float(total - np.log(n)),
        pool.best,
        pool.top,
        standard_error=float(np.sqrt(max(1 / size - 1 / n, 0.0))) if size else np.inf,
        effective_sample_size=size,
        largest_weight=float(np.exp(log_weights.max() - total)) if size else np.nan,
        tempered_log_evidence=reached.log_evidence,
        given_up=False,
    )


def compare(
    targets: Mapping[str, Target],
    *,
    rng: Generator,
    effort: Effort | None = None,
    negligible: float = 1e-4,
) -> dict[str, Evidence]:
    """Estimate the evidence of several mechanisms for the same runs.

    Parameters
    ----------
    targets
        By mechanism, of the same runs and noise.
    rng
        Source of all draws; each mechanism has a stream of its own.
    effort
        How much to compute for each.
    negligible
        Mechanisms that, by their largest likelihood, cannot be more probable than this times the
        best are given up, after the fits or on the way of the sampler; 0 gives none up that has
        any likelihood.
    """
    streams = dict(zip(targets, rng.spawn(len(targets)), strict=True))
    fits = {name: fit(target, rng=streams[name], effort=effort) for name, target in targets.items()}
    found: dict[str, Evidence] = {}
    at_least = -np.inf
    margin = np.log(negligible) if negligible > 0 else -np.inf
    # Those that hold good fits in their support first: they show what the others must reach.
    for name in sorted(fits, key=lambda name: -fits[name].best_held[0]):
        found[name] = evidence_of(
            targets[name],
            rng=streams[name],
            effort=effort,
            fitted=fits[name],
            at_least=at_least,
        )
        if not found[name].given_up:
            at_least = max(at_least, found[name].log_evidence + margin)
    return {name: found[name] for name in targets}


def probabilities(evidences: Mapping[str, Evidence]) -> dict[str, float]:
    """Return the probability of each mechanism, all being equally probable beforehand."""
    logs = np.array([found.log_evidence for found in evidences.values()])
    return dict(zip(evidences, np.exp(logs - logsumexp(logs)).tolist(), strict=True))


def _result(
    target: Target,
    log_evidence: float,
    best: float,
    top: NDArray[np.float64],
    **found: float | bool,
) -> Evidence:
    """Put a result together; a mechanism given up has no more than a bound."""
    nothing = {
        "standard_error": np.nan,
        "effective_sample_size": np.nan,
        "largest_weight": np.nan,
        "tempered_log_evidence": np.nan,
        "given_up": True,
    }
    return Evidence(
        mechanism=target.prior.mechanism.id,
        log_evidence=log_evidence,
        best_log_likelihood=best,
        constants=dict(zip(target.prior.coordinates, np.exp(top).tolist(), strict=True)),
        evaluations=target.evaluations,
        **(nothing | found),
    )
