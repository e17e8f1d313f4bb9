import numpy as np
import pytest

from training.algorithms.time_model import TimeModel, fit_time_model


def answers(n: int, *, exponent: float = 0.6, seed: int = 0):
    rng = np.random.default_rng(seed)
    lengths = rng.integers(20, 2000, n)
    who = rng.integers(4, size=n)
    pace = np.array([0.5, 1.0, 1.0, 2.0])[who]
    return lengths, who.tolist(), 9.0 * (lengths / 100) ** exponent * pace * rng.lognormal(0, 0.4, n), rng


def test_length_and_pace_are_found():
    lengths, who, seconds, _ = answers(2000)
    model, paces = fit_time_model(lengths, who, seconds)
    assert model.exponent == pytest.approx(0.6, abs=0.05)
    assert paces[3] / paces[0] == pytest.approx(4.0, rel=0.15)
    assert model.spread == pytest.approx(0.4, abs=0.05)


def test_people_who_leave_the_desk_do_not_make_texts_longer():
    lengths, who, seconds, rng = answers(2000)
    away = rng.random(2000) < 0.1
    lunch, _ = fit_time_model(lengths, who, np.where(away, 3600.0, seconds))
    plain, _ = fit_time_model(lengths, who, seconds)
    at = np.array([100, 1000])
    assert lunch.expected_seconds(at) == pytest.approx(plain.expected_seconds(at), rel=0.2)


def test_a_handful_of_answers_says_little():
    model, paces = fit_time_model(np.array([100, 100]), ["ann", "ann"], np.array([300.0, 300.0]))
    usual = TimeModel().expected_seconds(np.array([100]))[0]
    assert usual < model.expected_seconds(np.array([100]))[0] < 3 * usual
    assert 1.0 < paces["ann"] < 2.5


def test_no_answers_are_the_usual_guess():
    assert fit_time_model(np.array([]), [], np.array([])) == (TimeModel(), {})


def test_longer_texts_never_count_as_quicker():
    lengths = np.repeat([100, 1000], 200)
    model, _ = fit_time_model(lengths, ["ann"] * 400, np.repeat([50.0, 5.0], 200))
    assert model.exponent == 0.0
