import numpy as np
import pytest

from training.algorithms.acquisition import (
    ACQUISITIONS,
    entropy,
    least_confidence,
    margin,
    queue_priorities,
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


def test_without_exploration_the_least_certain_come_first():
    priority, explored = queue_priorities(
        np.array([0.1, 0.9, 0.5, 0.3]), exploration_share=0.0, rng=np.random.default_rng(0)
    )
    assert priority.tolist() == [0.25, 1.0, 0.75, 0.5]
    assert not explored.any()


def test_random_acquisition_gives_every_task_every_rank():
    rng, probabilities = np.random.default_rng(0), np.full((4, 2), 0.5)
    firsts = np.zeros(4)
    for _ in range(400):
        priority, _ = queue_priorities(ACQUISITIONS["random"](probabilities), exploration_share=0.0, rng=rng)
        firsts[priority.argmax()] += 1
    assert firsts.min() > 60  # 100 expected, standard deviation 8.7


def test_each_stretch_of_the_queue_holds_about_the_exploration_share():
    uncertainty = np.linspace(0, 1, 10_000)
    priority, explored = queue_priorities(uncertainty, exploration_share=0.1, rng=np.random.default_rng(1))
    in_queue_order = explored[np.argsort(-priority)]
    stretches = in_queue_order.reshape(10, 1000).mean(axis=1)
    assert explored.sum() == 1000
    assert (abs(stretches - 0.1) < 0.04).all()  # four standard deviations


def test_explored_tasks_are_a_fair_sample_of_all_tasks():
    uncertainty = np.linspace(0, 1, 10_000)
    _, explored = queue_priorities(uncertainty, exploration_share=0.1, rng=np.random.default_rng(2))
    assert uncertainty[explored].mean() == pytest.approx(0.5, abs=0.04)


def test_unexplored_tasks_keep_the_order_of_their_uncertainty():
    uncertainty = np.random.default_rng(3).random(1000)
    priority, explored = queue_priorities(uncertainty, exploration_share=0.3, rng=np.random.default_rng(3))
    rest = np.flatnonzero(~explored)
    by_priority = rest[np.argsort(-priority[rest])]
    assert (np.diff(uncertainty[by_priority]) <= 0).all()


def test_a_million_ranks_stay_distinct_in_float32():
    priority, _ = queue_priorities(
        np.random.default_rng(4).random(1_000_000), exploration_share=0.1, rng=np.random.default_rng(4)
    )
    assert priority.dtype == np.float32
    assert len(np.unique(priority)) == 1_000_000
    assert priority.min() > 0.0
    assert priority.max() == 1.0


def test_equal_seeds_give_equal_queues():
    uncertainty = np.zeros(50)
    first, second = (
        queue_priorities(uncertainty, exploration_share=0.2, rng=np.random.default_rng(7)) for _ in range(2)
    )
    assert (first[0] == second[0]).all()
    assert (first[1] == second[1]).all()


def test_an_empty_queue_is_an_empty_queue():
    priority, explored = queue_priorities(np.empty(0), exploration_share=0.5, rng=np.random.default_rng(0))
    assert len(priority) == len(explored) == 0


def test_nan_uncertainty_is_an_error_and_not_an_order():
    with pytest.raises(ValueError, match="uncertainty holds NaN"):
        queue_priorities(np.array([0.1, np.nan]), exploration_share=0.0, rng=np.random.default_rng(0))
