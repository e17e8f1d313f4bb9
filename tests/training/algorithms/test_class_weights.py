import numpy as np
import pytest

from training.algorithms.class_weights import class_weights


def test_balanced_classes_are_not_weighted():
    assert class_weights(np.array([2.0, 1.0]), imbalance_ratio=3.0) is None


def test_rare_class_counts_more_by_the_square_root():
    weights = class_weights(np.array([9.0, 1.0]), imbalance_ratio=3.0)
    assert weights[1] / weights[0] == pytest.approx(3.0)


def test_weights_average_one_over_the_examples():
    mass = np.array([50.5, 4.5, 2.0])
    weights = class_weights(mass, imbalance_ratio=3.0)
    assert (weights * mass).sum() / mass.sum() == pytest.approx(1.0)


def test_a_class_without_examples_does_not_make_the_others_imbalanced():
    assert class_weights(np.array([2.0, 0.0, 2.0]), imbalance_ratio=3.0) is None
    assert class_weights(np.array([9.0, 0.0, 1.0]), imbalance_ratio=3.0)[1] == 1.0


def test_a_stray_vote_is_not_weighed_like_a_text():
    weights = class_weights(np.array([9.0, 0.01]), imbalance_ratio=3.0)
    assert weights[1] / weights[0] == pytest.approx(3.0)
