"""Span F1 against values worked out by hand."""

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotation.algorithms.span_scores import pairwise_f1, span_f1

THIRD = pytest.approx(1 / 3)


def test_strict_wants_the_same_ends_and_label_and_relaxed_any_overlap():
    """Of three predicted one is exact, one overlaps, one has another label; both gold spans are found."""
    scores = span_f1(
        [[(0, 4, "a"), (10, 15, "a"), (20, 25, "b")]],
        [[(0, 4, "a"), (12, 18, "a")]],
    )
    assert scores["strict"] == {"precision": THIRD, "recall": 0.5, "f1": pytest.approx(0.4)}
    assert scores["relaxed"] == {"precision": pytest.approx(2 / 3), "recall": 1.0, "f1": pytest.approx(0.8)}


def test_spans_that_touch_do_not_overlap():
    assert span_f1([[(0, 4, "a"), (8, 9, "a")]], [[(4, 8, "a")]])["relaxed"]["f1"] == 0.0


def test_texts_are_counted_together_and_never_compared_with_each_other():
    scores = span_f1([[(0, 4, "a")], []], [[], [(0, 4, "a")]])
    assert scores["strict"] == {"precision": 0.0, "recall": 0.0, "f1": 0.0}


def test_finding_nothing_where_nothing_is_is_right():
    assert span_f1([[]], [[]])["strict"]["f1"] == 1.0
    assert span_f1([], [])["relaxed"]["f1"] == 1.0
    assert span_f1([[(0, 1, "a")]], [[]])["strict"] == {"precision": 0.0, "recall": 0.0, "f1": 0.0}


def test_a_span_given_twice_counts_once():
    assert span_f1([[(0, 4, "a"), (0, 4, "a")]], [[(0, 4, "a")]])["strict"]["precision"] == 1.0


def test_as_many_predictions_as_gold_texts_are_wanted():
    with pytest.raises(ValueError):
        span_f1([[]], [[], []])


ends = st.tuples(st.integers(0, 9), st.integers(1, 5)).map(lambda drawn: (drawn[0], sum(drawn)))
spans = st.lists(st.tuples(ends, st.sampled_from("ab")).map(lambda drawn: (*drawn[0], drawn[1])), max_size=8)


@given(st.lists(st.tuples(spans, spans), max_size=4))
def test_f1_is_the_same_both_ways_and_relaxed_is_never_below_strict(texts):
    ours, theirs = [a for a, _ in texts], [b for _, b in texts]
    there, back = span_f1(ours, theirs), span_f1(theirs, ours)
    for kind in ("strict", "relaxed"):
        assert there[kind]["f1"] == pytest.approx(back[kind]["f1"])
        assert 0.0 <= there[kind]["f1"] <= 1.0
    assert there["relaxed"]["f1"] >= there["strict"]["f1"] - 1e-12


@given(spans, spans)
def test_overlap_is_counted_as_comparing_every_two_would(ours, theirs):
    expected = [any(a < d and c < b and label == key for c, d, key in theirs) for a, b, label in set(ours)]
    precision = span_f1([ours], [theirs])["relaxed"]["precision"]
    assert precision == pytest.approx(sum(expected) / len(expected) if expected else float(not theirs))


def test_twenty_thousand_spans_in_a_text_are_compared_at_once():
    many = [(i * 3, i * 3 + 2, "a") for i in range(20_000)]
    began = time.perf_counter()
    assert span_f1([many], [many])["relaxed"]["f1"] == 1.0
    assert time.perf_counter() - began < 5


def test_pairs_of_workers_are_compared_on_the_texts_they_share():
    rash, drug = (0, 4, "sign"), (5, 9, "drug")
    task, worker = np.array([0, 0, 1, 1, 1]), np.array([2, 0, 0, 1, 2])
    stated = [{rash}, {rash, drug}, {rash}, {(0, 3, "sign")}, {rash}]
    f1, _, _, n_shared = pairwise_f1(task, worker, stated, 4, rng=np.random.default_rng(0))
    assert f1[0, 2] == f1[2, 0] == pytest.approx(0.8), "two texts together: 2 * 2 of 5"
    assert f1[0, 1] == f1[1, 2] == 0.0
    assert n_shared.tolist() == [[0, 1, 2, 0], [1, 0, 1, 0], [2, 1, 0, 0], [0, 0, 0, 0]]
    assert np.isnan(f1[3]).all() and np.isnan(f1.diagonal()).all()


def test_two_who_state_nothing_have_no_f1():
    rng = np.random.default_rng(0)
    found = pairwise_f1(np.array([0, 0]), np.array([0, 1]), [set(), set()], 2, rng=rng)
    assert np.isnan([square[0, 1] for square in found[:3]]).all() and found.n_tasks[0, 1] == 1


def test_what_two_state_in_common_has_an_interval_that_narrows_with_their_tasks():
    widths = []
    for n in (20, 500):
        stated = [facts for i in range(n) for facts in ({i, -i - 1}, {i, -i - 1 - (i % 2)})]
        task, worker = np.repeat(np.arange(n), 2), np.tile([0, 1], n)
        found = pairwise_f1(task, worker, stated, 2, rng=np.random.default_rng(0))
        assert found.value[0, 1] == pytest.approx(0.75)
        assert found.low[0, 1] < 0.75 < found.high[0, 1] <= 1.0
        widths.append(found.high[0, 1] - found.low[0, 1])
    assert widths[1] < widths[0] / 3
