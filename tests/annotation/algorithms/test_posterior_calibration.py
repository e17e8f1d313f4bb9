"""One temperature that makes a posterior's certainty honest."""

import numpy as np
import pytest

from annotation.algorithms.crowd import Answers, fit_crowd
from annotation.algorithms.online import task_posterior
from annotation.algorithms.posterior_calibration import calibrate, calibration_error, tempered


def confident(n: int, rng) -> tuple[np.ndarray, np.ndarray]:
    """[N, 2] posteriors that say 0.98 and are right in 0.8 of cases."""
    gold = rng.integers(0, 2, n)
    said = np.where(rng.random(n) < 0.8, gold, 1 - gold)
    posterior = np.full((n, 2), 0.02)
    posterior[np.arange(n), said] = 0.98
    return posterior, gold


def test_overconfidence_is_cooled_to_the_share_that_is_right():
    posterior, gold = confident(4000, np.random.default_rng(1))
    temperature = calibrate(posterior, gold)
    assert temperature > 2
    assert calibration_error(posterior, gold) == pytest.approx(0.18, abs=0.02)
    assert calibration_error(tempered(posterior, temperature), gold) < 0.03


def test_an_honest_posterior_keeps_its_temperature():
    rng = np.random.default_rng(2)
    p = rng.uniform(0.05, 0.95, 5000)
    gold = (rng.random(5000) < p).astype(int)
    assert calibrate(np.stack([1 - p, p], axis=1), gold) == pytest.approx(1.0, abs=0.1)


def test_a_label_that_nobody_ever_gives_does_not_outweigh_the_rest():
    """One gold task in ten has a label of probability nothing: the winner is right in nine of ten."""
    posterior = np.tile([0.93, 0.07, 0.0], (100, 1))
    gold = np.array([2] * 10 + [0] * 90)
    confidence = tempered(posterior, calibrate(posterior, gold)).max(axis=1)
    assert confidence == pytest.approx(np.full(100, 0.9), abs=0.02)


def test_three_gold_tasks_move_the_temperature_only_a_little():
    posterior, _ = confident(3, np.random.default_rng(3))
    assert 0.4 < calibrate(posterior, posterior.argmax(axis=1)) < 1.0


def test_without_gold_nothing_is_calibrated_and_no_error_is_known():
    posterior = np.array([[0.7, 0.3]])
    assert calibrate(posterior, np.array([-1])) == 1.0
    assert calibration_error(posterior, np.array([-1])) is None


@pytest.mark.parametrize("method", ["majority", "one_coin", "engine"])
def test_the_online_posterior_applies_the_crowds_temperature(method):
    answers = Answers(np.repeat(np.arange(4), 3), np.tile(np.arange(3), 4), np.tile([1, 1, 0], 4), 4, 3, 2)
    fit = fit_crowd(answers, method=method)
    crowd = fit.crowd | {"temperature": 2.5}
    online = task_posterior([1, 1, 0], fit.workers, crowd)
    assert online == pytest.approx(tempered(fit.posterior, 2.5)[0], abs=1e-6)
