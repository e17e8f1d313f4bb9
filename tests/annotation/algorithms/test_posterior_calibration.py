"""One temperature, and one number a label, that make a posterior's certainty honest."""

import numpy as np
import pytest

from annotation.algorithms.crowd import Answers, fit_crowd, posterior_without_own_gold
from annotation.algorithms.online import task_posterior
from annotation.algorithms.posterior_calibration import (
    Calibration,
    calibrate,
    calibrated,
    calibration_error,
    recalibrated,
    recalibrated_by_others,
)


def confident(n: int, rng) -> tuple[np.ndarray, np.ndarray]:
    """[N, 2] posteriors that say 0.98 and are right in 0.8 of cases."""
    gold = rng.integers(0, 2, n)
    said = np.where(rng.random(n) < 0.8, gold, 1 - gold)
    posterior = np.full((n, 2), 0.02)
    posterior[np.arange(n), said] = 0.98
    return posterior, gold


def test_overconfidence_is_cooled_to_the_share_that_is_right():
    posterior, gold = confident(4000, np.random.default_rng(1))
    calibration = calibrate(posterior, gold)
    assert calibration.temperature > 1
    assert calibration_error(posterior, gold) == pytest.approx(0.18, abs=0.02)
    assert calibration_error(recalibrated(posterior, calibration), gold) < 0.03


def test_an_honest_posterior_is_left_as_it_is():
    rng = np.random.default_rng(2)
    p = rng.uniform(0.05, 0.95, 5000)
    gold = (rng.random(5000) < p).astype(int)
    temperature, log_lead = calibrate(np.stack([1 - p, p], axis=1), gold)
    assert temperature == pytest.approx(1.0, abs=0.15)
    assert log_lead == pytest.approx(np.zeros(2), abs=0.15)


def test_a_label_that_is_wrong_when_it_wins_loses_its_certainty_and_the_other_keeps_its_own():
    """Both are said to be 0.9 sure; the first is right in 5 of 10, the second always."""
    posterior = np.repeat([[0.9, 0.1], [0.1, 0.9]], 100, axis=0)
    gold = np.repeat([0, 1, 1], [50, 50, 100])
    found = recalibrated(posterior, calibrate(posterior, gold))
    assert found[0, 0] == pytest.approx(0.5, abs=0.1)
    assert found[100, 1] > 0.95
    assert (found.argmax(axis=1) == posterior.argmax(axis=1)).all()


def test_measured_on_gold_it_did_not_see_a_calibration_does_not_flatter_itself():
    """Forty gold tasks of six labels, on which certainty says nothing: what is learned of them is chance."""
    seen, unseen, truly = [], [], []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        posterior = rng.dirichlet(np.full(6, 0.3), 540)
        gold = np.where(rng.random(540) < 0.6, posterior.argmax(axis=1), rng.integers(0, 6, 540))
        few = np.where(np.arange(540) < 40, gold, -1)
        made = recalibrated(posterior, calibrate(posterior, few))
        by_others = recalibrated_by_others(posterior, few)
        assert (by_others[40:] == posterior[40:]).all()
        log_loss = [
            -np.log(np.where(one.argmax(axis=1) == gold, one.max(axis=1), 1 - one.max(axis=1)))
            for one in (made, by_others)
        ]
        seen.append(log_loss[0][:40].mean())
        unseen.append(log_loss[1][:40].mean())
        truly.append(log_loss[0][40:].mean())
    assert np.mean(seen) < np.mean(truly) - 0.02
    assert np.mean(unseen) == pytest.approx(np.mean(truly), abs=0.03)


@pytest.mark.parametrize("log_lead", [-50.0, -1.0, 0.0, 3.0])
def test_no_calibration_changes_which_label_wins(log_lead):
    posterior = np.random.default_rng(5).dirichlet(np.ones(4), 200)
    found = recalibrated(posterior, Calibration(2.0, np.full(4, log_lead)))
    won = found[np.arange(200), posterior.argmax(axis=1)]
    assert won == pytest.approx(found.max(axis=1), abs=1e-12)
    tie = calibrated(np.log([0.4, 0.4, 0.2]), 1.0, np.full(3, log_lead))
    assert tie == pytest.approx([0.4, 0.4, 0.2])


