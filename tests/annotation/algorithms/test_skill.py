"""Evidence of how a volunteer works: found where it is planted, and not where there is nothing."""

import numpy as np
import pytest

from annotation.algorithms.simulated_crowd import Worker, answers, of_accuracy
from annotation.algorithms.skill import drift, habits, speeds
from annotation.shares import percent


def test_a_drop_of_the_latest_answers_is_measured_by_a_two_proportion_test():
    """30 of 50 after 90 of 100: pooled 0.8, z = -0.3 / sqrt(0.16 * (1 / 50 + 1 / 100)) = -4.33."""
    found = drift(np.repeat([1, 0, 1, 0], [90, 10, 30, 20]))
    assert (found.n_earlier, found.n_latest) == (100, 50)
    assert (found.earlier, found.latest) == (0.9, 0.6)
    assert found.z == pytest.approx(-4.330, abs=0.001)
    assert found.p == pytest.approx(1.49e-5, rel=0.01)
    assert found.is_striking
    of_latest, of_earlier = percent(0.6), percent(0.9)
    words = f"{of_latest} of the latest 50 answers, on {of_earlier} of 100 before: worse than chance"
    assert words in found.sentence


def test_getting_better_is_said_and_is_nothing_to_look_into():
    found = drift(np.repeat([0, 1], [60, 90]))
    assert not found.is_striking
    assert "better than chance explains" in found.sentence


def test_a_steady_volunteer_does_not_drift():
    found = drift(np.tile([1, 1, 1, 0], 50))
    assert not found.is_striking
    assert "no more than chance explains" in found.sentence
    assert drift(np.ones(200)).p == 1.0


def test_honest_volunteers_are_called_drifting_about_once_in_two_hundred():
    rng = np.random.default_rng(1)
    flagged = sum(drift(rng.random(300) < 0.8).is_striking for _ in range(2000))
    assert 1 <= flagged <= 25  # half of the two-sided 1 % of 2000 is 10


def test_few_answers_say_nothing():
    assert drift(np.ones(69)) is None
    assert drift(np.ones(70)) is not None
    assert habits(np.array([np.diag([9, 10])] * 2)) == [None, None]


def crowd_seconds(*medians: float, n: int = 40) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    return np.repeat(np.arange(len(medians)), n), np.concatenate(
        [rng.lognormal(np.log(m), 0.4, n) for m in medians]
    )


def test_a_volunteer_far_faster_than_the_crowd_is_found():
    worker, seconds = crowd_seconds(10, 12, 9, 11, 14, 8, 1)
    found = speeds(worker, seconds, 7)
    assert [speed.is_striking for speed in found] == [False] * 6 + [True]
    assert found[6].seconds == pytest.approx(1, rel=0.3)
    assert found[6].crowd_seconds == pytest.approx(10, rel=0.3)
    assert "far faster than the others" in found[6].sentence
    assert "as fast as others" in found[0].sentence


def test_a_slow_volunteer_is_only_slow():
    worker, seconds = crowd_seconds(10, 12, 9, 11, 14, 8, 300)
    slow = speeds(worker, seconds, 7)[6]
    assert not slow.is_striking
    assert "far slower" in slow.sentence


def test_the_median_is_that_of_each_volunteers_own_seconds_in_any_order():
    worker, seconds = crowd_seconds(10, 12, 9, 11, 14, n=21)
    order = np.random.default_rng(0).permutation(len(worker))
    found = speeds(worker[order], seconds[order], 5)
    assert [speed.seconds for speed in found] == pytest.approx(
        [np.median(seconds[worker == w]) for w in range(5)]
    )


def test_speed_needs_answers_and_peers():
    worker, seconds = crowd_seconds(10, 12, 9, 11)
    assert speeds(worker, seconds, 4) == [None] * 4
    worker, seconds = crowd_seconds(10, 12, 9, 11, 14)
    found = speeds(np.append(worker, 5), np.append(seconds, 1.0), 7)
    assert found[5:] == [None, None]
    assert None not in found[:5]


def test_volunteers_who_all_take_the_same_time_are_no_reason_to_divide_by_nothing():
    found = speeds(np.repeat(np.arange(5), 20), np.full(100, 7.0), 5)
    assert {speed.z for speed in found} == {0.0}


def confusion_counts(workers: list[Worker], n_tasks: int, truth_shares: list[float]) -> np.ndarray:
    rng = np.random.default_rng(5)
    truths = rng.choice(len(truth_shares), n_tasks, p=truth_shares)
    given = answers(workers, truths, rng)  # [W, T]
    counts = np.zeros((len(workers), len(truth_shares), len(truth_shares)))
    for w, labels in enumerate(given):
        np.add.at(counts[w], (truths, labels), 1)
    return counts


