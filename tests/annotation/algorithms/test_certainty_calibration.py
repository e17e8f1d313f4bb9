"""Two numbers that make a whole answer's certainty honest, or leave it as it is."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotation.algorithms.certainty_calibration import (
    SMALLEST,
    CertaintyCalibration,
    calibrate_certainty,
    calibrated_by_others,
    calibrated_certainty,
    is_better,
)

LEFT_AS_IT_IS = CertaintyCalibration(1.0, 0.0)


def drawn(n: int, seed: int, share_right) -> tuple[np.ndarray, np.ndarray]:
    """n certainties from .5 to 1, and whether each was right, as share_right(certainty) has it."""
    rng = np.random.default_rng(seed)
    certainty = rng.uniform(0.5, 1.0, n)
    return certainty, rng.random(n) < share_right(certainty)


def test_the_scale_multiplies_the_log_odds_and_the_shift_is_added_to_them():
    """Odds of 9 to 1 squared are 81 to 1; odds of 3 to 1 times e^-1.0986 are even."""
    assert calibrated_certainty(0.9, CertaintyCalibration(2.0, 0.0)) == pytest.approx(81 / 82)
    assert calibrated_certainty(0.75, CertaintyCalibration(1.0, -np.log(3))) == pytest.approx(0.5)
    assert calibrated_certainty(0.6, LEFT_AS_IT_IS) == pytest.approx(0.6)


def test_what_is_said_to_be_98_sure_and_is_right_in_80_of_100_becomes_80_sure():
    certainty, right = np.full(2000, 0.98), np.arange(2000) % 5 > 0
    found = calibrated_certainty(certainty, calibrate_certainty(certainty, right))
    assert found == pytest.approx(np.full(2000, 0.8), abs=0.01)


def test_what_is_less_sure_than_it_is_right_becomes_surer():
    certainty, right = drawn(2000, 1, lambda p: p**0.3)
    found = calibrated_certainty(certainty, calibrate_certainty(certainty, right))
    assert found.mean() == pytest.approx(right.mean(), abs=0.01)
    assert found.mean() > certainty.mean() + 0.1


def test_where_certainty_says_nothing_the_shift_alone_moves_and_solves_its_equation():
    """All 1/2 sure, so that the scale is idle: the mode solves n / (1 + e^-b) - n_right + b / .25 = 0."""
    certainty, right = np.full(4, 0.5), np.array([True, False, False, False])
    scale, shift = calibrate_certainty(certainty, right)
    assert scale == pytest.approx(1.0, abs=1e-4)
    assert 4 / (1 + np.exp(-shift)) - 1 + shift / 0.25 == pytest.approx(0.0, abs=1e-3)


def test_an_honest_certainty_is_left_as_it_is():
    kept = [
        not is_better(calibrated_by_others(certainty, right), certainty, right)
        for certainty, right in (drawn(60, seed, lambda p: p) for seed in range(40))
    ]
    assert sum(kept) >= 34
    certainty, right = drawn(5000, 2, lambda p: p)
    assert calibrate_certainty(certainty, right) == pytest.approx(LEFT_AS_IT_IS, abs=0.12)


def test_a_certainty_that_is_far_off_is_not_left_as_it_is():
    mended = [
        is_better(calibrated_by_others(certainty, right), certainty, right)
        for certainty, right in (drawn(60, seed, lambda p: p - 0.35) for seed in range(40))
    ]
    assert all(mended)


def test_measured_on_gold_it_did_not_see_a_calibration_does_not_flatter_itself():
    """Thirty gold tasks on which certainty says nothing: what is learned of them is chance."""
    log_loss = {"seen": [], "unseen": [], "truly": []}
    for seed in range(80):
        certainty, right = drawn(1030, seed, lambda p: 0 * p + 0.75)
        few, more = (certainty[:30], right[:30]), (certainty[30:], right[30:])
        calibration = calibrate_certainty(*few)
        for name, (found, is_right) in {
            "seen": (calibrated_certainty(few[0], calibration), few[1]),
            "unseen": (calibrated_by_others(*few), few[1]),
            "truly": (calibrated_certainty(more[0], calibration), more[1]),
        }.items():
            log_loss[name].append(-np.log(np.where(is_right, found, 1 - found)).mean())
    means = {name: np.mean(losses) for name, losses in log_loss.items()}
    assert means["seen"] < means["truly"] - 0.01
    assert means["unseen"] == pytest.approx(means["truly"], abs=0.025)


def test_twenty_gold_tasks_that_are_all_right_do_not_make_anything_certain():
    certainty = np.full(20, 0.8)
    found = calibrated_certainty(certainty, calibrate_certainty(certainty, np.ones(20, dtype=bool)))
    assert 0.85 < found[0] < 0.97


@given(
    st.lists(st.floats(0.0, 1.0), min_size=2, max_size=20),
    st.lists(st.booleans(), min_size=20, max_size=20),
)
def test_whatever_gold_says_who_is_surer_stays_so_and_nothing_is_certain(certainties, right):
    certainty = np.array(certainties)
    calibration = calibrate_certainty(certainty, np.array(right[: len(certainty)]))
    found = calibrated_certainty(np.sort(certainty), calibration)
    assert calibration.scale > 0
    assert (np.diff(found) >= 0).all()
    assert ((found > 0) & (found < 1)).all()
    assert calibrated_certainty(1.0, LEFT_AS_IT_IS) == pytest.approx(1 - SMALLEST)
