"""What pre-annotation does, read as a trial: answers of two arms that were drawn by lot.

N answers, G groups whose answers hang together (those of one volunteer). Intervals are of 95 %: percentiles
of a bootstrap that draws whole groups (Davison and Hinkley 1997, chapters 3.8 and 5.3).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

N_DRAWS = 1000
CHUNK = 100  # draws at a time: their weights of every answer are in memory


@dataclass(frozen=True, slots=True)
class Estimate:
    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """A figure in each arm; `effect` is shown through hidden for times, shown less hidden for shares."""

    shown: Estimate
    hidden: Estimate
    effect: Estimate


def compare_times(seconds: np.ndarray, shown: np.ndarray, groups: np.ndarray, *, seed: int) -> Comparison:
    """Medians of seconds [N] in the arm shown, bool [N], and in the other; groups int [N].

    >>> times, shown = np.array([8.0, 8.0, 10.0, 10.0]), np.array([True, True, False, False])
    >>> compare_times(times, shown, np.array([0, 1, 0, 1]), seed=0).effect
    Estimate(value=0.8, low=0.8, high=0.8)
    """
    groups, draws = _drawn(groups, seed)
    arms = [_drawn_medians(seconds[arm], groups[arm], draws) for arm in (shown, ~shown)]
    return _comparison(*arms, np.divide)


def compare_f1(counts: np.ndarray, shown: np.ndarray, groups: np.ndarray, *, seed: int) -> Comparison:
    """F1 of two sets of spans an answer, all answers together; counts [N, 3]: in both, in one, in the other.

    >>> counts = np.array([[1, 1, 1], [1, 2, 2]])
    >>> compare_f1(counts, np.array([True, False]), np.array([0, 0]), seed=0).hidden.value
    0.5
    """
    return _compare_sums(counts, shown, groups, seed, lambda s: 2 * s[:, 0] / (s[:, 1] + s[:, 2]))


def compare_kept(counts: np.ndarray, shown: np.ndarray, groups: np.ndarray, *, seed: int) -> Comparison:
    """The share of the other set's spans that are in both; counts as above."""
    return _compare_sums(counts, shown, groups, seed, lambda s: s[:, 0] / s[:, 2])


def _drawn(groups: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The groups as columns [N], and [1 + B, G] how often each is drawn.

    In the first row once each: that gives the estimate itself.
    """
    distinct, columns = np.unique(groups, return_inverse=True)
    n = len(distinct)
    drawn = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=N_DRAWS)
    return columns, np.vstack([np.ones((1, n), dtype=drawn.dtype), drawn])


def _drawn_medians(values: np.ndarray, groups: np.ndarray, draws: np.ndarray) -> np.ndarray:
    """[1 + B] the median of the answers [M] that each draw holds; nan where it holds none."""
    order = np.argsort(values, kind="stable")
    values, groups = values[order], groups[order]
    medians = np.full(len(draws), np.nan)
    for first in range(0, len(draws), CHUNK):
        reached = np.cumsum(draws[first : first + CHUNK, groups], axis=1)  # [C, M]
        total = reached[:, -1]
        place = (2 * reached >= total[:, None]).argmax(axis=1)
        medians[first : first + CHUNK] = np.where(total > 0, values[place], np.nan)
    return medians


def _compare_sums(
    counts: np.ndarray,
    shown: np.ndarray,
    groups: np.ndarray,
    seed: int,
    score: Callable[[np.ndarray], np.ndarray],
) -> Comparison:
    groups, draws = _drawn(groups, seed)
    arms = []
    for arm in (shown, ~shown):
        of_groups = np.zeros((draws.shape[1], 3))
        np.add.at(of_groups, groups[arm], counts[arm])
        with np.errstate(invalid="ignore", divide="ignore"):
            arms.append(score(draws @ of_groups))
    return _comparison(*arms, np.subtract)


def _comparison(shown: np.ndarray, hidden: np.ndarray, effect: Callable) -> Comparison:
    return Comparison(_estimate(shown), _estimate(hidden), _estimate(effect(shown, hidden)))


def _estimate(drawn: np.ndarray) -> Estimate:
    low, high = np.nanpercentile(drawn[1:], [2.5, 97.5])
    return Estimate(float(drawn[0]), float(low), float(high))
