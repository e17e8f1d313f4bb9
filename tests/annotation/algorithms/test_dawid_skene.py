"""Dawid and Skene's EM, held against crowd-kit's on the same prior."""

import numpy as np
import pandas as pd
import pytest
from crowdkit.aggregation import DawidSkene

from annotation.algorithms.crowd import Answers
from annotation.algorithms.dawid_skene import fit_dawid_skene
from annotation.algorithms.parameters import posterior_of


def simulated(n_tasks, n_workers, n_classes, per_task, seed) -> Answers:
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, n_classes, n_tasks)
    rows = rng.dirichlet(np.full(n_classes, 0.6), (n_workers, n_classes))
    rows = 0.5 * rows + 0.5 * np.eye(n_classes)
    task = np.repeat(np.arange(n_tasks), per_task)
    worker = np.concatenate([rng.permutation(n_workers)[:per_task] for _ in range(n_tasks)])
    cumulative = rows[worker, truth[task]].cumsum(axis=1)
    label = np.minimum((rng.random(len(task))[:, None] > cumulative).sum(axis=1), n_classes - 1)
    return Answers(task, worker, label, n_tasks, n_workers, n_classes)


@pytest.mark.parametrize(("n_classes", "n_rounds"), [(2, 30), (4, 30), (3, 60)])
def test_posteriors_equal_crowd_kits(n_classes, n_rounds):
    answers = simulated(300, 20, n_classes, 6, seed=n_classes)
    frame = pd.DataFrame({"task": answers.task, "worker": answers.worker, "label": answers.label})
    theirs = DawidSkene(n_iter=n_rounds, tol=-np.inf).fit_predict_proba(frame)
    theirs = theirs.loc[range(300), range(n_classes)].to_numpy()
    # The posterior after n rounds of EM: ours is computed once more from the parameters of the last round.
    ours = posterior_of(answers, fit_dawid_skene(answers, n_rounds=n_rounds - 1, tolerance=0.0))
    assert ours == pytest.approx(theirs, abs=1e-3)


def test_a_row_of_a_truth_that_a_worker_never_met_is_even_over_the_labels_they_gave():
    answers = Answers(np.arange(3), np.zeros(3, int), np.array([0, 0, 1]), 3, 1, 3)
    rows = fit_dawid_skene(answers).models[0].rows[0]
    assert rows[0] == pytest.approx([1.0, 0.0, 0.0], abs=1e-6)
    assert rows[2] == pytest.approx([0.5, 0.5, 0.0], abs=1e-6)
