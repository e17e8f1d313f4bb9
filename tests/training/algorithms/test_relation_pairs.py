"""Relations become pairs of one class each, by counts that fit a hand."""

import numpy as np
import pytest

from training.algorithms.acquisition import margin
from training.algorithms.examples import Examples, Relation, Span
from training.algorithms.relation_pairs import (
    MOST_PAIRS,
    NO_RELATION,
    Reading,
    candidate_pairs,
    ends_that_join,
    pair_examples,
)
from training.algorithms.splits import TEST, TRAIN, VALIDATION
from training.algorithms.targets import relations_of

TEXT = "Aspirin caused rash, not fever."
DRUG, RASH, FEVER = Span(0, 7, "drug"), Span(15, 19, "sign"), Span(25, 30, "sign")
CAUSES = Relation(DRUG, RASH, "causes")


def examples(relations: list[dict], parts: list[int], weights=None) -> Examples:
    n = len(relations)
    return Examples(
        head="relations",
        class_names=("causes", "treats"),
        texts=[TEXT] * n,
        targets=None,
        weights=np.ones(n, dtype=np.float32) if weights is None else np.array(weights, dtype=np.float32),
        parts=np.array(parts, dtype=np.int8),
        spans=[[DRUG, RASH, FEVER]] * n,
        relations=relations,
    )


def test_only_labels_that_stand_at_the_ends_of_a_relation_make_a_pair_in_that_order():
    joined = ends_that_join([{CAUSES: 0.9, Relation(RASH, FEVER, "causes"): 0.4}])
    assert joined == {("drug", "sign")}, "what people hold for unlikely joins nothing"
    assert candidate_pairs([DRUG, RASH, FEVER], joined) == [(0, 1), (0, 2)]
    assert candidate_pairs([DRUG, RASH, FEVER], {("sign", "sign")}) == [(1, 2), (2, 1)]
    assert candidate_pairs([DRUG], {("drug", "drug")}) == [], "no span is a pair with itself"


def test_of_many_pairs_the_nearest_are_candidates():
    spans = [Span(10 * n, 10 * n + 5, "sign") for n in range(30)]
    pairs = candidate_pairs(spans, {("sign", "sign")})
    assert len(pairs) == MOST_PAIRS
    assert pairs == sorted(pairs)
    # 58 pairs of neighbours, in both orders, and six of the 56 with one span between.
    assert sorted(abs(head - tail) for head, tail in pairs) == [1] * 58 + [2] * 6


def test_each_candidate_is_a_text_with_its_pair_marked_what_people_hold_for_it_and_its_texts_weight():
    found = pair_examples(
        examples([{CAUSES: 0.8}, {CAUSES: 1.0}, {}], [TRAIN, TEST, VALIDATION], [0.5, 1.0, 1.0]),
        {("drug", "sign")},
    )
    assert (found.head, found.class_names) == ("single", (NO_RELATION, "causes", "treats"))
    assert (
        found.texts
        == [
            "@ * drug * Aspirin @ caused # ^ sign ^ rash #, not fever.",
            "@ * drug * Aspirin @ caused rash, not # ^ sign ^ fever #.",
        ]
        * 2
    ), "the text that judges is not among them"
    assert found.targets == pytest.approx(np.array([[0.2, 0.8, 0], [1, 0, 0], [1, 0, 0], [1, 0, 0]]))
    assert found.parts.tolist() == [TRAIN, TRAIN, VALIDATION, VALIDATION]
    assert found.weights.tolist() == [0.5, 0.5, 1.0, 1.0]


def test_two_labels_that_hold_for_one_pair_share_it():
    both = {CAUSES: 1.0, Relation(DRUG, RASH, "treats"): 1.0}
    found = pair_examples(examples([both], [TRAIN]), {("drug", "sign")})
    assert found.targets[0].tolist() == [0.0, 0.5, 0.5]


def test_texts_without_a_candidate_make_no_example():
    found = pair_examples(examples([{}, {}], [TRAIN, TRAIN]), set())
    assert (len(found), found.targets.shape) == (0, (0, 3))


def test_a_relation_is_as_sure_as_it_and_both_of_its_spans_are():
    reading = Reading(
        [(DRUG, 0.9), (RASH, 0.8), (FEVER, 1.0)],
        [(0, 1), (0, 2)],
        np.array([[0.3, 0.6, 0.1], [0.7, 0.1, 0.2]]),
    )
    [(relation, probability)] = reading.relations(["causes", "treats"])
    assert (relation, round(probability, 4)) == (CAUSES, 0.432)
    # The first pair: 1 - (0.6 - 0.3), times 0.72; the second: 0.5 * 0.9; of the spans 1 - |2 * 0.8 - 1|.
    assert reading.unsure(margin) == pytest.approx(0.504)
    assert Reading([]).unsure(margin) == 0.0


def test_beliefs_are_of_the_pair_that_they_name_and_without_any_the_answer_holds():
    value = {
        "spans": [dict(zip(("start", "end", "label"), span, strict=True)) for span in (DRUG, RASH, FEVER)],
        "relations": [{"from": 0, "to": 1, "label": "causes"}],
    }
    assert relations_of(value, None) == {CAUSES: 1.0}
    beliefs = {
        "0-7 drug": 0.9,
        "0-7 → 15-19 causes": 0.75,
        "0-7 → 25-30 causes": 0.25,
        "1-2 → 3-4 causes": 0.5,
    }
    assert relations_of(value, beliefs) == {CAUSES: 0.75, Relation(DRUG, FEVER, "causes"): 0.25}


def test_a_belief_about_a_place_with_two_labels_is_about_the_relation_that_was_stated():
    other = Span(15, 19, "finding")
    value = {
        "spans": [dict(zip(("start", "end", "label"), span, strict=True)) for span in (DRUG, RASH, other)],
        "relations": [{"from": 0, "to": 1, "label": "causes"}],
    }
    assert relations_of(value, {"0-7 → 15-19 causes": 0.75}) == {CAUSES: 0.75}
