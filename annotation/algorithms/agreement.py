"""How much volunteers agree beyond chance."""

import numpy as np


def krippendorff_alpha_nominal(counts: np.ndarray) -> float | None:
    """Krippendorff's alpha for nominal labels; tasks may have different numbers of answers.

    counts: int [T, K], how many volunteers gave task t the label k. Tasks with one answer carry no pair
    and are left out. None when no two answers meet on a task, or when only one label was ever given
    (nothing could have disagreed, so agreement has no scale).

    alpha = 1 - observed / expected disagreement, with coincidences weighted by 1 / (n_t - 1)
    (Krippendorff, Content Analysis, 3rd ed. 2013, section 11.3).

    >>> krippendorff_alpha_nominal(np.array([[2, 0], [0, 2]]))
    1.0
    """
    counts = np.asarray(counts, dtype=float)
    n_per_task = counts.sum(axis=1)
    counts, n_per_task = counts[n_per_task > 1], n_per_task[n_per_task > 1]
    n_total = n_per_task.sum()
    n_per_label = counts.sum(axis=0)
    expected = (n_total**2 - (n_per_label**2).sum()) / (n_total - 1) if n_total > 1 else 0.0
    if expected == 0.0:
        return None
    observed = ((n_per_task**2 - (counts**2).sum(axis=1)) / (n_per_task - 1)).sum()
    return float(1.0 - observed / expected)
