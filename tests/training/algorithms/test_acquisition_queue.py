import numpy as np
import pytest

from training.algorithms.acquisition_queue import queue_priorities, ranks, smoothed, value_of_one_more


def queue(scores, in_stream=None, seed=0) -> np.ndarray:
    in_stream = np.zeros(len(scores), dtype=bool) if in_stream is None else in_stream
    return queue_priorities(np.asarray(scores), in_stream=in_stream, rng=np.random.default_rng(seed))


def test_without_a_stream_the_highest_score_comes_first():
    assert queue([0.1, 0.9, 0.5, 0.3]).tolist() == [0.25, 1.0, 0.75, 0.5]


def test_equal_scores_give_every_task_every_rank():
    firsts = np.zeros(4)
    for seed in range(400):
        firsts[queue(np.zeros(4), seed=seed).argmax()] += 1
    assert firsts.min() > 60  # 100 expected, standard deviation 8.7


def test_each_stretch_of_the_queue_holds_about_the_streams_share():
    scores = np.linspace(0, 1, 10_000)
    in_stream = np.random.default_rng(1).random(10_000) < 0.2
    in_queue_order = in_stream[np.argsort(-queue(scores, in_stream))]
    stretches = in_queue_order.reshape(10, 1000).mean(axis=1)
    assert (abs(stretches - in_stream.mean()) < 0.055).all()  # four standard deviations


def test_scores_never_move_a_task_of_the_stream():
    in_stream = np.random.default_rng(1).random(500) < 0.2
    one = queue(np.linspace(0, 1, 500), in_stream)
    other = queue(np.linspace(1, 0, 500), in_stream)
    assert (one[in_stream] == other[in_stream]).all()
    assert (one[~in_stream] != other[~in_stream]).mean() > 0.9


def test_tasks_outside_the_stream_keep_the_order_of_their_scores():
    scores, in_stream = np.random.default_rng(3).random(1000), np.arange(1000) % 3 == 0
    priority = queue(scores, in_stream)
    rest = np.flatnonzero(~in_stream)
    assert (np.diff(scores[rest[np.argsort(-priority[rest])]]) <= 0).all()


def test_a_million_ranks_stay_distinct_in_float32():
    rng = np.random.default_rng(4)
    priority = queue(rng.random(1_000_000), rng.random(1_000_000) < 0.1)
    assert priority.dtype == np.float32
    assert len(np.unique(priority)) == 1_000_000
    assert priority.min() > 0.0
    assert priority.max() == 1.0


def test_an_empty_queue_is_an_empty_queue():
    assert len(queue(np.empty(0))) == 0


def test_nan_is_an_error_and_not_an_order():
    with pytest.raises(ValueError, match="scores hold NaN"):
        queue([0.1, np.nan])


def test_a_smoothed_queue_jumps_less_and_still_follows():
    rng = np.random.default_rng(0)
    former, scores = ranks(rng.random(2000)), rng.random(2000)
    after = smoothed(scores, former)
    assert np.corrcoef(ranks(after), former)[0, 1] > 0.6 > 0.1 > np.corrcoef(ranks(scores), former)[0, 1]
    for _ in range(5):
        after = smoothed(scores, ranks(after))
    assert np.corrcoef(ranks(after), ranks(scores))[0, 1] > 0.95, "the same opinion again and again prevails"


def test_new_tasks_are_not_held_back_by_a_place_they_never_had():
    assert smoothed(np.array([0.2, 0.9]), np.array([0.5, np.nan]))[1] == 1.0


def test_one_more_answer_is_worth_most_where_crowd_and_model_disagree():
    doubt = np.array([0.5, 0.5, 0.5])
    value = value_of_one_more(doubt, np.array([0, 2, 2]), np.array([0.0, 0.0, 0.8]))
    assert np.argsort(-value).tolist() == [2, 0, 1]
