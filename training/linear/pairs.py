"""What a linear model is told of a pair of texts."""

import numpy as np
from scipy.sparse import csr_matrix, hstack

Features = np.ndarray | csr_matrix


def pair_features(first: Features, second: Features) -> Features:
    """Return [N, 4 F] of two [N, F]: both, how they differ and what they share.

    A linear model sees one text beside the other, not whether they agree: |difference| and product say that
    (InferSent, Conneau et al. 2017, section 3.1).

    >>> pair_features(np.array([[1.0, 0.0]]), np.array([[1.0, 2.0]])).tolist()
    [[1.0, 0.0, 1.0, 2.0, 0.0, 2.0, 1.0, 0.0]]
    """
    if isinstance(first, np.ndarray):
        return np.hstack([first, second, np.abs(first - second), first * second])
    return csr_matrix(hstack([first, second, abs(first - second), first.multiply(second)]))
