import numpy as np

from training.algorithms.acquisition_committee import badge_order, bald, dropped_out
from training.algorithms.acquisition_diversity import (
    clusters,
    density,
    spread_over_clusters,
    typical_first,
    varied_head,
)


def blobs(sizes: list[int], seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Vectors of length 1 around as many directions at right angles, and whose each is."""
    rng = np.random.default_rng(seed)
    whose = np.repeat(np.arange(len(sizes)), sizes)
    vectors = np.eye(8)[whose] + rng.normal(scale=0.1, size=(len(whose), 8))
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True), whose


def test_clusters_find_what_lies_together():
    vectors, whose = blobs([30, 20, 10])
    found = clusters(vectors, 3, rng=np.random.default_rng(0))
    assert {tuple(np.unique(found[whose == blob])) for blob in range(3)} == {(0,), (1,), (2,)}


def test_fewer_different_vectors_than_clusters_are_no_error():
    vectors = np.repeat(np.eye(3)[:2], 5, axis=0)
    found = clusters(vectors, 6, rng=np.random.default_rng(0))
    assert len(np.unique(found)) == 2


def test_the_first_asked_are_typical_and_from_every_cluster():
    vectors, whose = blobs([40, 30, 30])
    chosen = typical_first(vectors, np.zeros(100, bool), 3, rng=np.random.default_rng(0))
    assert sorted(whose[chosen]) == [0, 1, 2]
    typicality = density(vectors)
    for one in chosen:
        assert typicality[one] > np.median(typicality[whose == whose[one]])


def test_clusters_that_have_a_label_wait():
    vectors, whose = blobs([50, 50])
    labelled = np.zeros(100, bool)
    labelled[0] = True  # of the first blob
    chosen = typical_first(vectors, labelled, 1, rng=np.random.default_rng(0))
    assert whose[chosen].tolist() == [1]


def test_the_head_takes_turns_among_clusters():
    vectors, whose = blobs([50, 50])
    scores = np.where(whose == 0, 1.0, 0.5) + np.random.default_rng(0).random(100) / 10
    order = spread_over_clusters(scores, vectors, 2, rng=np.random.default_rng(0))
    assert whose[order[:10]].tolist() == [0, 1] * 5
    assert sorted(order.tolist()) == list(range(100))


def test_nearly_equal_texts_are_asked_once_before_all_others():
    vectors = np.repeat(np.eye(10), 3, axis=0)
    order = spread_over_clusters(
        np.random.default_rng(0).random(30), vectors, 2, rng=np.random.default_rng(0)
    )
    assert len({place // 3 for place in order[:10]}) == 10


def test_draws_of_a_head_differ_where_it_rests_on_little():
    rng = np.random.default_rng(0)
    weights = np.array([[4.0, 0, 0, 0], [0, 1, 1, 1]])
    vectors = np.array([[0, 0, 0, 0], [1, 0, 0, 0]])
    opinions = dropped_out(lambda drawn: vectors @ drawn.T, weights, n_draws=50, rate=0.5, rng=rng)
    assert opinions.shape == (50, 2, 2)
    doubt = bald(opinions)
    assert doubt[0] < 1e-9 < 0.1 < doubt[1]


def test_labels_that_rise_and_fall_together_are_doubtful_where_each_is_a_question_of_its_own():
    rng = np.random.default_rng(0)
    weights, vectors = np.array([[4.0], [4.0]]), np.array([[1.0], [0.0]])
    options = {"n_draws": 50, "rate": 0.5, "rng": rng}

    def scores_of(drawn: np.ndarray) -> np.ndarray:
        return vectors @ drawn.T - 4

    assert bald(dropped_out(scores_of, weights, **options)).max() < 1e-6
    of_each = dropped_out(scores_of, weights, multiple=True, **options)
    doubt = bald(of_each, multiple=True)
    assert doubt[1] < 1e-9 < 0.1 < doubt[0]


def test_badge_passes_over_what_the_model_is_sure_of_and_repeats():
    vectors, whose = blobs([20, 20])
    probabilities = np.where((np.arange(40) % 2 == 0)[:, None], [0.5, 0.5], [1.0, 0.0])
    chosen = badge_order(vectors, probabilities, 40, rng=np.random.default_rng(0))
    assert sorted(chosen.tolist()) == list(range(40))
    assert (chosen[:8] % 2).sum() <= 1, "what it is sure of changes nothing, and once is enough"
    assert set(whose[chosen[:8]]) == {0, 1}


def test_the_head_passes_over_texts_that_are_like_no_other():
    vectors, _ = blobs([60, 60])
    strange = np.zeros((5, 8))
    strange[:, 3:] = np.eye(5)
    shortlist = np.vstack([strange, vectors[::12]])
    order = varied_head(shortlist, vectors, 2, rng=np.random.default_rng(0))
    assert sorted(order.tolist()) == list(range(15))
    assert sorted(order[-5:].tolist()) == [0, 1, 2, 3, 4], "they came first by value, and come last"
