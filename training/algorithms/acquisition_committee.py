"""Acquisition by more than one opinion, or by what an answer would change in the model: options."""

from collections.abc import Callable

import numpy as np
from scipy.special import expit, softmax

from training.algorithms.acquisition import entropy


def bald(opinions: np.ndarray, *, multiple: bool = False) -> np.ndarray:
    """Return [N] in nats: what an answer would tell about the model's weights.

    opinions [S, N, K]: probabilities of S draws of the model, such as S passes with dropout switched on
    (Gal, Islam, Ghahramani 2017). The entropy of their mean less the mean of their entropies: high where each
    draw is sure and they differ, 0 where all say the same, however unsure. Houlsby et al. 2011, eq. 2.
    multiple: each of K labels is a question of its own, and the one that an answer tells most about counts.

    >>> agree_unsure, sure_and_differ = [[0.5, 0.5], [0.5, 0.5]], [[1.0, 0.0], [0.0, 1.0]]
    >>> bald(np.array([agree_unsure, sure_and_differ]).transpose(1, 0, 2)).round(4).tolist()
    [0.0, 0.6931]
    """
    if multiple:
        each = np.moveaxis(np.stack([opinions, 1 - opinions], axis=-1), 2, 0)  # [K, S, N, 2]
        return np.max([bald(one) for one in each], axis=0)
    return np.maximum(
        entropy(opinions.mean(axis=0)) - np.mean([entropy(one) for one in opinions], axis=0), 0.0
    )


def dropped_out(
    scores_of: Callable[[np.ndarray], np.ndarray],
    weights: np.ndarray,
    *,
    n_draws: int,
    rate: float,
    rng: np.random.Generator,
    multiple: bool = False,
) -> np.ndarray:
    """Return opinions [S, N, K] of a linear head whose inputs are dropped with probability `rate`.

    scores_of: what [N, K] a head with such weights [K, D] gives N texts. One mask a draw, the same for all
    texts: a draw is then one model, as BALD wants it. What is kept is scaled by 1 / (1 - rate). Source: Gal
    and Ghahramani 2016.
    multiple: the scores are K sigmoids' and not one softmax's.
    """
    opinions = []
    for _ in range(n_draws):
        mask = (rng.random(weights.shape[1]) >= rate) / (1 - rate)
        scores = scores_of(weights * mask)
        opinions.append(expit(scores) if multiple else softmax(scores, axis=1))
    return np.stack(opinions)


def badge_order(
    vectors: np.ndarray, probabilities: np.ndarray, n_wanted: int, *, rng: np.random.Generator
) -> np.ndarray:
    """Return n_wanted places, uncertain and unlike each other at once.

    BADGE (Ash et al. 2020): k-means++ draws among the gradients that the head's last layer would have if its
    first choice were right. The gradient is the outer product (p - e_best) x vector, so its length is large
    where the model is unsure, and the inner product of two is that of their factors: never built here.

    vectors [N, D], probabilities [N, K]. A text the model is sure of is not drawn while others are:

    >>> vectors, p = np.eye(3), np.array([[0.5, 0.5], [0.5, 0.5], [1.0, 0.0]])
    >>> sorted(badge_order(vectors, p, 2, rng=np.random.default_rng(0)).tolist())
    [0, 1]
    """
    residual = probabilities.astype(np.float64).copy()
    residual[np.arange(len(residual)), residual.argmax(axis=1)] -= 1.0
    vectors = vectors.astype(np.float64)
    lengths = np.square(residual).sum(axis=1) * np.square(vectors).sum(axis=1)  # squared
    chosen: list[int] = []
    distance = lengths.copy()  # from nothing: the first is drawn by its gradient's length
    while len(chosen) < min(n_wanted, len(vectors)):
        total = distance.sum()
        if total <= 1e-12:  # what is left repeats what was chosen, or is certain
            left = np.setdiff1d(np.arange(len(vectors)), chosen)
            chosen.extend(rng.permutation(left)[: n_wanted - len(chosen)].tolist())
            break
        last = int(
            min(np.searchsorted(np.cumsum(distance), rng.random() * total, side="right"), len(vectors) - 1)
        )
        chosen.append(last)
        products = (residual @ residual[last]) * (vectors @ vectors[last])
        apart = np.maximum(lengths + lengths[last] - 2 * products, 0)
        distance = np.minimum(distance, apart) if len(chosen) > 1 else apart
        distance[chosen] = 0
    return np.array(chosen, dtype=np.int64)