def by_habit(shares: list[float]) -> Worker:
    return Worker("by habit", np.tile(shares, (len(shares), 1)), 0.0, 1.0)


@pytest.mark.parametrize("habit", [[1, 0, 0], [0.1, 0.1, 0.8], [1 / 3, 1 / 3, 1 / 3]])
def test_answers_that_ignore_the_task_are_found_whatever_the_habit(habit):
    crowd = [of_accuracy(a, 3) for a in (0.9, 0.8, 0.75, 0.7, 0.85)] + [by_habit(habit)]
    found = habits(confusion_counts(crowd, 200, [0.5, 0.3, 0.2]))
    assert [h.is_striking for h in found] == [False] * 5 + [True]
    assert "do not depend on the task" in found[5].sentence
    assert "follow the task" in found[0].sentence


CROWD = (0.9, 0.85, 0.8, 0.75, 0.7, 0.85, 0.8, 0.9)


def share_striking(row_of, shares: list[float], n_answers: int, n_volunteers: int = 200) -> float:
    """Of volunteers whose answers to a label are distributed as row_of(label), each in a crowd of others."""
    rng, k = np.random.default_rng(n_answers), len(shares)
    found = 0
    for _ in range(n_volunteers):
        n_true = rng.multinomial(n_answers, shares)
        crowd = [of_accuracy(accuracy, k).confusion for accuracy in CROWD]
        rows = [*crowd, np.array([row_of(label) for label in range(k)])]
        counts = np.array([[rng.multinomial(n_true[j], row[j]) for j in range(k)] for row in rows])
        found += habits(counts)[-1].is_striking
    return found / n_volunteers


@pytest.mark.parametrize("n_answers", [30, 100, 300])
@pytest.mark.parametrize("shares", [[0.5, 0.5], [0.8, 0.2], [0.25] * 4, [0.7, 0.1, 0.1, 0.1]])
def test_an_honest_volunteer_who_is_right_on_55_percent_is_hardly_ever_called_a_spammer(shares, n_answers):
    even = of_accuracy(0.55, len(shares)).confusion
    knows = (0.55 - 1 / len(shares)) / (1 - 1 / len(shares))
    leaning = np.full(len(shares), 0.4 / (len(shares) - 1))
    leaning[0] = 0.6
    leaning = knows * np.eye(len(shares)) + (1 - knows) * leaning
    for rows in (even, leaning):
        assert share_striking(lambda label, rows=rows: rows[label], shares, n_answers) <= 0.01


@pytest.mark.parametrize(
    ("row", "shares", "n_answers"),
    [
        ([1, 0], [0.5, 0.5], 60),  # always the same label
        ([1, 0], [0.8, 0.2], 100),
        ([1, 0, 0, 0], [0.25] * 4, 30),
        ([1, 0, 0, 0], [0.7, 0.1, 0.1, 0.1], 60),
        ([0.25] * 4, [0.25] * 4, 150),  # at random
        ([0.25] * 4, [0.7, 0.1, 0.1, 0.1], 150),
    ],
)
def test_who_always_gives_one_label_or_clicks_at_random_is_caught(row, shares, n_answers):
    assert share_striking(lambda label: row, shares, n_answers, 60) >= 0.9


def test_a_poor_or_contrary_volunteer_still_follows_the_task():
    crowd = [of_accuracy(a, 2) for a in (0.9, 0.8, 0.75, 0.85, 0.65, 0.1)]
    found = habits(confusion_counts(crowd, 200, [0.5, 0.5]))
    assert not any(h.is_striking for h in found)


def test_saying_no_to_nearly_all_is_no_habit_where_nearly_all_are_no():
    crowd = [of_accuracy(0.92, 2) for _ in range(6)]
    found = habits(confusion_counts(crowd, 150, [0.95, 0.05]))
    assert not any(h.is_striking for h in found)
    assert all(h.favourite == 0 and h.share > 0.8 for h in found)


def test_the_entropy_of_the_answers_is_in_bits():
    counts = np.array([np.diag([20, 20]), [[20, 0], [20, 0]]])
    even, constant = habits(counts)
    assert (even.entropy, even.n_answers) == (1.0, 40)
    assert (constant.entropy, constant.favourite, constant.share) == (0.0, 0, 1.0)
