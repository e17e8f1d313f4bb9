"""Votes on relations between consensus spans."""

import pytest

from annotation.algorithms.spans import ScoredSpan, relation_votes

DRUG, RASH, FEVER = (0, 7, "drug"), (20, 28, "sign"), (40, 45, "sign")
CONSENSUS = [ScoredSpan(*span, 0.9, 0.9, 3) for span in (DRUG, RASH, FEVER)]


def test_a_relation_counts_for_the_spans_that_its_own_overlap_best():
    wide = [(21, 45, "sign"), (0, 7, "drug")]  # covers most of the rash and all of the fever
    narrow = [(38, 45, "sign"), (0, 9, "drug")]
    votes = relation_votes(CONSENSUS, [(wide, [(1, 0, "causes")]), (narrow, [(1, 0, "causes")])], [1.0, 1.0])
    assert votes == [(0, 1, "causes", 0.5), (0, 2, "causes", 0.5)]


def test_direction_and_label_make_different_relations():
    spans = [DRUG, RASH]
    answers = [(spans, [(0, 1, "causes")]), (spans, [(1, 0, "causes")]), (spans, [(0, 1, "treats")])]
    assert relation_votes(CONSENSUS, answers, [2.0, 1.0, 1.0]) == [
        (0, 1, "causes", 0.5),
        (0, 1, "treats", 0.25),
        (1, 0, "causes", 0.25),
    ]


def test_a_volunteer_votes_once_for_a_pair_however_many_spans_they_cut_it_into():
    cut = [DRUG, (20, 24, "sign"), (25, 28, "sign")]
    votes = relation_votes(CONSENSUS, [(cut, [(0, 1, "causes"), (0, 2, "causes")]), ([], [])], [1.0, 3.0])
    assert votes == [(0, 1, "causes", 0.25)]


def test_a_relation_to_what_is_no_consensus_span_or_within_one_is_no_vote():
    spans = [DRUG, (50, 55, "sign"), (20, 24, "sign"), (25, 28, "sign")]
    assert relation_votes(CONSENSUS, [(spans, [(0, 1, "causes"), (2, 3, "same")])], [1.0]) == []


def test_at_equal_overlap_the_span_of_the_same_label_is_meant():
    twins = [ScoredSpan(0, 7, "sign", 1, 1, 1), ScoredSpan(0, 7, "drug", 1, 1, 1), CONSENSUS[1]]
    assert relation_votes(twins, [([DRUG, RASH], [(0, 1, "causes")])], [1.0]) == [(1, 2, "causes", 1.0)]


def test_answers_without_weight_decide_nothing():
    answers = [([DRUG, RASH], [(0, 1, "causes")])]
    assert relation_votes(CONSENSUS, answers, [0.0]) == []
    assert relation_votes(CONSENSUS, [], []) == []
    with pytest.raises(ValueError, match="not negative"):
        relation_votes(CONSENSUS, answers, [-1.0])