def test_a_lead_multiplies_the_odds_beyond_even():
    """Odds of 5 to 1 are a lead of 4; half of it is odds of 3 to 1, whatever a third label has."""
    found = calibrated(np.log([0.5, 0.1, 0.05]), 1.0, np.log([0.5, 9.0, 9.0]))
    assert found[0] / found[1] == pytest.approx(3.0)
    assert found[1] / found[2] == pytest.approx(2.0)


def test_a_label_that_nobody_ever_gives_does_not_outweigh_the_rest():
    """One gold task in ten has a label of probability nothing: the winner is right in nine of ten."""
    posterior = np.tile([0.93, 0.07, 0.0], (100, 1))
    gold = np.array([2] * 10 + [0] * 90)
    confidence = recalibrated(posterior, calibrate(posterior, gold)).max(axis=1)
    assert confidence == pytest.approx(np.full(100, 0.9), abs=0.02)


def test_three_gold_tasks_move_certainty_only_a_little():
    posterior, _ = confident(3, np.random.default_rng(3))
    temperature, log_lead = calibrate(posterior, posterior.argmax(axis=1))
    assert 0.4 < temperature < 1.0
    assert 0.0 <= log_lead.min() <= log_lead.max() < 0.2


def test_without_gold_nothing_is_calibrated_and_no_error_is_known():
    posterior = np.array([[0.7, 0.3]])
    assert recalibrated(posterior, calibrate(posterior, np.array([-1]))) == pytest.approx(posterior)
    assert calibration_error(posterior, np.array([-1])) is None


@pytest.mark.parametrize("method", ["one_coin", "engine"])
def test_the_online_posterior_applies_the_crowds_calibration(method):
    answers = Answers(np.repeat(np.arange(4), 3), np.tile(np.arange(3), 4), np.tile([1, 1, 0], 4), 4, 3, 2)
    fit = fit_crowd(answers, method=method)
    crowd = fit.crowd | {"temperature": 2.5, "log_lead": [0.0, -0.7]}
    online = task_posterior([1, 1, 0], fit.workers, crowd)
    expected = recalibrated(fit.posterior, Calibration(2.5, np.array([0.0, -0.7])))[0]
    assert online == pytest.approx(expected, abs=1e-6)
    assert 0.5 < online[1] < task_posterior([1, 1, 0], fit.workers, fit.crowd)[1]


def test_a_majoritys_shares_take_a_temperature():
    crowd = {"method": "majority", "n_classes": 2, "temperature": 2.0}
    assert task_posterior([1, 1, 1, 1, 0], [None] * 5, crowd) == pytest.approx([1 / 3, 2 / 3])


def test_a_gold_task_is_judged_without_its_own_label_and_with_the_others():
    rng = np.random.default_rng(6)
    truth = rng.integers(0, 2, 60)
    label = np.where(rng.random((60, 5)) < 0.7, truth[:, None], 1 - truth[:, None])
    answers = Answers(np.repeat(np.arange(60), 5), np.tile(np.arange(5), 60), label.ravel(), 60, 5, 2)
    with_gold = np.arange(60) < 30
    gold, other = np.where(with_gold, truth, -1), np.where(with_gold, truth, -1)
    other[0] = 1 - other[0]
    found, changed = (posterior_without_own_gold(answers, g, with_gold) for g in (gold, other))
    assert (found[0] == changed[0]).all()
    assert np.abs(found - changed).max() > 0.001
    assert (found[30:] == 0.5).all()


def test_a_large_campaigns_gold_is_left_out_at_once(monkeypatch):
    monkeypatch.setattr("annotation.algorithms.crowd.ANSWERS_TO_LEAVE_OUT_ON", 12)
    answers = Answers(np.repeat(np.arange(4), 3), np.tile(np.arange(3), 4), np.tile([1, 1, 0], 4), 4, 3, 2)
    found = posterior_without_own_gold(answers, np.array([0, 0, 1, 1]), np.ones(4, dtype=bool))
    assert found == pytest.approx(fit_crowd(answers).posterior)
