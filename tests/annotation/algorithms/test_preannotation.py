"""The figures of the two arms, against crowds that are known because they are made."""

import numpy as np
import pytest

from annotation.algorithms.preannotation import compare_f1, compare_kept, compare_times


def crowd(ratio: float, *, seed: int, n_volunteers: int = 12, each: int = 60):
    """Volunteers of different paces; a tenth of their answers is given without suggestions."""
    rng = np.random.default_rng(seed)
    groups = np.repeat(np.arange(n_volunteers), each)
    shown = rng.random(len(groups)) < 0.9
    pace = np.exp(rng.normal(3, 0.3, n_volunteers))[groups]
    seconds = pace * np.exp(rng.normal(0, 0.4, len(groups))) * np.where(shown, ratio, 1.0)
    return seconds, shown, groups


@pytest.mark.parametrize("ratio", [1.0, 0.8])
def test_the_interval_of_time_saved_holds_the_truth_about_nineteen_times_in_twenty(ratio):
    effects = [compare_times(*crowd(ratio, seed=seed), seed=0).effect for seed in range(60)]
    covered = np.mean([effect.low <= ratio <= effect.high for effect in effects])
    assert covered > 0.85
    assert np.mean([effect.value for effect in effects]) == pytest.approx(ratio, abs=0.03)
    assert all(effect.high - effect.low < 0.6 for effect in effects)


def test_the_median_of_an_arm_is_its_own_whatever_the_order_of_the_rows():
    seconds = np.array([9.0, 1.0, 5.0, 70.0, 2.0])
    shown = np.array([True, True, True, False, False])
    found = compare_times(seconds, shown, np.zeros(5, dtype=int), seed=0)
    assert (found.shown.value, found.hidden.value, found.effect.value) == (5.0, 2.0, 2.5)


def test_scores_pool_all_spans_of_an_arm():
    counts = np.array([[2, 2, 2], [0, 1, 3], [1, 1, 2]])
    shown, groups = np.array([True, True, False]), np.array([0, 1, 1])
    f1, kept = compare_f1(counts, shown, groups, seed=0), compare_kept(counts, shown, groups, seed=0)
    assert (f1.shown.value, f1.hidden.value) == (0.5, pytest.approx(2 / 3))
    assert (kept.shown.value, kept.hidden.value, kept.effect.value) == (0.4, 0.5, pytest.approx(-0.1))
    assert kept.shown.low <= 0.4 <= kept.shown.high


def test_two_hundred_answers_of_one_person_say_less_than_those_of_twenty():
    rng = np.random.default_rng(3)
    mood = rng.random(20) < 0.5  # whole persons keep all suggestions or none
    counts = np.array([[int(m), 1, 1] for m in np.repeat(mood, 10)])
    shown = rng.random(200) < 0.5
    by_person = compare_kept(counts, shown, np.repeat(np.arange(20), 10), seed=0).shown
    by_answer = compare_kept(counts, shown, np.arange(200), seed=0).shown
    assert by_person.high - by_person.low > 2 * (by_answer.high - by_answer.low)
