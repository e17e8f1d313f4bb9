import numpy as np
import pytest

from training.algorithms.acquisition import (
    ACQUISITIONS,
    as_separate_labels,
    class_needs,
    disagreement,
    entropy,
    least_confidence,
    margin,
)

CERTAIN_TO_TIED = np.array([[1.0, 0.0, 0.0], [0.7, 0.2, 0.1], [0.4, 0.35, 0.25], [1 / 3, 1 / 3, 1 / 3]])


@pytest.mark.parametrize("name", ["margin", "entropy", "least_confidence"])
def test_uncertainty_rises_from_a_certain_to_a_tied_prediction(name):
    uncertainty = ACQUISITIONS[name](CERTAIN_TO_TIED)
    assert (np.diff(uncertainty) > 0).all()
    assert uncertainty[0] == 0.0


def test_uncertainties_equal_what_a_hand_computes():
    probabilities = np.array([[0.5, 0.25, 0.25]])
    assert margin(probabilities).tolist() == [0.75]
    assert least_confidence(probabilities).tolist() == [0.5]
    assert entropy(probabilities) == pytest.approx([1.5 * np.log(2)])


def test_margin_and_entropy_disagree_where_the_tail_is_heavy():
    near_tie, flat = [0.5, 0.5, 0.0, 0.0], [0.4, 0.2, 0.2, 0.2]
    probabilities = np.array([near_tie, flat])
    assert margin(probabilities).argmax() == 0
    assert entropy(probabilities).argmax() == 1


def test_every_acquisition_is_a_share():
    probabilities = np.random.default_rng(0).dirichlet([0.5] * 5, size=200)
    for measure in ACQUISITIONS.values():
        assert measure(probabilities).min() >= 0.0
        assert measure(probabilities).max() <= 1.0
        assert measure(np.full((1, 5), 0.2))[0] in (0.0, pytest.approx(0.8), pytest.approx(1.0))


def test_a_crowd_that_is_sure_of_something_else_disagrees_most():
    model = np.array([[0.9, 0.1]] * 3)
    crowd = np.array([[0.9, 0.1], [0.5, 0.5], [0.0, 1.0]])
    found = disagreement(crowd, model)
    assert found[0] == pytest.approx(0.0, abs=1e-12)
    assert (np.diff(found) > 0).all()


def test_classes_without_labels_are_needed_most():
    need = class_needs(np.array([99.0, 9.0, 0.0]))
    assert need.tolist() == pytest.approx([0.01, 0.1, 1.0])


def test_the_least_certain_of_several_labels_counts():
    sure, torn = [0.99, 0.01, 0.99], [0.99, 0.5, 0.99]
    found = as_separate_labels(np.array([sure, torn]), margin)
    assert found.tolist() == pytest.approx([0.02, 1.0])
    wanted = as_separate_labels(np.array([torn, [0.5, 0.99, 0.99]]), margin, np.array([1.0, 0.2, 1.0]))
    assert wanted.tolist() == pytest.approx([0.2, 1.0])
