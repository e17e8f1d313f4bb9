"""Who ignores the task is found where answers are no single labels; who is poor and tries is spared."""

import numpy as np
import pytest

from annotation.algorithms.dependence import dependences


def crowd(*leads: float, n_answers: int = 60, seed: int = 0):
    """Volunteers whose answers are nearer to their own tasks by such leads, of 0.8 that would be perfect."""
    rng = np.random.default_rng(seed)
    worker = np.repeat(np.arange(len(leads)), n_answers)
    other = np.full(len(worker), 0.1)
    # A wholly right or a useless answer: as noisy as it gets.
    own = np.where(rng.random(len(worker)) < np.array(leads)[worker], 0.9, 0.1)
    return dependences(worker, own, other, np.full(len(worker), 0.8), len(leads))


def test_the_share_is_of_the_lead_that_perfect_answers_have():
    known = crowd(1.0, 1.0, 1.0, 1.0, 0.5, n_answers=2000)
    assert known[0].share == pytest.approx(1.0)
    assert known[4].share == pytest.approx(0.5, abs=0.05)
    assert known[0].typical == pytest.approx(1.0)


def test_who_answers_without_the_task_is_found_and_told_with_the_figures():
    *honest, ignoring = crowd(0.8, 0.7, 0.6, 0.7, 0.3, 0.0)
    assert ignoring.is_striking and not any(one.is_striking for one in honest)
    assert ignoring.sentence.startswith("The answers do not depend on the task. Of what sets their 60 tasks")
    assert honest[0].sentence.startswith("The answers follow the task.")


def test_the_poorest_who_try_are_hardly_ever_suspected():
    """A quarter of a typical volunteer's lead, at few and at many answers."""
    for n_answers in (20, 60, 300):
        suspected = sum(
            crowd(0.8, 0.8, 0.8, 0.8, 0.2, n_answers=n_answers, seed=seed)[-1].is_striking
            for seed in range(200)
        )
        assert suspected <= 4, n_answers


def test_a_crowd_that_reads_poorly_is_held_against_itself():
    *_, poor = crowd(0.3, 0.3, 0.3, 0.3, 0.2, n_answers=300)
    assert poor.typical < 0.4 and not poor.is_striking


def test_too_few_answers_or_volunteers_or_tasks_that_are_alike_tell_nothing():
    assert crowd(0.8, 0.8, 0.8, 0.8, 0.0, n_answers=19) == [None] * 5
    assert crowd(0.8, 0.8, 0.8, 0.0) == [None] * 4
    worker = np.repeat(np.arange(6), 50)
    same = np.full(len(worker), 0.9)
    assert dependences(worker, same, same, np.full(len(worker), 0.1), 6) == [None] * 6
