"""The hidden chain of spans against every path counted one by one."""

from itertools import product

import numpy as np
import pytest

from annotation.algorithms.span_sequence import Moves, forward_backward, leaving, most_likely_states

MOVES = Moves(begin=0.2, stay=0.5, join=0.1, label_share=np.array([0.7, 0.3]))
LENGTHS = np.array([4, 3, 1])
FIRST = np.array([0, 4, 7])
EMISSION = np.log(np.random.default_rng(1).uniform(0.05, 1.0, (8, 5)))


def step(before: int, after: int) -> float:
    """Probability of one move; state 0 is outside, 1 and 3 begin a span of label 0 and 1, 2 and 4 go on."""
    label = (after - 1) // 2
    if after == 0:
        return 0.8 if before == 0 else 0.4
    if after % 2 == 1:
        return (0.2 if before == 0 else 0.1) * MOVES.label_share[label]
    return 0.5 if before in (after, after - 1) else 0.0


def paths(chain: int) -> dict[tuple[int, ...], float]:
    """Every legal path of a chain with its joint probability; a text begins as after an outside cell."""
    emission = np.exp(EMISSION[FIRST[chain] : FIRST[chain] + LENGTHS[chain]])
    found = {}
    for path in product(range(5), repeat=LENGTHS[chain]):
        moves = np.prod([step(a, b) for a, b in zip((0, *path), path, strict=False)])
        if moves > 0:
            found[path] = moves * np.prod(emission[np.arange(len(path)), path])
    return found


def test_posterior_and_evidence_are_those_of_all_paths():
    smoothed = forward_backward(EMISSION, FIRST, LENGTHS, MOVES)
    for chain, (first, length) in enumerate(zip(FIRST, LENGTHS, strict=True)):
        every = paths(chain)
        assert smoothed.evidence_at[first] == pytest.approx(np.log(sum(every.values())))
        expected = np.zeros((length, 5))
        for path, probability in every.items():
            expected[np.arange(length), path] += probability
        expected /= sum(every.values())
        np.testing.assert_allclose(smoothed.posterior[first : first + length], expected, atol=1e-12)


def test_expected_moves_are_those_of_all_paths():
    expected = np.zeros(5)  # outside, begin, stay, join, end
    for chain in range(len(LENGTHS)):
        every = paths(chain)
        for path, probability in every.items():
            for a, b in zip((0, *path), path, strict=False):
                kind = (0 if b == 0 else 1) if a == 0 else (4 if b == 0 else 3 if b % 2 else 2)
                expected[kind] += probability / sum(every.values())
    counts = forward_backward(EMISSION, FIRST, LENGTHS, MOVES).move_counts
    np.testing.assert_allclose(counts, expected, atol=1e-12)


def test_most_likely_states_are_those_of_the_best_path():
    states = most_likely_states(EMISSION, FIRST, LENGTHS, MOVES)
    for chain, (first, length) in enumerate(zip(FIRST, LENGTHS, strict=True)):
        every = paths(chain)
        assert tuple(states[first : first + length]) == max(every, key=every.get)


def test_a_span_that_goes_on_without_having_begun_is_impossible_however_well_it_fits():
    emission = EMISSION.copy()
    emission[0, 2] = 50.0
    assert forward_backward(emission, FIRST, LENGTHS, MOVES).posterior[0, 2] == 0.0
    assert most_likely_states(emission, FIRST, LENGTHS, MOVES)[0] != 2


def test_probability_of_one_exact_span_comes_from_its_begin_and_what_follows_its_end():
    smoothed = forward_backward(EMISSION, FIRST, LENGTHS, MOVES)
    left = leaving(EMISSION, smoothed.behind, FIRST, MOVES)
    every = paths(0)
    for last in (1, 2, 3):
        inside = (1, *[2] * last)
        exact = sum(
            probability
            for path, probability in every.items()
            if path[: last + 1] == inside and path[last + 1 : last + 2] != (2,)
        )
        log_exact = smoothed.ahead[0, 1] + EMISSION[1 : last + 1, 2].sum() + last * np.log(0.5) + left[last]
        assert np.exp(log_exact) == pytest.approx(exact)


def test_states_that_are_ruled_out_leave_everything_else_finite():
    emission = EMISSION.copy()
    emission[1, 1:] = -np.inf
    posterior = forward_backward(emission, FIRST, LENGTHS, MOVES).posterior
    assert np.isfinite(posterior).all() and posterior[1, 0] == 1.0
