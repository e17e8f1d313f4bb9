import json

import numpy as np
import pytest
from sklearn import metrics as oracle

from training.algorithms.metrics_of_sets import evaluate_labels


@pytest.fixture
def sample():
    """200 examples, 4 labels; the last is never right and never chosen."""
    rng = np.random.default_rng(0)
    targets = rng.random((200, 4)) < [0.5, 0.3, 0.1, 0.0]
    probabilities = np.clip(0.6 * targets + 0.5 * rng.random((200, 4)), 0.01, 0.99)
    probabilities[:, 3] = 0.01
    return targets, probabilities


def test_metrics_of_multiple_choice_equal_scikit_learn(sample):
    targets, probabilities = sample
    chosen, found = probabilities >= 0.5, evaluate_labels(*sample)
    precision, recall, f1, support = oracle.precision_recall_fscore_support(targets, chosen, zero_division=0)
    assert found["accuracy"] == pytest.approx(oracle.accuracy_score(targets, chosen))
    assert found["micro_f1"] == pytest.approx(oracle.f1_score(targets, chosen, average="micro"))
    assert found["macro_f1"] == pytest.approx(f1[:3].mean()), "a label that never occurs has no F1"
    assert found["per_class"]["precision"] == pytest.approx(precision)
    assert found["per_class"]["recall"] == pytest.approx(recall)
    assert found["per_class"]["f1"] == pytest.approx(f1)
    assert found["per_class"]["support"] == support.tolist()
    assert found["auroc"] == pytest.approx(
        oracle.roc_auc_score(targets[:, :3], probabilities[:, :3], average="macro")
    )
    assert found["negative_log_likelihood"] == pytest.approx(
        oracle.log_loss(targets.ravel(), probabilities.ravel())
    )
    assert found["brier"] == pytest.approx(
        oracle.brier_score_loss(targets.ravel(), probabilities.ravel(), scale_by_half=False)
    )


def test_calibration_is_measured_over_questions_answered_yes_or_no():
    targets = np.array([[True, False]] * 9 + [[False, True]])
    probabilities = np.array([[0.8, 0.2]] * 10)  # 18 of 20 answers are right, each said to be right at 0.8
    assert evaluate_labels(targets, probabilities)["expected_calibration_error"] >= 0.1


def test_evaluation_of_labels_can_be_stored_as_json(sample):
    assert json.loads(json.dumps(evaluate_labels(*sample)))["n_examples"] == 200


def test_nothing_to_find_and_nothing_found_is_all_right():
    found = evaluate_labels(np.zeros((3, 2), dtype=bool), np.full((3, 2), 0.1))
    assert (found["accuracy"], found["macro_f1"], found["micro_f1"], found["auroc"]) == (1, 1, 1, None)
