import json

import numpy as np
import pytest
from sklearn import metrics as oracle

from training.algorithms.metrics import (
    accuracy,
    auroc,
    brier,
    confusion_matrix,
    evaluate,
    expected_calibration_error,
    macro_f1,
    negative_log_likelihood,
    per_class,
    reliability,
)


@pytest.fixture(params=range(3))
def sample(request):
    """60 examples of 5 classes; class 4 is never true, class 3 hardly ever predicted."""
    rng = np.random.default_rng(request.param)
    y_true = rng.integers(0, 4, size=60)
    scores = rng.random((60, 5)) ** 3
    scores[:, 3] *= 0.1
    return y_true, scores / scores.sum(axis=1, keepdims=True)


def test_metrics_equal_scikit_learn(sample):
    y_true, probabilities = sample
    y_predicted, classes = probabilities.argmax(axis=1), np.arange(5)
    confusion = confusion_matrix(y_true, y_predicted, 5)
    precision, recall, f1, support = oracle.precision_recall_fscore_support(
        y_true, y_predicted, labels=classes, zero_division=0
    )
    found = per_class(confusion)

    assert accuracy(y_true, y_predicted) == pytest.approx(oracle.accuracy_score(y_true, y_predicted))
    assert confusion.tolist() == oracle.confusion_matrix(y_true, y_predicted, labels=classes).tolist()
    assert found["precision"] == pytest.approx(precision)
    assert found["recall"] == pytest.approx(recall)
    assert found["f1"] == pytest.approx(f1)
    assert found["support"].tolist() == support.tolist()
    assert macro_f1(confusion) == pytest.approx(
        oracle.f1_score(y_true, y_predicted, average="macro", zero_division=0)
    )
    assert negative_log_likelihood(y_true, probabilities) == pytest.approx(
        oracle.log_loss(y_true, probabilities, labels=classes)
    )
    assert brier(y_true, probabilities) == pytest.approx(
        oracle.brier_score_loss(y_true, probabilities, labels=classes, scale_by_half=False)
    )


def test_auroc_equals_scikit_learn_with_ties_and_leaves_out_a_class_that_never_occurs(sample):
    y_true, probabilities = sample
    probabilities = probabilities.round(1)  # many ties
    expected = [oracle.roc_auc_score(y_true == k, probabilities[:, k]) for k in range(4)]
    assert auroc(y_true, probabilities) == pytest.approx(np.mean(expected))


def test_auroc_of_one_class_alone_is_unknown():
    assert auroc(np.array([1, 1]), np.array([[0.1, 0.9], [0.4, 0.6]])) is None


def test_bins_of_the_calibration_plot_are_of_equal_mass_and_add_up_to_the_error(sample):
    y_true, probabilities = sample
    bins = reliability(probabilities.max(axis=1), probabilities.argmax(axis=1) == y_true)
    assert [b["n"] for b in bins] == [4] * 15
    assert [b["confidence"] for b in bins] == sorted(b["confidence"] for b in bins)
    error = sum(4 * abs(b["accuracy"] - b["confidence"]) for b in bins) / 60
    assert expected_calibration_error(y_true, probabilities) == pytest.approx(error)


def test_calibration_error_is_the_gap_between_confidence_and_accuracy():
    probabilities = np.array([[0.9, 0.1]] * 10)
    y_true = np.array([0] * 6 + [1] * 4)  # confidence .9, accuracy .6
    assert expected_calibration_error(y_true, probabilities, n_bins=1) == pytest.approx(0.3)


def test_calibration_error_weighs_bins_by_their_mass():
    probabilities = np.array([[0.6, 0.4]] * 2 + [[1.0, 0.0]] * 2)
    y_true = np.array([1, 1, 0, 0])  # low bin: .6 against 0; high bin: 1 against 1
    assert expected_calibration_error(y_true, probabilities, n_bins=2) == pytest.approx(0.3)


def test_calibration_error_of_fewer_examples_than_bins_is_finite():
    assert expected_calibration_error(np.array([0]), np.array([[0.75, 0.25]])) == pytest.approx(0.25)


def test_a_confident_miss_costs_a_finite_loss():
    loss = negative_log_likelihood(np.array([1]), np.array([[1.0, 0.0]], dtype=np.float32))
    assert loss == pytest.approx(-np.log(1e-12))


def test_evaluation_can_be_stored_as_json():
    y_true, probabilities = np.array([0, 1, 1]), np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]], np.float32)
    stored = json.loads(json.dumps(evaluate(y_true, probabilities)))
    assert stored["n_examples"] == 3
    assert stored["accuracy"] == pytest.approx(2 / 3)
    assert stored["confusion_matrix"] == [[1, 0], [1, 1]]
    assert stored["per_class"]["recall"] == [1.0, 0.5]
    assert stored["macro_f1"] == pytest.approx(2 / 3)
