"""Compared pairs: what score each item has, and how far each volunteer's comparisons can be trusted."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import minimize
from scipy.special import expit

FIRST, SECOND, TIE = 0, 1, 2  # outcomes

SCORE_PRECISION = 0.1  # of the normal prior of scores around 0: a standard deviation of about 3
# Prior of a volunteer's reliability, as comparisons seen before any: so many by the scores and at random.
BY_SCORES, AT_RANDOM = 4.0, 1.0
TIE_LOG_PRECISION = 0.25  # of the normal prior of log(tie) around 0: equals tie in one of three comparisons
MOST_ITEMS_JOINTLY = 2000  # above that, standard errors take the other items' scores as known


@dataclass(frozen=True, eq=False)
class PairsFit:
    """scores [I], with mean 0, and their standard_errors; reliability [W]; tie, 0 where no ties were given.

    Item i is preferred to j with odds exp(scores[i] - scores[j]) to 1, ties aside.
    """

    scores: np.ndarray
    standard_errors: np.ndarray
    reliability: np.ndarray
    tie: float

    def outcome_probabilities(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """P(first), P(second), P(tie) by the scores, [..., 3], for items by index."""
        return davidson(self.scores[first] - self.scores[second], self.tie)


def davidson(difference: np.ndarray, tie: float) -> np.ndarray:
    """Outcomes of pairs whose scores differ by so much, [...] -> [..., 3].

    Bradley and Terry's model with Davidson's ties (J Am Stat Assoc 1970;65:317): the first, the second and a
    tie are as exp(d / 2) to exp(-d / 2) to `tie`.

    >>> davidson(np.array(0.0), 1.0).round(3).tolist()
    [0.333, 0.333, 0.333]
    """
    half = np.asarray(difference, dtype=float)[..., None] / 2.0
    logits = np.concatenate([half, -half, np.full_like(half, _log_tie(tie))], axis=-1)
    weights = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return weights / weights.sum(axis=-1, keepdims=True)


def _log_tie(tie: float) -> float:
    return float(np.log(tie)) if tie > 0 else -np.inf


def fit_pairs(
    first: np.ndarray,
    second: np.ndarray,
    outcome: np.ndarray,
    worker: np.ndarray,
    n_items: int,
    n_workers: int,
    *,
    learns_reliability: bool = True,
) -> PairsFit:
    """Scores of items and reliability of volunteers from N comparisons, by their maximum a posteriori.

    first, second, worker: int [N], numbered from 0; outcome: int [N], FIRST, SECOND or TIE. With probability
    reliability[w] a volunteer's comparison follows the scores, otherwise it falls on any of the outcomes
    alike, as a guess does (after Chen et al., "Pairwise ranking aggregation in a crowdsourced setting", WSDM
    2013, whose other comparisons are reversed). Without learns_reliability everybody is taken at their word:
    plain Bradley-Terry-Davidson. Weak priors keep all of it finite: an item that always won, a volunteer
    with one comparison, items that no chain of comparisons links. Where no tie was ever given there are two
    outcomes. L-BFGS over all parameters together, with the exact gradient.
    """
    columns = (first, second, outcome, worker)
    first, second, outcome, worker = (np.asarray(column, dtype=np.intp) for column in columns)
    if ((outcome < FIRST) | (outcome > TIE)).any():
        raise ValueError("an outcome is 0 for the first, 1 for the second or 2 for a tie")
    if (first == second).any():
        raise ValueError("an item cannot be compared with itself")
    likelihood = _Likelihood(first, second, outcome, worker, n_items, n_workers, learns_reliability)
    result = minimize(
        likelihood.loss,
        likelihood.start(),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": 1000, "ftol": 1e-9},
    )
    scores, reliability, tie = likelihood.unpacked(result.x)
    information = likelihood.information(scores, reliability, tie)
    errors = _standard_errors(first, second, information, n_items)
    return PairsFit(scores - scores.mean(), errors, reliability, tie)


class _Likelihood:
    """The posterior density of scores, log odds of the reliabilities, and log(tie), in one vector."""

    def __init__(self, first, second, outcome, worker, n_items, n_workers, learns_reliability):
        self.first, self.second, self.outcome, self.worker = first, second, outcome, worker
        self.n_items, self.n_workers = n_items, n_workers
        self.learns_reliability = learns_reliability
        self.has_ties = bool((outcome == TIE).any())
        self.at_random = 1.0 / (3 if self.has_ties else 2)

    def start(self) -> np.ndarray:
        log_odds = np.log(BY_SCORES / AT_RANDOM)
        return np.concatenate([np.zeros(self.n_items), np.full(self.n_workers, log_odds), [0.0]])

    def unpacked(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
        scores, log_odds = x[: self.n_items], x[self.n_items : -1]
        reliability = expit(log_odds) if self.learns_reliability else np.ones(self.n_workers)
        return scores, reliability, float(np.exp(x[-1])) if self.has_ties else 0.0

    def loss(self, x: np.ndarray) -> tuple[float, np.ndarray]:
        """-log posterior and its gradient."""
        scores, reliability, tie = self.unpacked(x)
        probabilities = davidson(scores[self.first] - scores[self.second], tie)  # [N, 3]
        by_scores = probabilities[np.arange(len(self.outcome)), self.outcome]
        r = reliability[self.worker]
        mixed = r * by_scores + (1.0 - r) * self.at_random
        follows = r * by_scores / mixed  # P(the comparison followed the scores | its outcome)

        slope = follows * _slopes(probabilities)[np.arange(len(self.outcome)), self.outcome]
        of_scores = _sums(self.first, slope, self.n_items) - _sums(self.second, slope, self.n_items)
        of_scores -= SCORE_PRECISION * scores
        log_posterior = np.log(mixed).sum() - SCORE_PRECISION / 2.0 * (scores**2).sum()

        of_log_odds, of_tie = np.zeros(self.n_workers), 0.0
        if self.learns_reliability:
            log_posterior += (BY_SCORES * np.log(reliability) + AT_RANDOM * np.log1p(-reliability)).sum()
            of_log_odds = _sums(self.worker, follows - r, self.n_workers)
            of_log_odds += BY_SCORES - (BY_SCORES + AT_RANDOM) * reliability
        if self.has_ties:
            log_posterior -= TIE_LOG_PRECISION / 2.0 * x[-1] ** 2
            of_tie = (
                follows * ((self.outcome == TIE) - probabilities[:, TIE])
            ).sum() - TIE_LOG_PRECISION * x[-1]
        return -log_posterior, -np.concatenate([of_scores, of_log_odds, [of_tie]])

    def information(self, scores: np.ndarray, reliability: np.ndarray, tie: float) -> np.ndarray:
        """Fisher's information [N] of each comparison on the difference of its two scores."""
        probabilities = davidson(scores[self.first] - scores[self.second], tie)
        r = reliability[self.worker][:, None]
        mixed = r * probabilities + (1.0 - r) * self.at_random
        squares = (r * probabilities * _slopes(probabilities)) ** 2
        return np.divide(squares, mixed, out=np.zeros_like(mixed), where=mixed > 0).sum(axis=1)


