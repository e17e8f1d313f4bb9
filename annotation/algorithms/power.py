"""How many answers a task needs, computed before there is any: exact, for volunteers of a guessed accuracy.

Volunteers are taken as one-coin: right with the same probability on every task, otherwise any wrong class
alike. Real crowds err together on hard tasks, so that what comes out is a lower bound of the need.
"""

from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from annotation.algorithms.stopping import Rule

MOST_ANSWERS = 25


@dataclass(frozen=True)
class Power:
    """`n_answers`, the fewest whose majority is right often enough, None if MOST_ANSWERS are too few; and the
    accuracy of a majority of 1, 2, 3, … answers up to there, for the table."""

    n_answers: int | None
    accuracies: tuple[float, ...]


def answers_needed(accuracy: float, n_classes: int, wished: float) -> Power:
    """The fewest answers a task whose majority is right with probability `wished`.

    Where the wish is for certainty it is the same number: what a majority is right in on the mean is what a
    calibrated posterior says on the mean.

    >>> answers_needed(0.8, 2, 0.89)
    Power(n_answers=3, accuracies=(0.8, 0.8, 0.896))
    """
    accuracies: list[float] = []
    for n in range(1, MOST_ANSWERS + 1):
        accuracies.append(round(majority_accuracy(n, accuracy, n_classes), 6))
        if accuracies[-1] >= wished:
            return Power(n, tuple(accuracies))
    return Power(None, tuple(accuracies))


def majority_accuracy(n_answers: int, accuracy: float, n_classes: int) -> float:
    """The probability that a majority of n answers is right, a tie broken by lot.

    Sum over r right answers of the binomial probability of r, times the multinomial one that no wrong class
    has more than r of the rest, with 1 / (j + 1) for j wrong classes that have r as well. The multinomial is
    the coefficient of x^(n - r) in products of the series of 1 / i! x^i, cut off at r.

    >>> round(majority_accuracy(3, 0.7, 2), 4)  # 0.7^3 + 3 * 0.7^2 * 0.3
    0.784
    """
    _check(accuracy, n_classes)
    n_wrong_classes = n_classes - 1
    factorial = np.cumprod(np.concatenate([[1.0], np.arange(1.0, n_answers + 1)]))
    total = 0.0
    for r in range(1, n_answers + 1):
        rest = n_answers - r
        below = np.where(np.arange(rest + 1) < r, 1.0 / factorial[: rest + 1], 0.0)
        wins = 0.0
        for j in range(min(n_wrong_classes, rest // r) + 1):
            left = rest - j * r  # answers to wrong classes that have less than r
            ways = _power(below[: left + 1], n_wrong_classes - j)[left]
            wins += _choose(n_wrong_classes, j) / factorial[r] ** j * ways / (j + 1)
        wins *= factorial[rest] / n_wrong_classes**rest
        binomial = factorial[n_answers] / factorial[r] / factorial[rest]
        total += binomial * accuracy**r * (1.0 - accuracy) ** rest * wins
    return float(total)


def _power(series: np.ndarray, exponent: int) -> np.ndarray:
    """The series to a whole power, cut off at its own length."""
    result = np.zeros_like(series)
    result[0] = 1.0
    while exponent:
        if exponent & 1:
            result = np.convolve(result, series)[: len(series)]
        series = np.convolve(series, series)[: len(series)]
        exponent >>= 1
    return result


def _choose(n: int, k: int) -> float:
    return float(np.prod(np.arange(n, n - k, -1) / np.arange(1, k + 1)))


@dataclass(frozen=True)
class RuleCost:
    """What a stop rule costs and brings: answers a task, the share right of those that stopped (None if none
    does), and the share that goes to a reviewer."""

    answers_per_task: float
    accuracy: float | None
    review_share: float


def rule_cost(rule: Rule, accuracy: float, n_classes: int) -> RuleCost:
    """The exact cost of a rule with volunteers of known and equal accuracy; audits left out.

    All courses of a task are followed at once by how many votes the right class has and, in descending
    order, how many the wrong ones have that got any: P(state) [a few dozen states].

    >>> rule_cost(Rule(certainty=0.9, first=2, first_while_young=2, most=2), 0.8, 2)
    RuleCost(answers_per_task=2.0, accuracy=0.941176, review_share=0.32)
    """
    _check(accuracy, n_classes)
    odds = accuracy * (n_classes - 1) / max(1.0 - accuracy, 1e-12)
    states = {(0, ()): 1.0}
    answers = right = stopped = 0.0
    for n in range(1, rule.most + 1):
        answers += sum(states.values())
        states = _one_more_answer(states, accuracy, n_classes)
        for (of_truth, of_wrong), probability in list(states.items()):
            votes = np.array([of_truth, *of_wrong], dtype=float)
            n_without = n_classes - len(votes)
            likelihood = odds ** (votes - votes.max())
            certainty = 1.0 / (likelihood.sum() + n_without * odds ** -votes.max())
            if n >= rule.first and certainty >= rule.certainty:
                stopped += probability
                right += probability * float((of_truth == votes.max()) / (votes == votes.max()).sum())
                del states[of_truth, of_wrong]
    return RuleCost(
        round(answers, 6),
        round(right / stopped, 6) if stopped else None,
        round(sum(states.values()), 6) + 0.0,
    )


def _one_more_answer(states: dict, accuracy: float, n_classes: int) -> dict:
    result: dict[tuple[int, tuple[int, ...]], float] = defaultdict(float)
    each_wrong = (1.0 - accuracy) / (n_classes - 1)
    for (of_truth, of_wrong), probability in states.items():
        result[of_truth + 1, of_wrong] += probability * accuracy
        for i, votes in enumerate(of_wrong):
            more = tuple(sorted((*of_wrong[:i], votes + 1, *of_wrong[i + 1 :]), reverse=True))
            result[of_truth, more] += probability * each_wrong
        n_untouched = n_classes - 1 - len(of_wrong)
        if n_untouched:
            result[of_truth, (*of_wrong, 1)] += probability * each_wrong * n_untouched
    return result


def _check(accuracy: float, n_classes: int) -> None:
    if n_classes < 2:
        raise ValueError(f"there must be two classes to choose from, not {n_classes}")
    if not 1.0 / n_classes < accuracy <= 1.0:
        raise ValueError(
            f"with {n_classes} classes an accuracy lies above {1 / n_classes:.3g}, not at {accuracy}"
        )
