"""Scores of compared items against choix and simulations; guessing volunteers are found and weigh little."""

import choix
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr

from annotation.algorithms import pairs
from annotation.algorithms.pairs import FIRST, SECOND, TIE, davidson, fit_pairs, pair_posterior


def comparisons(
    seed: int, *, n: int = 1500, n_items: int = 25, reliability: tuple[float, ...] = (1.0,), tie: float = 0.0
):
    """Scores [I] from a normal distribution; first, second, outcome, worker [N]."""
    rng = np.random.default_rng(seed)
    scores = rng.normal(0, 1.5, n_items)
    first = rng.integers(0, n_items, n)
    second = (first + rng.integers(1, n_items, n)) % n_items
    worker = rng.integers(0, len(reliability), n)
    edges = davidson(scores[first] - scores[second], tie).cumsum(axis=1)
    by_scores = (rng.random(n)[:, None] > edges[:, :2]).sum(axis=1)
    by_chance = rng.integers(0, 3 if tie else 2, n)
    outcome = np.where(rng.random(n) < np.array(reliability)[worker], by_scores, by_chance)
    return scores - scores.mean(), (first, second, outcome, worker)


def test_scores_of_volunteers_taken_at_their_word_are_those_of_choix():
    _, (first, second, outcome, worker) = comparisons(1)
    fit = fit_pairs(first, second, outcome, worker, 25, 1, learns_reliability=False)
    winners = np.where(outcome == FIRST, [first, second], [second, first]).T.tolist()
    # choix's penalty is alpha times the square, half of a normal prior's precision.
    theirs = choix.opt_pairwise(25, winners, alpha=pairs.SCORE_PRECISION / 2)
    assert fit.scores == pytest.approx(theirs - theirs.mean(), abs=1e-3)
    assert fit.tie == 0.0


def test_an_outcomes_odds_are_the_ratio_of_the_items_strengths():
    """Strengths 4 and 1, tie 1: 4 to 1 to sqrt(4 * 1) = 2."""
    assert davidson(np.log(4.0), 1.0) == pytest.approx([4 / 7, 1 / 7, 2 / 7])
    assert davidson(np.log(4.0), 0.0) == pytest.approx([4 / 5, 1 / 5, 0])
    assert davidson(np.array([5000.0]), 1.0) == pytest.approx(np.array([[1.0, 0.0, 0.0]]))


def test_the_share_of_ties_is_learned():
    _, columns = comparisons(2, n=6000, tie=0.8)
    assert fit_pairs(*columns, 25, 1).tie == pytest.approx(0.8, abs=0.1)


def test_guessing_volunteers_are_told_from_reliable_ones():
    reliability = (0.95, 0.95, 0.95, 0.9, 0.0, 0.0)
    _, columns = comparisons(3, n=3000, reliability=reliability, tie=0.3)
    found = fit_pairs(*columns, 25, 6).reliability
    assert found[:4].min() > 0.7
    assert found[4:].max() < 0.3


def test_weighing_volunteers_finds_the_order_better_where_many_guess():
    reliability = (0.95,) * 4 + (0.0,) * 8
    gains = []
    for seed in range(8):
        scores, columns = comparisons(seed, n=700, reliability=reliability)
        weighed, plain = (
            spearmanr(fit_pairs(*columns, 25, 12, learns_reliability=learns).scores, scores)[0]
            for learns in (True, False)
        )
        gains.append(weighed - plain)
    assert np.mean(gains) > 0.03
    assert sum(gain > 0 for gain in gains) >= 7


def test_standard_errors_are_as_wide_as_the_scores_are_off():
    off = []
    for seed in range(20):
        scores, columns = comparisons(seed)
        fit = fit_pairs(*columns, 25, 1, learns_reliability=False)
        off.append((fit.scores - scores) / fit.standard_errors)
    assert np.std(off) == pytest.approx(1.0, abs=0.12)
    assert np.mean(np.abs(off) < 1.96) == pytest.approx(0.95, abs=0.025)


def test_beyond_many_items_standard_errors_are_nearly_the_same(monkeypatch):
    _, columns = comparisons(4)
    jointly = fit_pairs(*columns, 25, 1).standard_errors
    monkeypatch.setattr(pairs, "MOST_ITEMS_JOINTLY", 24)
    alone = fit_pairs(*columns, 25, 1).standard_errors
    assert (np.abs(alone / jointly - 1) < 0.1).all()


def test_an_item_that_always_won_and_items_never_compared_have_finite_scores():
    fit = fit_pairs([0, 0, 0], [1, 1, 1], [FIRST] * 3, [0, 0, 0], 4, 2)
    assert np.isfinite(fit.scores).all() and np.isfinite(fit.standard_errors).all()
    assert fit.scores[0] > fit.scores[2] == fit.scores[3] > fit.scores[1]
    assert fit.standard_errors[2] > fit.standard_errors[0]
    assert fit.reliability[1] == pytest.approx(0.8)  # the prior's


def test_no_comparisons_leave_everything_at_the_prior():
    nothing = np.zeros(0, dtype=int)
    fit = fit_pairs(nothing, nothing, nothing, nothing, 3, 1)
    assert np.array_equal(fit.scores, np.zeros(3))
    assert fit.outcome_probabilities(np.array([0]), np.array([1])).tolist() == [[0.5, 0.5, 0.0]]


def test_all_comparisons_tied_put_all_items_at_one_score():
    fit = fit_pairs([0, 1, 2], [1, 2, 0], [TIE] * 3, [0, 0, 0], 3, 1)
    assert fit.scores == pytest.approx(np.zeros(3), abs=1e-6)
    assert fit.tie > 1


def test_comparisons_that_make_no_sense_are_refused():
    with pytest.raises(ValueError, match="2 for a tie"):
        fit_pairs([0], [1], [3], [0], 2, 1)
    with pytest.raises(ValueError, match="with itself"):
        fit_pairs([1], [1], [0], [0], 2, 1)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 1000))
def test_turning_every_pair_around_changes_no_score(seed):
    _, (first, second, outcome, worker) = comparisons(seed, n=60, n_items=6, tie=0.4)
    turned = np.array([SECOND, FIRST, TIE])[outcome]
    one = fit_pairs(first, second, outcome, worker, 6, 1)
    other = fit_pairs(second, first, turned, worker, 6, 1)
    assert one.scores == pytest.approx(other.scores, abs=1e-2)


def test_a_pairs_posterior_weighs_each_volunteer_by_their_reliability():
    """0.9 + 0.1 / 2 for and 0.1 / 2 against, over 0.6 + 0.4 / 2 against and 0.4 / 2 for."""
    posterior = pair_posterior([FIRST, SECOND], [0.9, 0.6], prior=(0.5, 0.5, 0.0))
    assert posterior[0] / posterior[1] == pytest.approx((0.95 * 0.2) / (0.05 * 0.8))
    assert posterior[2] == 0.0


def test_a_volunteer_who_guesses_moves_nothing_and_an_unknown_one_counts_as_typical():
    assert pair_posterior([FIRST], [0.0]) == pytest.approx([1 / 3] * 3)
    assert pair_posterior([FIRST], [None]) == pytest.approx(pair_posterior([FIRST], [0.8]))
    assert pair_posterior([], []) == pytest.approx([1 / 3] * 3)


def test_what_the_items_scores_say_is_the_prior():
    prior = davidson(2.0, 0.5)
    assert pair_posterior([], [], prior=prior) == pytest.approx(prior)
    assert pair_posterior([TIE], [0.7], prior=prior)[2] > prior[2]
