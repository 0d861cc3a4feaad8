"""Optuna's samplers, by name: each made anew for every trial, from a seed of its own.

A sampler keeps what it learnt in the study, not in itself. So a search that was killed goes on as an unbroken one
would, which needs that the n-th draw is a function of the seed, n and the trials before.

Each takes the seed of the search and the number of the trial that is drawn.
"""

from __future__ import annotations

import warnings
import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler


def _mixed(seed: int, trial: int) -> int:
    return zlib.crc32(f"{seed}/{trial}".encode())


def tpe(seed: int, trial: int) -> BaseSampler:
    """Tree-structured Parzen estimator: two densities, of the better trials and of the others; drawn from the first,
    taken where their ratio is largest. Bergstra, Bardenet, Bengio and Kégl 2011, section 4."""
    from optuna.samplers import TPESampler

    return TPESampler(seed=_mixed(seed, trial))


def gp(seed: int, trial: int) -> BaseSampler:
    """Gaussian process and the logarithm of the expected improvement, Ament et al. 2023. It trains with torch."""
    from optuna.samplers import GPSampler

    return GPSampler(seed=_mixed(seed, trial), warn_independent_sampling=False)


def nsga2(seed: int, trial: int, population: int = 10) -> BaseSampler:
    """A genetic algorithm, Deb et al. 2002, here with one objective.

    Args:
        seed, trial: see above.
        population: trials of a generation.
    """
    from optuna.samplers import NSGAIISampler

    return NSGAIISampler(seed=_mixed(seed, trial), population_size=population)


def qmc(seed: int, trial: int) -> BaseSampler:
    """Sobol' points, scrambled (Owen 1998): more even than random ones. All come from one scrambling,
    which ``seed`` chooses."""
    from optuna.exceptions import ExperimentalWarning
    from optuna.samplers import QMCSampler

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)  # since 2022
        return QMCSampler(seed=seed, scramble=True, warn_independent_sampling=False)


def at_random(seed: int, trial: int) -> BaseSampler:
    """Each dimension by itself: what successive halving was proposed with."""
    from optuna.samplers import RandomSampler

    return RandomSampler(seed=_mixed(seed, trial))
