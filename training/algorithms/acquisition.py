"""How much a task's answer would teach, by what a model thinks of it.

Every uncertainty takes probabilities[N, K] and returns uncertainty[N]; higher is less certain, asked first.
"""

from collections.abc import Callable

import numpy as np


def margin(probabilities: np.ndarray) -> np.ndarray:
    """Return 1 - (p_best - p_second): how nearly the two best classes tie.

    Source: Scheffer, Decomain, Wrobel 2001, "Active hidden Markov models for information extraction".

    >>> margin(np.array([[0.5, 0.5, 0.0], [0.75, 0.25, 0.0]])).tolist()
    [1.0, 0.5]
    """
    two_best = np.partition(probabilities, -2, axis=1)[:, -2:]  # [N, 2], ascending
    return 1.0 - (two_best[:, 1] - two_best[:, 0])


def entropy(probabilities: np.ndarray) -> np.ndarray:
    """Return Shannon's entropy in nats: -sum_k p_k log p_k, with 0 log 0 = 0.

    Source: Shannon 1948; as an acquisition, Dagan and Engelson 1995.

    >>> entropy(np.array([[1.0, 0.0], [0.5, 0.5]])).round(4).tolist()
    [0.0, 0.6931]
    """
    logarithms = np.log(probabilities, out=np.zeros_like(probabilities), where=probabilities > 0)
    return np.abs(np.sum(probabilities * logarithms, axis=1))  # abs, because -0.0 prints badly


def least_confidence(probabilities: np.ndarray) -> np.ndarray:
    """Return 1 - p_best.

    Source: Lewis and Gale 1994, "A sequential algorithm for training text classifiers".

    >>> least_confidence(np.array([[0.75, 0.25], [0.5, 0.5]])).tolist()
    [0.25, 0.5]
    """
    return 1.0 - probabilities.max(axis=1)


def indifference(probabilities: np.ndarray) -> np.ndarray:
    """Return zeros: no task is preferred, and the queue, which breaks ties by lot, shuffles them."""
    return np.zeros(len(probabilities), dtype=probabilities.dtype)


def normalised_entropy(probabilities: np.ndarray) -> np.ndarray:
    """Return entropy over that of a uniform distribution: 1 where all classes are alike likely."""
    return entropy(probabilities) / np.log(max(probabilities.shape[1], 2))


# Each in [0, 1], so that they can be weighed against what a crowd says. What is missing here starts from the
# margin and goes on from there: see services/acquisition.py.
ACQUISITIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "margin": margin,
    "entropy": normalised_entropy,
    "least_confidence": least_confidence,
    "random": indifference,
}


def disagreement(crowd: np.ndarray, model: np.ndarray) -> np.ndarray:
    """Return the Jensen-Shannon divergence [N], in bits, between what the crowd says and what the model says.

    Both [N, K]; 0 where they agree, 1 where neither thinks possible what the other is sure of. Source: Lin
    1991; as an acquisition, McCallum and Nigam 1998.

    >>> sure = np.array([[1.0, 0.0], [1.0, 0.0]])
    >>> disagreement(sure, np.array([[1.0, 0.0], [0.0, 1.0]])).tolist()
    [0.0, 1.0]
    """
    middle = (crowd + model) / 2
    return np.clip((entropy(middle) - (entropy(crowd) + entropy(model)) / 2) / np.log(2), 0.0, 1.0)


def disagreement_of_labels(crowd: np.ndarray, model: np.ndarray) -> np.ndarray:
    """Return [N] how much they disagree on the label that they disagree on most: p [N, K] of labels that may
    each apply or not.

    >>> disagreement_of_labels(np.array([[1.0, 0.0]]), np.array([[1.0, 1.0]])).tolist()
    [1.0]
    """
    both = (np.stack([1 - one, one], axis=-1).reshape(-1, 2) for one in (crowd, model))
    return disagreement(*both).reshape(crowd.shape).max(axis=1)


def class_needs(labelled_mass: np.ndarray) -> np.ndarray:
    """Return [K] in (0, 1]: how much each class lacks labels, from how many it has so far [K].

    The inverse of one more than its labels, of the neediest class 1.

    >>> class_needs(np.array([9.0, 0.0])).tolist()
    [0.1, 1.0]
    """
    need = 1.0 / (1.0 + labelled_mass)
    return need / need.max()


def as_separate_labels(
    probabilities: np.ndarray,
    uncertainty: Callable[[np.ndarray], np.ndarray],
    weights: np.ndarray | float = 1.0,
) -> np.ndarray:
    """Return [N] the uncertainty of the least certain of labels that may each apply or not: p [N, K].

    weights [K]: what each label's uncertainty counts.

    >>> as_separate_labels(np.array([[0.9, 0.5], [0.0, 0.9]]), least_confidence).round(6).tolist()
    [0.5, 0.1]
    """
    each = np.stack([1 - probabilities, probabilities], axis=-1)  # [N, K, 2]
    return (weights * uncertainty(each.reshape(-1, 2)).reshape(probabilities.shape)).max(axis=1)
