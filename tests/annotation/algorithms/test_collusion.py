"""Lock-step volunteers are found by the mistakes they share; poor ones and hard tasks accuse nobody."""

import time

import numpy as np
import pytest

from annotation.algorithms.collusion import lock_steps
from annotation.algorithms.simulated_crowd import answers, of_accuracy


def crowd(*accuracies: float, n_tasks: int = 120, n_classes: int = 3, seed: int = 0):
    """What each says of every task: truths [T], given [W, T]."""
    rng = np.random.default_rng(seed)
    truths = rng.integers(0, n_classes, n_tasks)
    return truths, answers([of_accuracy(a, n_classes) for a in accuracies], truths, rng)


def found(truths: np.ndarray, given: np.ndarray, **options):
    worker, task = np.indices(given.shape)
    return lock_steps(task.ravel(), worker.ravel(), given.ravel(), truths, **options)


@pytest.mark.parametrize("n_classes", [2, 3, 6])
def test_a_volunteer_who_copies_another_is_found_with_the_figures(n_classes):
    truths, given = crowd(0.8, 0.8, 0.8, 0.7, 0.7, n_classes=n_classes)
    given[4] = given[3]
    (pair,) = found(truths, given)
    n_wrong = int((given[3] != truths).sum())
    assert (pair.first, pair.second, pair.n_shared) == (3, 4, 120)
    assert (pair.n_wrong, pair.n_same) == (n_wrong, n_wrong)
    assert pair.expected < n_wrong / 2
    assert pair.p < 1e-6
    assert f"the same wrong answer on {n_wrong}; by chance it would be about" in pair.sentence
    assert "less than one of a million crowds" in pair.sentence


def test_copying_now_and_then_is_found_too():
    truths, given = crowd(0.8, 0.8, 0.8, 0.7, 0.7, n_tasks=300)
    copied = np.random.default_rng(1).random(300) < 0.5
    given[4, copied] = given[3, copied]
    assert [(pair.first, pair.second) for pair in found(truths, given)] == [(3, 4)]


def test_a_ring_of_three_is_found_as_its_three_pairs():
    truths, given = crowd(0.8, 0.85, 0.8, 0.8, 0.8, 0.65, 0.65, 0.65, n_tasks=200)
    given[6] = given[7] = given[5]
    assert {(pair.first, pair.second) for pair in found(truths, given)} == {(5, 6), (5, 7), (6, 7)}


@pytest.mark.parametrize("n_classes", [2, 4])
def test_independent_volunteers_are_not_accused_however_poor_they_are(n_classes):
    accused = [
        found(*crowd(0.9, 0.8, 0.8, 0.55, 0.5, 0.4, n_classes=n_classes, seed=seed)) for seed in range(50)
    ]
    assert sum(map(bool, accused)) <= 1


def test_tasks_that_mislead_everybody_accuse_nobody():
    truths, given = crowd(0.85, 0.85, 0.85, 0.85, 0.85, 0.85)
    misleading = slice(0, 30)
    given[:, misleading] = (truths[misleading] + 1) % 3
    assert found(truths, given) == []


def test_two_who_answer_by_the_same_habit_are_no_colluders():
    """Both always say 0: wrong together wherever that is wrong, as either alone would be."""
    truths, given = crowd(0.9, 0.8, 0.8, 0.8, 0.8)
    given[3:] = 0
    assert found(truths, given) == []


def test_pairs_that_share_few_tasks_are_not_looked_at():
    truths, given = crowd(0.8, 0.8, 0.8, 0.3, 0.3, n_tasks=30)
    given[4] = given[3]
    assert [(pair.first, pair.second) for pair in found(truths, given)] == [(3, 4)]
    assert found(truths, given, fewest_shared=31) == []


def test_tasks_whose_truth_is_unknown_are_left_out():
    truths, given = crowd(0.8, 0.8, 0.8, 0.7, 0.7)
    given[4] = given[3]
    unknown = np.where(np.arange(120) < 60, truths, -1)
    assert found(unknown, given)[0].n_shared == 60
    assert found(np.full(120, -1), given) == []


def test_no_answers_accuse_nobody():
    nothing = np.zeros(0, dtype=int)
    assert lock_steps(nothing, nothing, nothing, nothing) == []


def sets_of_labels(*accuracies: float, n_tasks: int = 120, n_labels: int = 4, seed: int = 0):
    """Truths [T, L] and answers [W, T, L], bool: each label right with the volunteer's accuracy."""
    rng = np.random.default_rng(seed)
    truths = rng.random((n_tasks, n_labels)) < 0.3
    right = rng.random((len(accuracies), n_tasks, n_labels)) < np.array(accuracies)[:, None, None]
    return truths, np.where(right, truths, ~truths)


def found_in_sets(truths: np.ndarray, given: np.ndarray):
    weights = 2 ** np.arange(truths.shape[1])
    return found(truths @ weights, given @ weights, is_open=True)


def test_who_copies_whole_sets_of_labels_is_found():
    truths, given = sets_of_labels(0.9, 0.9, 0.85, 0.8, 0.8)
    given[4] = given[3]
    assert [(pair.first, pair.second) for pair in found_in_sets(truths, given)] == [(3, 4)]


def test_independent_sets_of_labels_accuse_nobody_however_poor():
    accused = [found_in_sets(*sets_of_labels(0.95, 0.9, 0.8, 0.7, 0.6, seed=seed)) for seed in range(50)]
    assert sum(map(bool, accused)) <= 1


def test_two_who_misread_the_same_label_are_no_colluders():
    """Both leave the first label out wherever it holds: each as often without the other."""
    truths, given = sets_of_labels(0.97, 0.97, 0.95, 0.97, 0.97)
    given[3:, :, 0] = False
    assert found_in_sets(truths, given) == []


def test_two_who_never_state_anything_are_no_colluders():
    truths, given = sets_of_labels(0.95, 0.9, 0.9, 0.9, 0.9)
    given[3:] = False
    assert found_in_sets(truths, given) == []


def test_answers_that_are_each_said_but_once_are_copied_all_the_same():
    """As marks in texts are: no two tasks have the same truth, nor the same mistakes."""
    truths = np.arange(60) * 1000
    rng = np.random.default_rng(3)
    given = np.where(rng.random((6, 60)) < 0.5, truths, truths + rng.integers(1, 1000, (6, 60)))
    assert found(truths, given, is_open=True) == []
    given[5] = given[4]
    assert [(pair.first, pair.second) for pair in found(truths, given, is_open=True)] == [(4, 5)]


def test_two_who_read_the_guideline_alike_are_no_colluders_while_they_slip_up_apart():
    """Both take a quarter of the texts alike for something else, and have more mistakes of their own."""
    truths = np.arange(90) * 1000
    rng = np.random.default_rng(4)
    given = np.where(rng.random((6, 90)) < 0.6, truths, truths + rng.integers(100, 1000, (6, 90)))
    given[4:, :22] = truths[:22] + 1
    assert found(truths, given, is_open=True) == []


def test_a_hundred_thousand_answers_are_looked_through_in_seconds():
    rng = np.random.default_rng(2)
    task = np.repeat(np.arange(20_000), 5)
    worker = np.argsort(rng.random((20_000, 200)), axis=1)[:, :5].ravel()
    truths = rng.integers(0, 4, 20_000)
    label = np.where(rng.random(100_000) < 0.8, truths[task], rng.integers(0, 4, 100_000))
    began = time.perf_counter()
    assert lock_steps(task, worker, label, truths, fewest_shared=5) == []
    assert time.perf_counter() - began < 5
