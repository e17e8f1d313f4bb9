import numpy as np
import pytest
from sklearn.metrics import f1_score, recall_score

from training.algorithms.examples import Span
from training.algorithms.outcomes import outcomes_of_classes, outcomes_of_marks, outcomes_of_sets


def test_f1_and_recall_under_weights_are_those_of_the_items_repeated():
    rng = np.random.default_rng(1)
    y_true, y_predicted = rng.integers(0, 4, 80), rng.integers(0, 4, 80)
    weights = rng.integers(0, 3, (5, 80)).astype(np.float32)
    outcomes = outcomes_of_classes(y_true, y_predicted, 4)
    for b, counts in enumerate(weights.astype(int)):
        true, predicted = np.repeat(y_true, counts), np.repeat(y_predicted, counts)
        f1 = f1_score(true, predicted, average="macro")
        assert outcomes.macro_f1(weights)[b] == pytest.approx(f1)
        assert outcomes.recall(weights)[b] == pytest.approx(recall_score(true, predicted, average=None))


def test_a_sample_without_a_class_gives_it_no_f1_and_keeps_it_in_the_mean():
    outcomes = outcomes_of_classes(np.array([0, 1]), np.array([0, 1]), 3)
    assert outcomes.occurs.tolist() == [True, True, False]
    assert outcomes.macro_f1(np.array([[1.0, 1.0], [2.0, 0.0]])).tolist() == [1.0, 0.5]


def test_sets_and_spans_count_what_is_found_invented_and_missed():
    sets = outcomes_of_sets(np.array([[True, False], [True, True]]), np.array([[True, True], [False, True]]))
    assert sets.true_positives.tolist() == [[1, 0], [0, 1]]
    assert sets.false_positives.tolist() == [[0, 1], [0, 0]]
    assert sets.false_negatives.tolist() == [[0, 0], [1, 0]]

    found = [[Span(0, 3, "a"), Span(0, 3, "a"), Span(5, 8, "b")]]
    spans = outcomes_of_marks(found, [[Span(0, 3, "a"), Span(5, 9, "b")]], ["a", "b"])
    assert spans.true_positives.tolist() == [[1, 0]], "a span that stands twice counts once"
    assert spans.false_positives.tolist() == [[0, 1]]
    assert spans.false_negatives.tolist() == [[0, 1]]
