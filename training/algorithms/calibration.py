"""How sure a model may be: one temperature that its scores are divided by (Guo et al. 2017).

And where several models are asked as one, how much each of them counts.

Scores [N, K] are what a softmax takes (logits or log p, up to a constant a row), or with multiple=True what
a sigmoid takes: K questions of their own, each answered yes or no. Targets [N, K] are probabilities.
"""

from collections.abc import Sequence

import numpy as np
from scipy.optimize import minimize, minimize_scalar
from scipy.special import expit, log_softmax, softmax

PRIOR_WIDTH = 0.5  # of log T: before any example is seen, T is between 0.37 and 2.7 with 95 %
LOG_RANGE = (-3.0, 3.5)  # of T: 0.05 to 33


def cross_entropies(
    targets: np.ndarray, scores: np.ndarray, *, temperature: float = 1.0, multiple: bool = False
) -> np.ndarray:
    """Return [N] the cross-entropy in nats of each row of targets with the tempered scores.

    For multiple it is the mean over the K questions, so that it compares across numbers of labels.

    >>> cross_entropies(np.array([[1.0, 0.0]]), np.array([[0.0, 0.0]])).round(4).tolist()
    [0.6931]
    """
    tempered = np.asarray(scores, dtype=np.float64) / temperature
    if multiple:
        return np.mean(np.logaddexp(0, tempered) - targets * tempered, axis=1)
    return -(targets * log_softmax(tempered, axis=1)).sum(axis=1)


def fit_temperature(targets: np.ndarray, scores: np.ndarray, *, multiple: bool = False) -> float:
    """Return the likeliest temperature T, given log T ~ Normal(0, PRIOR_WIDTH^2).

    The prior is worth about as much as a handful of examples: twenty of them, all right by luck, do not make
    a model certain of everything, and without any the scores stay as they are.

    >>> fit_temperature(np.empty((0, 2)), np.empty((0, 2)))
    1.0

    Ten times sure at odds of 99 to 1, and wrong twice: the scores were too large.

    >>> scores = np.array([[np.log(99), 0.0]] * 10)
    >>> targets = np.array([[1.0, 0.0]] * 8 + [[0.0, 1.0]] * 2)
    >>> round(fit_temperature(targets, scores), 1)
    2.0
    """
    if not len(targets):
        return 1.0
    n_questions = targets.shape[1] if multiple else 1

    def cost(log_temperature: float) -> float:
        losses = cross_entropies(targets, scores, temperature=np.exp(log_temperature), multiple=multiple)
        return float(n_questions * losses.sum() + 0.5 * (log_temperature / PRIOR_WIDTH) ** 2)

    found = minimize_scalar(cost, bounds=LOG_RANGE, method="bounded", options={"xatol": 1e-4})
    return float(np.exp(found.x))


def fit_pool(
    targets: np.ndarray, scores: Sequence[np.ndarray], log_shares: np.ndarray, *, multiple: bool = False
) -> tuple[np.ndarray, float]:
    """Return what each of P models' scores count in their sum [P], never below 0, and what log_shares [K] do.

    A logarithmic opinion pool (Genest & Zidek 1986), its weights learned from examples that no model had
    learned from (stacking, Wolpert 1992). They need not sum to 1: models that err each for themselves may
    be surer together. But each model's scores hold how common a class is, log_shares, and their sum holds
    it as often; counted less than nothing, log_shares take the surplus out again. Before any example is seen
    the models' weights are Normal(1 / P, PRIOR_WIDTH^2), that of log_shares Normal(0, PRIOR_WIDTH^2).

    >>> fit_pool(np.empty((0, 2)), [np.empty((0, 2))] * 2, np.zeros(2))[0].tolist()
    [0.5, 0.5]

    The second model says the opposite of what is right, and is not heard:

    >>> targets = np.eye(2)[[0, 1] * 20]
    >>> fit_pool(targets, [targets * 2, -targets], np.zeros(2))[0].round(1).tolist()[1]
    0.0
    """
    start = np.array([1 / len(scores)] * len(scores) + [0.0])
    if not len(targets):
        return start[:-1], 0.0
    n_questions = targets.shape[1] if multiple else 1
    shares = np.broadcast_to(log_shares, targets.shape)
    stacked = np.asarray([*scores, shares], dtype=np.float64)  # [P + 1, N, K]

    def cost(weights: np.ndarray) -> float:
        losses = cross_entropies(targets, np.tensordot(weights, stacked, axes=1), multiple=multiple)
        return float(n_questions * losses.sum() + 0.5 * (((weights - start) / PRIOR_WIDTH) ** 2).sum())

    bounds = [(0.0, None)] * len(scores) + [(None, None)]
    found = minimize(cost, x0=start, method="L-BFGS-B", bounds=bounds).x
    return found[:-1], float(found[-1])


