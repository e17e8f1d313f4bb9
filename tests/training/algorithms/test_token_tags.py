"""Spans to tags and back, with property-based tests on any tokens and any spans."""

from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.algorithms.examples import Span
from training.algorithms.token_tags import (
    B,
    I,
    O,
    best_tags,
    span_of,
    span_score,
    strict_f1,
    tags_of,
    token_runs,
)

LABELS = ["drug", "effect"]


@st.composite
def tokenised_texts(draw):
    """(text, offsets) of words of one to four characters, with or without a blank between them."""
    text, offsets = "", []
    for word in draw(st.lists(st.text("aé患🤒", min_size=1, max_size=4), min_size=1, max_size=8)):
        text += draw(st.sampled_from(["", " "]))
        offsets.append((len(text), len(text) + len(word)))
        text += word
    return text, np.array(offsets)


@st.composite
def marked_texts(draw):
    text, offsets = draw(tokenised_texts())
    places = st.integers(0, len(text))
    spans = []
    for _ in range(draw(st.integers(0, 6))):
        start, end = sorted((draw(places), draw(places)))
        if start < end:
            spans.append(Span(start, end, draw(st.sampled_from(LABELS))))
    return text, offsets, spans


def there_and_back(text, offsets, spans):
    tags = tags_of(offsets, spans, LABELS)
    return tags, [span_of(run, offsets, text, LABELS) for run in token_runs(tags)]


@given(marked_texts())
def test_any_spans_come_back_apart_and_on_the_borders_of_tokens(marked):
    text, offsets, spans = marked
    tags, found = there_and_back(text, offsets, spans)
    assert not ((tags[1:] == I) & (tags[:-1] == O)).any()
    assert not (tags[0] == I).any()
    starts, ends = set(offsets[:, 0].tolist()), set(offsets[:, 1].tolist())
    for label in LABELS:
        of_label = sorted(span for span in found if span.label == label)
        assert all(span.start in starts and span.end in ends for span in of_label)
        assert all(a.end <= b.start for a, b in pairwise(of_label))
        # Exactly the tokens that a span of the label touches are within one.
        for start, end in offsets.tolist():
            touched = any(s.start < end and s.end > start for s in spans if s.label == label)
            assert touched == any(s.start <= start and end <= s.end for s in of_label)


@given(marked_texts())
def test_what_came_back_once_comes_back_again_unchanged(marked):
    text, offsets, spans = marked
    _, found = there_and_back(text, offsets, spans)
    assert sorted(there_and_back(text, offsets, found)[1]) == sorted(found)


def test_spans_of_two_labels_may_overlap_and_neighbours_of_one_stay_apart():
    text, offsets = "aa bb cc", np.array([[0, 2], [3, 5], [6, 8]])
    spans = [Span(0, 5, "drug"), Span(3, 8, "effect"), Span(6, 8, "drug")]
    assert sorted(there_and_back(text, offsets, spans)[1]) == sorted(spans)


def test_blanks_at_the_border_of_a_token_are_left_out_of_the_span():
    assert span_of((0, 2, 0), np.array([[0, 3], [3, 9]]), "an aspirin", LABELS) == Span(0, 9, "drug")
    assert span_of((1, 2, 0), np.array([[0, 2], [2, 10]]), "an aspirin", LABELS) == Span(3, 10, "drug")


@given(st.integers(1, 6), st.integers(0, 2**32 - 1))
def test_the_best_tags_are_the_likeliest_of_all_legal_ones(n_tokens, seed):
    log_p = np.log(np.random.default_rng(seed).dirichlet([0.5] * 3, size=(n_tokens, 1)))
    legal = [
        path
        for path in product((O, B, I), repeat=n_tokens)
        if path[0] != I and all(pair != (O, I) for pair in pairwise(path))
    ]
    best = max(sum(log_p[t, 0, tag] for t, tag in enumerate(path)) for path in legal)
    found = best_tags(log_p)[:, 0]
    assert tuple(found.tolist()) in legal
    assert sum(log_p[t, 0, tag] for t, tag in enumerate(found)) == pytest.approx(best)


def test_no_tokens_have_no_tags_and_no_spans():
    assert best_tags(np.empty((0, 2, 3))).shape == (0, 2)
    assert tags_of(np.empty((0, 2), dtype=int), [], LABELS).shape == (0, 2)
    assert token_runs(np.empty((0, 2), dtype=int)) == []


def test_a_certain_span_scores_high_and_a_doubtful_one_low():
    p = np.array([[[0.01, 0.98, 0.01]], [[0.01, 0.01, 0.98]], [[0.98, 0.01, 0.01]]])
    doubtful = np.array([[[0.3, 0.6, 0.1]], [[0.4, 0.1, 0.5]], [[0.5, 0.1, 0.4]]])
    assert span_score(np.log(p), (0, 2, 0)) > 3
    assert abs(span_score(np.log(doubtful), (0, 2, 0))) < 1


def test_f1_counts_a_span_that_is_right_in_all():
    right = [[Span(0, 2, "drug")], []]
    assert strict_f1(right, right) == 1.0
    assert strict_f1([[Span(0, 3, "drug")], []], right) == 0.0
    assert strict_f1([[], []], [[], []]) == 1.0
