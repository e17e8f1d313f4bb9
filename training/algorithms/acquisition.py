"""Which tasks to ask first: uncertainty of a prediction, and the order of the queue it gives.

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
    """Return zeros: no task is preferred, and queue_priorities, which breaks ties by lot, shuffles them."""
    return np.zeros(len(probabilities), dtype=probabilities.dtype)


ACQUISITIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "margin": margin,
    "entropy": entropy,
    "least_confidence": least_confidence,
    "random": indifference,
}


def queue_priorities(
    uncertainty: np.ndarray, *, exploration_share: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return (priority[N] in (0, 1], explored[N]): least certain first, with a random share among them.

    round(exploration_share * N) tasks are drawn by lot and stand at ranks drawn by lot, so that about that
    share of every stretch of the queue is a fair sample: what a model is sure of, and wrong about, is found
    out too. The other tasks fill the ranks between them by falling uncertainty; ties are broken by lot.

    priority = 1 - rank / N as float32, whose steps below 1 are 6e-8: ranks stay distinct up to 8 million.
    """
    if not 0.0 <= exploration_share <= 1.0:
        raise ValueError("exploration_share is a share, between 0 and 1")
    if np.isnan(uncertainty).any():
        raise ValueError("uncertainty holds NaN: the model's probabilities are not usable")
    n = len(uncertainty)
    lot = rng.permutation(n)  # lot[:n_explored] are drawn; the rest stand in random order
    n_explored = round(exploration_share * n)
    drawn, ranked = lot[:n_explored], lot[n_explored:]
    ranked = ranked[np.argsort(-uncertainty[ranked], kind="stable")]

    rank_is_drawn = np.zeros(n, dtype=bool)
    rank_is_drawn[rng.choice(n, size=n_explored, replace=False)] = True
    task_at_rank = np.empty(n, dtype=np.int64)
    task_at_rank[rank_is_drawn] = drawn
    task_at_rank[~rank_is_drawn] = ranked

    priority = np.empty(n, dtype=np.float32)
    priority[task_at_rank] = 1.0 - np.arange(n) / max(n, 1)  # float64 until it is stored
    explored = np.zeros(n, dtype=bool)
    explored[drawn] = True
    return priority, explored
