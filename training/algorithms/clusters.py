"""Texts of one record are alike: how many independent ones they are worth."""

from collections.abc import Sequence

import numpy as np


def effective_size(values: np.ndarray, clusters: Sequence[object]) -> float:
    """Return of how many independent values the mean would be as uncertain as it is of these [N].

    Values of one cluster may hang together, those of two don't. The variance of the mean is then the sum over
    the clusters of their squared residuals' sums, over N squared (Liang and Zeger 1986), and never less here
    than if all were independent. Where the values do not differ, nothing tells how far they hang together,
    and each cluster counts as one.

    >>> effective_size(np.array([1.0, 1.0, 0.0, 0.0]), ["a", "a", "b", "b"])
    2.0
    >>> effective_size(np.array([1.0, 0.0, 1.0, 0.0]), ["a", "a", "b", "b"])
    4.0
    """
    cluster_of = np.unique(np.asarray(clusters, dtype=str), return_inverse=True)[1]
    residuals = values - values.mean() if len(values) else values
    alone = float((residuals**2).sum())
    if alone <= 1e-12 * max(len(values), 1):
        return float(cluster_of.max() + 1) if len(values) else 0.0
    together = float((np.bincount(cluster_of, residuals) ** 2).sum())
    return len(values) / max(1.0, together / alone)
