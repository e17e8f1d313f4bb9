"""How sure a majority is: votes of equally good voters, turned into probabilities.

The share of votes is not a probability of being right: two of three is a share of .67, and of voters who are
right nine times of ten it is right nine times of ten. How good they are follows from how often they agree.
"""

from collections.abc import Iterable

import numpy as np

LEAST, MOST = 0.55, 0.98  # accuracies between which voters are taken to be, however few votes there are
USUAL = 0.85  # of voters who never answered the same task
PRIOR_PAIRS = 50  # pairs of answers that what is usual counts as


def voters_accuracy(votes: Iterable[dict[str, int]], n_classes: int) -> float:
    """Return how often a voter is right, from how often two agree on a task.

    With one accuracy p, and mistakes spread evenly over the K - 1 other classes, two answers agree with
    probability p^2 + (1 - p)^2 / (K - 1). Solved for p. Source: the one-coin model by the method of moments
    (Ghosh, Kale and McAfee 2011; Dalvi et al. 2013).

    >>> round(voters_accuracy([{"a": 2}] * 7300 + [{"a": 1, "b": 1}] * 2700, 2), 2)  # .84^2 + .16^2 = .73
    0.84
    """
    counts = [np.array(list(one.values()), dtype=np.float64) for one in votes]
    n_agreeing = sum(float((n * (n - 1)).sum()) / 2 for n in counts)
    n_pairs = sum(float(n.sum() * (n.sum() - 1)) / 2 for n in counts)
    others = max(n_classes - 1, 1)
    usual = USUAL**2 + (1 - USUAL) ** 2 / others
    agreement = (n_agreeing + PRIOR_PAIRS * usual) / (n_pairs + PRIOR_PAIRS)
    under_root = max(1 / others**2 - (1 + 1 / others) * (1 / others - agreement), 0.0)
    accuracy = (1 / others + np.sqrt(under_root)) / (1 + 1 / others)
    return float(np.clip(accuracy, LEAST, MOST))


def vote_posterior(votes: dict[str, int], class_names: Iterable[str], accuracy: float) -> dict[str, float]:
    """Return the probability of each class, all of them as likely before the votes.

    >>> {name: round(p, 2) for name, p in vote_posterior({"a": 2, "b": 1}, ["a", "b"], 0.9).items()}
    {'a': 0.9, 'b': 0.1}
    """
    names = list(class_names)
    others = max(len(names) - 1, 1)
    logits = np.array([votes.get(name, 0) for name in names]) * np.log(accuracy * others / (1 - accuracy))
    mass = np.exp(logits - logits.max())
    return dict(zip(names, (mass / mass.sum()).tolist(), strict=True))
