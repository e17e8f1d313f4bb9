import json

import pytest

from training.algorithms.examples import Relation, Span
from training.algorithms.metrics_of_marks import (
    evaluate_relations,
    evaluate_spans,
    relaxed_f1,
    spans_overlap,
)
from training.algorithms.token_tags import strict_f1

LABELS = ["drug", "disease"]
RIGHT = [[Span(0, 7, "drug"), Span(12, 20, "disease")], [Span(3, 9, "disease")], []]
FOUND = [
    [(Span(0, 7, "drug"), 0.9), (Span(10, 20, "disease"), 0.7)],  # right; begins too early
    [(Span(3, 9, "drug"), 0.6)],  # another label
    [],
]


def test_spans_are_scored_strictly_and_relaxed():
    found = evaluate_spans(FOUND, RIGHT, LABELS)
    marked = [[span for span, _ in spans] for spans in FOUND]
    assert found["strict_f1"] == pytest.approx(2 * 1 / 6) == strict_f1(marked, RIGHT)
    assert found["relaxed_f1"] == pytest.approx(2 * 2 / 6)
    assert found["accuracy"] == pytest.approx(1 / 3), "the text in which there is nothing to find"
    assert found["per_class"]["precision"] == [0.5, 0.0]
    assert found["per_class"]["recall"] == [1.0, 0.0]
    assert found["per_class"]["support"] == [1, 2]
    assert found["macro_f1"] == pytest.approx((2 / 3 + 0) / 2)
    assert json.loads(json.dumps(found)) == found


def test_calibration_of_spans_holds_certainty_against_being_right():
    certain = [[(Span(0, 2, "drug"), 0.75)]] * 4
    right = [[Span(0, 2, "drug")]] * 3 + [[]]
    error = evaluate_spans(certain, right, LABELS)["expected_calibration_error"]
    assert error == pytest.approx((3 * 0.25 + 0.75) / 4), "a bin each: fewer spans than bins"


def test_no_span_found_has_no_calibration_error():
    found = evaluate_spans([[], []], RIGHT[:2], LABELS)
    assert (found["strict_f1"], found["relaxed_f1"], found["expected_calibration_error"]) == (0, 0, 0)


def test_as_many_overlaps_are_matched_as_can_be():
    right = [[Span(0, 4, "drug"), Span(3, 9, "drug")]]
    found = [[Span(0, 9, "drug"), Span(0, 2, "drug")]]  # the first could take the one the second needs
    assert relaxed_f1(found, right, spans_overlap) == 1.0


def test_spans_that_only_touch_do_not_overlap():
    assert relaxed_f1([[Span(0, 4, "drug")]], [[Span(4, 6, "drug")]], spans_overlap) == 0.0


def test_relations_are_scored_by_label_and_together_and_unrelated_pairs_do_not_count():
    drug, other = Span(0, 7, "drug"), Span(40, 47, "drug")
    rash, fever = Span(12, 20, "sign"), Span(30, 35, "sign")
    right = [
        [Relation(drug, rash, "causes"), Relation(drug, fever, "causes")],
        [Relation(other, rash, "treats")],
        [],
    ]
    found = [
        [(Relation(drug, rash, "causes"), 0.9), (Relation(drug, Span(29, 35, "sign"), "causes"), 0.8)],
        [(Relation(rash, other, "treats"), 0.7)],  # the other way round
        [],
    ]
    figures = evaluate_relations(found, right, ["causes", "treats"])
    assert figures["relation_f1"] == pytest.approx(2 * 1 / (3 + 3))
    assert figures["relaxed_relation_f1"] == pytest.approx(2 * 2 / (3 + 3))
    assert figures["per_class"] == {
        "precision": [0.5, 0.0], "recall": [0.5, 0.0], "f1": [0.5, 0.0], "support": [2, 1],
    }  # fmt: skip
    assert figures["macro_f1"] == pytest.approx(0.25)
    assert figures["accuracy"] == pytest.approx(1 / 3), "the text in which nothing is related"
    assert json.loads(json.dumps(figures)) == figures