def _sums(index: np.ndarray, values: np.ndarray, n: int) -> np.ndarray:
    return np.bincount(index, values, n).astype(float)  # numpy counts nothing in integers


def _slopes(probabilities: np.ndarray) -> np.ndarray:
    """Derivatives of the log probabilities by the difference of scores, [N, 3]."""
    mean = (probabilities[:, FIRST] - probabilities[:, SECOND]) / 2.0
    return np.array([0.5, -0.5, 0.0]) - mean[:, None]


def _standard_errors(first, second, information: np.ndarray, n_items: int) -> np.ndarray:
    """[I]: of each score's distance from the mean, by the inverse of the information of all of them; beyond
    MOST_ITEMS_JOINTLY by the information of each alone, nearly the same where rivals are many."""
    own = SCORE_PRECISION + _sums(np.concatenate([first, second]), np.tile(information, 2), n_items)
    if n_items > MOST_ITEMS_JOINTLY or not n_items:
        return 1.0 / np.sqrt(own)
    joint = np.zeros((n_items, n_items))
    np.add.at(joint, (first, second), -information)
    joint += joint.T
    joint[np.diag_indices(n_items)] = own
    covariance = cho_solve(cho_factor(joint), np.eye(n_items))
    # The data say nothing of the scores' mean, which is set to 0: its variance, all from the prior, goes out.
    with_mean = covariance.mean(axis=0)
    return np.sqrt(np.maximum(np.diagonal(covariance) - 2.0 * with_mean + with_mean.mean(), 0.0))


def pair_posterior(
    outcomes: Sequence[int],
    reliability: Sequence[float | None],
    *,
    prior: Sequence[float] = (1 / 3, 1 / 3, 1 / 3),
    typical: float = BY_SCORES / (BY_SCORES + AT_RANDOM),
) -> np.ndarray:
    """[3]: P(first), P(second), P(tie) of one pair, from the comparisons of this pair alone.

    outcomes: what each volunteer said; reliability: how reliable each is, None for one not known yet, who
    counts as `typical`. A reliable comparison says what is so, any other falls on the possible outcomes
    alike. prior: 0 where an outcome is not on offer; `PairsFit.outcome_probabilities` where the items are
    compared in other pairs too.

    >>> pair_posterior([FIRST, FIRST, SECOND], [0.8, 0.8, 0.8]).round(3).tolist()
    [0.923, 0.071, 0.005]
    """
    prior = np.asarray(prior, dtype=float)
    n_possible = np.count_nonzero(prior)
    posterior = np.log(prior, out=np.full(3, -np.inf), where=prior > 0)
    for outcome, known in zip(outcomes, reliability, strict=True):
        r = typical if known is None else known
        said = np.full(3, (1.0 - r) / n_possible)
        said[outcome] += r
        posterior = posterior + np.log(np.maximum(said, 1e-12))
    weights = np.exp(posterior - posterior.max())
    return weights / weights.sum()
