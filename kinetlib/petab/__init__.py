"""Problems in PEtab, the format of systems biology for models, data and parameters: out and in."""

from kinetlib.petab.fitting import Estimate, Solution, fit
from kinetlib.petab.problem import Problem, read
from kinetlib.petab.writing import problem, sbml, write

__all__ = ["Estimate", "Problem", "Solution", "fit", "problem", "read", "sbml", "write"]
