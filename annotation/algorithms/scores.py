"""How right a consensus is, held against gold."""

from collections.abc import Sequence

import numpy as np


def macro_f1(found: Sequence[str], gold: Sequence[str]) -> float:
    """The mean over the labels that occur of each label's F1, found [N] against gold [N].

    >>> round(macro_f1(["a", "a", "b"], ["a", "b", "b"]), 4)
    0.6667
    """
    scores = []
    for label in sorted(set(found) | set(gold)):
        both = sum(f == g == label for f, g in zip(found, gold, strict=True))
        scores.append(2 * both / (found.count(label) + gold.count(label)))
    return float(np.mean(scores))


def n_bins_for(n: int) -> int:
    """Into how many bins n answers go: fewer than twenty in one would measure chance."""
    return min(15, max(1, n // 20))


def calibration_error(certainty: Sequence[float], right: Sequence[bool], n_bins: int = 15) -> float:
    """Expected calibration error: the mean gap between certainty [N] and how often it was right [N].

    Sorted by certainty and cut into bins of equal size (Guo et al. 2017, eq. 3; Nixon et al. 2019).

    >>> calibration_error([0.75] * 4, [True, True, True, False], n_bins=1)
    0.0
    """
    certainty, right = np.asarray(certainty, dtype=float), np.asarray(right, dtype=float)
    bins = np.array_split(np.argsort(certainty, kind="stable"), n_bins)
    return float(
        sum(abs(right[b].mean() - certainty[b].mean()) * len(b) for b in bins if len(b)) / len(right)
    )
