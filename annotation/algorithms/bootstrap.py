"""Intervals by drawing the tasks again.

Davison and Hinkley, Bootstrap Methods and their Application, 1997.
"""

from collections.abc import Callable, Iterator

import numpy as np

N_RESAMPLES = 1000
MOST_WEIGHTS = 4_000_000  # of a block of resamples, so that a bootstrap stays below about 100 MB
TAILS = (0.025, 0.975)


def resamples(n_alike: np.ndarray, rng: np.random.Generator, n_columns: int = 0) -> Iterator[np.ndarray]:
    """N_RESAMPLES bootstrap samples of tasks, as blocks [B, P] of how often each row was drawn.

    n_alike [P] tasks have a row. Blocks are small enough for B times the wider of P and n_columns numbers.
    """
    n_tasks = int(n_alike.sum())
    if not n_tasks:
        return
    size = max(1, MOST_WEIGHTS // max(len(n_alike), n_columns))
    for start in range(0, N_RESAMPLES, size):
        yield rng.multinomial(n_tasks, n_alike / n_tasks, size=min(size, N_RESAMPLES - start)).astype(float)


def mirrored_interval(
    figures: Callable[[np.ndarray], np.ndarray],
    n_tasks: int,
    rng: np.random.Generator,
    n_columns: int = 0,
) -> np.ndarray:
    """[3, P]: P figures, and the ends of their 95 % intervals, at most 1; nan where one is undefined.

    figures: from weights [B, T] of the tasks to [B, P]. The percentiles are mirrored at the figure: a
    resample holds fewer different tasks, and from few tasks kappa comes out too low, so that they would lie
    below it (section 5.2).
    """
    once = np.ones(n_tasks, dtype=int)
    value = figures(once[None, :].astype(float))[0]
    blocks = [figures(weights) for weights in resamples(once, rng, n_columns)]
    drawn = np.concatenate(blocks) if blocks else np.full((1, len(value)), np.nan)
    ends = np.full((2, len(value)), np.nan)
    known = ~np.isnan(value) & ~np.isnan(drawn).all(axis=0)
    if known.any():
        ends[:, known] = np.nanquantile(drawn[:, known], TAILS[::-1], axis=0)
    return np.stack([value, *np.minimum(2.0 * value - ends, 1.0)])
