import numpy as np

from training.algorithms.stream_comparison import compare


def nearest(values: np.ndarray):
    """A learner that gives each value the label of the nearest one that it has learned."""

    def learn(rows, known, judged):
        return known[np.abs(values[judged][:, None] - values[rows][None]).argmin(axis=1)]

    return learn


def stream_and_chosen(chosen: np.ndarray, n_stream: int = 200):
    """Values in [0, 1] of which those above one half are 1; `chosen` is what acquisition asked."""
    rng = np.random.default_rng(0)
    values = np.concatenate([rng.random(n_stream), chosen])
    in_stream = np.arange(len(values)) < n_stream
    return values, (values > 0.5).astype(int), in_stream, rng.random(len(values)) < 0.5, rng


def test_what_lies_at_the_border_teaches_as_much_as_the_lot_or_more():
    chosen = 0.5 + np.linspace(-0.05, 0.05, 30)
    values, labels, in_stream, half, rng = stream_and_chosen(chosen)
    found = compare(labels, in_stream, half, nearest(values), rng=rng)
    assert found.n_learned == 30
    assert found.n_judged == 200, "all of the stream judges"
    assert found.acquired >= found.drawn
    assert found.acquired > 0.95


def test_what_lies_on_one_side_teaches_less():
    values, labels, in_stream, half, rng = stream_and_chosen(np.linspace(0.9, 1.0, 60))
    found = compare(labels, in_stream, half, nearest(values), rng=rng)
    assert found.acquired < found.drawn - 2 * found.deviation


def test_too_few_labels_say_nothing():
    values, labels, in_stream, half, rng = stream_and_chosen(np.linspace(0, 1, 19))
    assert compare(labels, in_stream, half, nearest(values), rng=rng) is None
    values, labels, in_stream, half, rng = stream_and_chosen(np.linspace(0, 1, 50), n_stream=30)
    assert compare(labels, in_stream, half, nearest(values), rng=rng) is None
