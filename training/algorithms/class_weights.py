"""How much each class counts in the loss."""

import numpy as np


def class_weights(mass: np.ndarray, *, imbalance_ratio: float) -> np.ndarray | None:
    """Return weights[K] proportional to 1 / sqrt(mass[k]), or None where the classes are balanced enough.

    mass[k] is how many examples class k has, each counted by its weight and its probability of k. The square
    root is a compromise: 1 / n_k lets a handful of texts of a rare class decide the loss, and no weight lets
    the model ignore them. The weights average 1 over the examples, so that the loss keeps its scale. Balanced
    enough: the largest class has less than imbalance_ratio times the smallest one's mass. A class has at
    least one example's mass here, lest a stray hundredth of a vote be weighed like a text; a class without
    any gets weight 1, which nothing multiplies.

    >>> class_weights(np.array([4.0, 1.0]), imbalance_ratio=3.0).round(4).tolist()
    [0.8333, 1.6667]
    """
    present = mass > 0
    counts = np.maximum(mass, 1.0)
    if present.sum() < 2 or counts[present].max() < imbalance_ratio * counts[present].min():
        return None
    inverse_root = 1.0 / np.sqrt(counts)
    weights = inverse_root * mass.sum() / (inverse_root * mass).sum()
    return np.where(present, weights, 1.0)
