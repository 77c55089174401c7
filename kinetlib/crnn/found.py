"""What discovery returns: reactions, how certain they are, and what else may be."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kinetlib.crnn.runs import arrhenius
from kinetlib.crnn.tied import Tied, equation, tied
from kinetlib.kinetics.network import Network


@dataclass(frozen=True)
class Own:
    """A network of someone's own, fitted to the same curves.

    Attributes
    ----------
    text
        Its reactions with constants and errors, one a line.
    chi_squared
        As of `Discovery`.
    worse
        How much larger its criterion is than that of the reactions found.
    verdict
        One sentence: whether it is possible, and how much better the best is.
    """

    text: str
    chi_squared: float
    worse: float
    verdict: str


@dataclass(frozen=True)
class Discovery:
    """Reactions found in curves, R of them among S species.

    Attributes
    ----------
    species
        Names, length S.
    orders
        Reaction orders, molecules of each species that go in, shape (R, S), whole numbers.
    stoichiometry
        Net stoichiometry, molecules made, shape (R, S): whole numbers, but where only halves or
        thirds keep what must be kept. A catalyst has an order and a net stoichiometry of 0.
    rate_constants
        Shape (R,), in the units of the runs: 1/time for first order.
    standard_errors
        Of ln k, shape (R,), the structure taken for granted.
    noise
        Standard deviation of the noise relative to the value: as given, or as estimated.
    background
        What is added to it at any value, a standard deviation of each species in the unit of the
        runs, shape (S,): as estimated, 0 where there is none to be seen.
    loss
        Mean absolute residual, each species over its range.
    noise_floor
        What that loss would be if nothing but the noise were left.
    chi_squared
        Sum of squared residuals over the number of values less that of constants: 1 where the
        reactions leave nothing but noise.
    criterion
        Minus twice the logarithm of the likelihood and the price of the reactions (extended BIC,
        `kinetlib.crnn.choose`), up to a constant of the data: smaller is better.
    criterion_without
        The same of no reaction at all.
    alternatives
        Other reactions that explain the curves nearly as well, best first: each on one line, with
        how much larger the criterion is. Ten is much.
    agreeing
        Share of the starts that ended at these reactions, or at others that explain the curves as
        well.
    complete
        False where the search was interrupted.
    reference_temperature
        Temperature in kelvin of the rate constants; None where runs have none.
    activation_energies, activation_errors
        In kJ/mol, shape (R,), with standard errors; None where runs have no temperatures.
    initial
        Initial concentrations as fitted, shape (run, S), in the unit of the runs.
    sums
        Sums of concentrations that the data keep, as text.
    remarks
        What was decided on the way, a sentence each.
    doubts
        Why these reactions may be others, a sentence each; none where the data decide.
    ties
        The alternatives that the data do not tell from these reactions.
    own
        The network of someone's own, fitted beside; None where none was given.
    """

    species: tuple[str, ...]
    orders: NDArray[np.int64]
    stoichiometry: NDArray[np.int64]
    rate_constants: NDArray[np.float64]
    standard_errors: NDArray[np.float64]
    noise: float
    background: NDArray[np.float64]
    loss: float
    noise_floor: float
    chi_squared: float
    criterion: float
    criterion_without: float
    alternatives: tuple[tuple[str, float], ...] = ()
    agreeing: float = 1.0
    complete: bool = True
    reference_temperature: float | None = None
    activation_energies: NDArray[np.float64] | None = None
    activation_errors: NDArray[np.float64] | None = None
    initial: NDArray[np.float64] | None = None
    sums: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()
    ties: tuple[str, ...] = ()
    own: Own | None = None

    @property
    def decided(self) -> bool:
        """Whether the data leave no doubt about the reactions."""
        return not self.doubts

    def same_reactions(self, other: Discovery) -> bool:
        """Tell whether another discovery has the same reactions, in any order."""
        return self._reactions() == other._reactions()

    def _reactions(self) -> list[tuple]:
        rows = zip(self.orders.tolist(), self.stoichiometry.tolist(), strict=True)
        return sorted((tuple(order), tuple(net)) for order, net in rows)

    def to_network(self) -> Network:
        """Return the reactions as a network, to be simulated or written as SBML.

        Its constants are ``rate_constants``; at another temperature, `constants_at`.

        Raises
        ------
        ValueError
            If a reaction makes parts of molecules, which a network does not: see `to_tied`.
        """
        if not self.to_tied().plain:
            raise ValueError(
                "a reaction makes parts of a molecule, which a network has only whole: to_tied() "
                "writes it as several reactions that share a constant"
            )
        return self.to_tied().network

    def to_tied(self) -> Tied:
        """Return the reactions as a network whose reactions may share a constant.

        Its own constants are ``to_tied().spread(rate_constants)``.
        """
        return tied(self.species, self.orders, self.stoichiometry)

    def constants_at(self, temperature: float) -> NDArray[np.float64]:
        """Return the rate constants at a temperature in kelvin, shape (R,).

        Raises
        ------
        ValueError
            If the runs had no temperatures.
        """
        if self.activation_energies is None:
            raise ValueError(
                "these runs had no temperatures: give discover() runs with temperature (run,)"
            )
        slope = arrhenius(temperature, self.reference_temperature)
        return self.rate_constants * np.exp(self.activation_energies * slope)

    def text(self) -> str:
        """Write the reactions as a chemist reads them, one a line, with constants and errors."""
        equations = self.equations
        width = max(map(len, equations), default=0)
        lines = [
            f"{equation:<{width}}  k = {constant:.4g} ± {100 * error:.2g} %"
            for equation, constant, error in zip(
                equations, self.rate_constants, self.standard_errors, strict=True
            )
        ]
        if self.activation_energies is None:
            return "\n".join(lines)
        activation = zip(self.activation_energies, self.activation_errors, strict=True)
        return "\n".join(
            f"{line} at {self.reference_temperature:.1f} K, E = {energy:.4g} ± {error:.2g} kJ/mol"
            for line, (energy, error) in zip(lines, activation, strict=True)
        )

    @property
    def equations(self) -> list[str]:
        """The reactions, each as text."""
        pairs = zip(self.orders, self.stoichiometry, strict=True)
        return [equation(self.species, *pair) for pair in pairs]
