import numpy as np
import pytest

from training.algorithms.vote_posterior import LEAST, MOST, USUAL, vote_posterior, voters_accuracy


def votes_of(accuracy: float, n_classes: int, n_tasks: int = 3000, n_voters: int = 3):
    """(votes, right class) of each task; a wrong voter takes any of the other classes."""
    rng = np.random.default_rng(0)
    right = rng.integers(n_classes, size=n_tasks)
    wrong = (right[:, None] + rng.integers(1, n_classes, size=(n_tasks, n_voters))) % n_classes
    said = np.where(rng.random((n_tasks, n_voters)) < accuracy, right[:, None], wrong)
    votes = [{str(k): int((row == k).sum()) for k in set(row)} for row in said]
    return votes, [str(k) for k in right]


@pytest.mark.parametrize(("accuracy", "n_classes"), [(0.9, 2), (0.75, 2), (0.6, 5), (0.9, 24)])
def test_a_crowds_accuracy_is_found_from_its_agreement_alone(accuracy, n_classes):
    votes, _ = votes_of(accuracy, n_classes)
    assert voters_accuracy(votes, n_classes) == pytest.approx(accuracy, abs=0.02)


@pytest.mark.parametrize(("accuracy", "n_classes"), [(0.85, 2), (0.75, 4)])
def test_a_majority_is_right_as_often_as_its_posterior_says(accuracy, n_classes):
    votes, right = votes_of(accuracy, n_classes)
    names = [str(k) for k in range(n_classes)]
    found = voters_accuracy(votes, n_classes)
    posteriors = [vote_posterior(one, names, found) for one in votes]
    sure = np.array([max(one.values()) for one in posteriors])
    hits = np.array([max(one, key=one.get) == name for one, name in zip(posteriors, right, strict=True)])
    for low, high in ((0.0, 0.95), (0.95, 1.0)):
        rows = (sure > low) & (sure <= high)
        assert hits[rows].mean() == pytest.approx(sure[rows].mean(), abs=0.04)


def test_few_votes_or_none_leave_it_at_what_is_usual():
    assert voters_accuracy([], 2) == pytest.approx(USUAL)
    assert voters_accuracy([{"a": 1}] * 500, 2) == pytest.approx(USUAL)
    assert voters_accuracy([{"a": 2}] * 9000, 2) == MOST
    assert voters_accuracy([{"a": 1, "b": 1}] * 9000, 2) == LEAST
