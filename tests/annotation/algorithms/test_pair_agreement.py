"""Cohen's kappa of every two volunteers, against scikit-learn and by hand."""

from itertools import combinations
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from annotation.algorithms.pair_agreement import (
    KappaSums,
    kappa_figures,
    keep_pairs_that_share,
    meetings,
)


def answers(seed: int, *, n_tasks: int = 40, n_workers: int = 5, n_classes: int = 3, share: float = 0.6):
    """A crowd of which everybody answers a random share of the tasks, right with 0.7."""
    rng = np.random.default_rng(seed)
    task, worker = np.nonzero(rng.random((n_tasks, n_workers)) < share)
    truth = rng.integers(0, n_classes, n_tasks)
    label = np.where(rng.random(len(task)) < 0.7, truth[task], rng.integers(0, n_classes, len(task)))
    order = rng.permutation(len(task))
    return task[order], worker[order], label[order]


def pairs_of(task, worker, label, n_classes: int, scale="nominal") -> SimpleNamespace:
    """The pairs that share a task, on how many, and their kappas."""
    sums = KappaSums(meetings(task, worker, label), n_classes, scale)
    once = np.ones((1, sums.n_tasks))
    n_tasks, kappa = sums.parts(once)[0][0], sums.kappas(once)[0]
    return SimpleNamespace(first=sums.first, second=sums.second, n_tasks=n_tasks, kappa=kappa)


def of_pair(task, worker, label, one: int, other: int):
    """The labels of two volunteers on the tasks that both answered, by way of dictionaries."""
    given = {(t, w): k for t, w, k in zip(task.tolist(), worker.tolist(), label.tolist(), strict=True)}
    shared = [t for t in sorted(set(task.tolist())) if (t, one) in given and (t, other) in given]
    return [given[t, one] for t in shared], [given[t, other] for t in shared]


def test_cohens_own_kind_of_table_gives_the_value_worked_out_by_hand():
    """50 tasks: 20 yes-yes, 15 no-no, 5 yes-no, 10 no-yes; 0.7 agreed, 0.5 by chance, so kappa is 0.4."""
    first = np.repeat([1, 0, 1, 0], [20, 15, 5, 10])
    second = np.repeat([1, 0, 0, 1], [20, 15, 5, 10])
    task = np.tile(np.arange(50), 2)
    pair = pairs_of(task, np.repeat([3, 8], 50), np.concatenate([first, second]), 2)
    assert (pair.first.tolist(), pair.second.tolist(), pair.n_tasks.tolist()) == ([3], [8], [50])
    assert pair.kappa[0] == pytest.approx(0.4)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10_000), st.sampled_from(["nominal", "ordinal"]))
def test_every_pairs_kappa_is_that_of_scikit_learn(seed, scale):
    task, worker, label = answers(seed)
    pairs = pairs_of(task, worker, label, 3, scale)
    assert list(zip(pairs.first, pairs.second, strict=True)) == list(combinations(range(5), 2))
    for one, other, n, kappa in zip(pairs.first, pairs.second, pairs.n_tasks, pairs.kappa, strict=True):
        a, b = of_pair(task, worker, label, one, other)
        assert n == len(a)
        weights = "quadratic" if scale == "ordinal" else None
        theirs = cohen_kappa_score(a, b, weights=weights, labels=[0, 1, 2])
        assert kappa == pytest.approx(theirs, nan_ok=True)


def test_two_volunteers_who_only_ever_say_the_same_have_no_kappa():
    pair = pairs_of(np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1]), np.array([1, 1, 1, 1]), 2)
    assert np.isnan(pair.kappa).all()


def test_the_figures_are_symmetric_and_empty_where_no_task_is_shared():
    task, worker, label = np.repeat(np.arange(30), 2), np.tile([0, 2], 30), np.tile([0, 0, 1, 1, 0, 1], 10)
    found = kappa_figures(task, worker, label, 2, 3, rng=np.random.default_rng(0))
    assert found.n_tasks.tolist() == [[0, 0, 30], [0, 0, 0], [30, 0, 0]]
    kappa = pairs_of(task, worker, label, 2).kappa[0]
    for square in found[:3]:
        assert square[0, 2] == square[2, 0] and np.isnan(square[1]).all()
    assert found.value[0, 2] == pytest.approx(kappa)
    assert found.low[0, 2] < kappa < found.high[0, 2] <= 1.0


def test_the_interval_of_a_pair_holds_its_kappa_19_times_of_20():
    """Of 40 tasks each, right with 0.8 by two labels: the kappa that thousands of tasks show."""
    rng = np.random.default_rng(5)

    def pair(n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        truth = rng.integers(0, 2, n)
        label = np.where(rng.random((n, 2)) < 0.8, truth[:, None], 1 - truth[:, None])
        return np.repeat(np.arange(n), 2), np.tile([0, 1], n), label.ravel()

    [true] = pairs_of(*pair(200_000), 2).kappa
    held = 0
    for _ in range(200):
        found = kappa_figures(*pair(40), 2, 2, rng=rng)
        held += bool(found.low[0, 1] <= true <= found.high[0, 1])
    assert 180 <= held <= 199


def test_no_answers_and_lone_answers_make_no_pairs():
    nothing = np.zeros(0, dtype=int)
    assert len(pairs_of(nothing, nothing, nothing, 2).kappa) == 0
    assert len(pairs_of(np.arange(4), np.zeros(4, int), np.zeros(4, int), 2).kappa) == 0


def test_the_mean_weighs_each_pairs_kappa_by_its_disagreements_by_chance():
    task, worker, label = answers(1)
    pairs = pairs_of(task, worker, label, 3)
    sums = KappaSums(meetings(task, worker, label), 3, "nominal")
    ones = np.ones((1, sums.n_tasks))
    _, _, by_chance = sums.parts(ones)
    assert sums.mean_kappa(ones)[0] == pytest.approx(np.average(pairs.kappa, weights=by_chance[0]))


def test_a_task_that_is_drawn_twice_counts_twice():
    task, worker, label = answers(2, n_workers=3, share=1.0)
    sums = KappaSums(meetings(task, worker, label), 3, "nominal")
    weights = np.ones((1, 40))
    weights[0, :10] = 2
    doubled = np.flatnonzero(task < 10)
    again = [np.concatenate([column, column[doubled]]) for column in (task, worker, label)]
    again[0][len(task) :] += 40
    met = meetings(*again)
    assert sums.mean_kappa(weights)[0] == pytest.approx(
        KappaSums(met, 3, "nominal").mean_kappa(np.ones((1, 50)))[0]
    )


def test_pairs_with_few_tasks_in_common_are_left_out_on_request():
    task = np.concatenate([np.arange(12), np.arange(12), [0, 1]])
    worker = np.repeat([0, 1, 2], [12, 12, 2])
    met = keep_pairs_that_share(meetings(task, worker, np.zeros(26, dtype=int)), fewest=10)
    assert (set(met.first_worker), set(met.second_worker), len(met.task)) == ({0}, {1}, 12)