def log_shares_of(targets: np.ndarray, weights: np.ndarray, *, multiple: bool = False) -> np.ndarray:
    """Return [K] how common each class is, as scores: 0 on the mean of the classes that have an example.

    For multiple the log-odds of each label. 0 too of what nobody or everybody has: nothing is known of it.

    >>> log_shares_of(np.eye(3)[[0, 0, 1]], np.ones(3)).round(3).tolist()
    [0.347, -0.347, 0.0]
    >>> log_shares_of(np.eye(3)[[0, 0, 0, 1]], np.ones(4), multiple=True).round(3).tolist()
    [1.099, -1.099, 0.0]
    """
    shares = weights @ targets / max(weights.sum(), 1e-9)
    known = (shares > 0) & (shares < 1) if multiple else shares > 0
    found = np.zeros(len(shares))
    found[known] = np.log(shares[known])
    if multiple:
        found[known] -= np.log1p(-shares[known])
    elif known.any():
        found[known] -= found[known].mean()
    return found


def apply_temperature(scores: np.ndarray, temperature: float, *, multiple: bool = False) -> np.ndarray:
    """Return float32 [N, K] the probabilities of the tempered scores; rows sum to 1 but for multiple.

    >>> apply_temperature(np.array([[np.log(9), 0.0]]), 2.0).round(4).tolist()
    [[0.75, 0.25]]
    """
    tempered = np.asarray(scores, dtype=np.float64) / temperature
    return (expit(tempered) if multiple else softmax(tempered, axis=1)).astype(np.float32)


def tempered_cross_entropy(
    targets: np.ndarray, scores: np.ndarray, weights: np.ndarray | None = None, *, multiple: bool = False
) -> float:
    """Return the lowest mean cross-entropy at any temperature from 1 on; weights [N] weigh the rows.

    How well the classes are told apart, however overconfident: a network that goes on learning grows sure
    of itself long before its order of probabilities gets worse, and noisy labels punish that first. It is
    not made surer than it is (T < 1): the first epoch that has few examples right would then be hard to
    beat.

    One of four such predictions is wrong, so the best that scaling can do is to say 0.75 four times:

    >>> scores = np.log(np.array([[0.99, 0.01]] * 4))
    >>> targets = np.array([[1.0, 0.0]] * 3 + [[0.0, 1.0]])
    >>> round(tempered_cross_entropy(targets, scores), 2)
    0.56
    """
    return min(
        float(
            np.average(
                cross_entropies(targets, scores, temperature=temperature, multiple=multiple), weights=weights
            )
        )
        for temperature in np.geomspace(1, 32, 41)  # steps of 9 %
    )


def fit_sigmoid(scores: np.ndarray, hits: np.ndarray) -> tuple[float, float]:
    """Return (slope, shift) so that sigmoid(slope * score + shift) is how often such a score is right.

    scores [N] are log-odds, hits [N] are 0 or 1. The likeliest values (Platt 1999), given that slope and
    shift are Normal around 1 and 0 with a spread of 1: a few scores leave them nearly as they are.
    """

    def cost(values: np.ndarray) -> float:
        slope, shift = values
        tempered = slope * scores + shift
        loss = np.sum(np.logaddexp(0, tempered) - hits * tempered)
        return float(loss + 0.5 * (slope - 1) ** 2 + 0.5 * shift**2)

    slope, shift = minimize(cost, x0=[1.0, 0.0], method="L-BFGS-B", bounds=[(0.0, 20.0), (-20.0, 20.0)]).x
    return float(slope), float(shift)
