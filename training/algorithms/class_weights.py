"""How much each class counts in the loss."""

import numpy as np


def class_weights(labels: np.ndarray, n_classes: int, *, imbalance_ratio: float) -> np.ndarray | None:
    """Return weights[K] proportional to 1 / sqrt(n_k), or None where the classes are balanced enough.

    The square root is a compromise: 1 / n_k lets a handful of texts of a rare class decide the loss, and no
    weight lets the model ignore them. The weights average 1 over the examples, so that the loss keeps its
    scale. Balanced enough: the largest class has fewer than imbalance_ratio times the smallest one's
    examples. A class without an example gets weight 1, which nothing multiplies.

    >>> class_weights(np.array([0, 0, 0, 0, 1]), 2, imbalance_ratio=3.0).round(4).tolist()
    [0.8333, 1.6667]
    """
    counts = np.bincount(labels, minlength=n_classes)
    present = counts[counts > 0]
    if len(present) < 2 or present.max() < imbalance_ratio * present.min():
        return None
    inverse_root = 1.0 / np.sqrt(np.maximum(counts, 1))
    weights = inverse_root * counts.sum() / (inverse_root * counts).sum()
    return np.where(counts > 0, weights, 1.0)
