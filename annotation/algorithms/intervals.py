"""How sure a share is."""

import math

import numpy as np
from scipy.stats import beta

CREDIBLE = 0.90


def wilson_interval(n_right: int, n: int, z: float = 1.96) -> tuple[float, float]:
    """Wilson's score interval of a binomial share: stays within 0 and 1, honest for small n.

    n_right of n; z is the normal quantile (1.96 for 95 %). n = 0 gives (0, 1).
    Wilson, J Am Stat Assoc 1927;22:209.

    >>> tuple(round(x, 3) for x in wilson_interval(8, 10))
    (0.49, 0.943)
    """
    if n == 0:
        return 0.0, 1.0
    share = n_right / n
    centre = share + z * z / (2 * n)
    spread = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return max(0.0, (centre - spread) / (1 + z * z / n)), min(1.0, (centre + spread) / (1 + z * z / n))


def credible_interval(mean: np.ndarray, n: np.ndarray) -> np.ndarray:
    """[..., 2]: the middle 90 % of Beta(mean * n, (1 - mean) * n), for means and n [...]."""
    tails = np.array([(1.0 - CREDIBLE) / 2, (1.0 + CREDIBLE) / 2])
    return beta.ppf(tails, (mean * n)[..., None], ((1.0 - mean) * n)[..., None])
