import numpy as np

from training.algorithms.stream_comparison import compare


def nearest(values: np.ndarray):
    """A learner that gives each value the labels of the nearest one that it has learned."""

    def learn(rows, known, judged):
        return known[np.abs(values[judged][:, None] - values[rows][None]).argmin(axis=1)]

    return learn


def sides(values: np.ndarray) -> np.ndarray:
    """bool [N, 2]: up to one half, or above."""
    return np.stack([values <= 0.5, values > 0.5], axis=1)


def stream_and_chosen(chosen: np.ndarray, n_stream: int = 200):
    """Values in [0, 1] of which those above one half are 1; `chosen` is what acquisition asked."""
    rng = np.random.default_rng(0)
    values = np.concatenate([rng.random(n_stream), chosen])
    in_stream = np.arange(len(values)) < n_stream
    return values, sides(values), in_stream, rng.random(len(values)) < 0.5, rng


def test_what_lies_at_the_border_teaches_as_much_as_the_lot_or_more():
    chosen = 0.5 + np.linspace(-0.05, 0.05, 30)
    values, targets, in_stream, half, rng = stream_and_chosen(chosen)
    found = compare(targets, in_stream, half, range(len(values)), nearest(values), rng=rng)
    assert found.n_learned == 30
    assert found.n_judged == 200, "all of the stream judges"
    assert found.acquired >= found.drawn
    assert found.acquired > 0.95


def test_what_lies_on_one_side_teaches_less():
    values, targets, in_stream, half, rng = stream_and_chosen(np.linspace(0.9, 1.0, 60))
    found = compare(targets, in_stream, half, range(len(values)), nearest(values), rng=rng)
    assert found.acquired < found.drawn - 2 * found.deviation


def test_too_few_labels_say_nothing():
    values, targets, in_stream, half, rng = stream_and_chosen(np.linspace(0, 1, 19))
    assert compare(targets, in_stream, half, range(len(values)), nearest(values), rng=rng) is None
    values, targets, in_stream, half, rng = stream_and_chosen(np.linspace(0, 1, 50), n_stream=30)
    assert compare(targets, in_stream, half, range(len(values)), nearest(values), rng=rng) is None


def test_of_one_label_a_text_it_is_the_share_of_texts_that_are_right():
    values, targets, in_stream, half, rng = stream_and_chosen(np.linspace(0, 1, 60))
    wrong = np.arange(len(values)) % 4 == 0  # texts, whatever was learned

    def learn(rows, known, judged):
        return targets[judged] ^ wrong[judged][:, None]

    found = compare(targets, in_stream, half, range(len(values)), learn, rng=rng)
    assert found.acquired == found.drawn == 0.75
    assert found.deviation == 0


def test_of_several_labels_a_text_the_error_is_that_of_texts_however_many_labels_there_are():
    values, targets, in_stream, half, _ = stream_and_chosen(np.linspace(0.9, 1.0, 60))
    once = compare(
        targets, in_stream, half, range(len(values)), nearest(values), rng=np.random.default_rng(1)
    )
    many = compare(
        np.tile(targets, 8),
        in_stream,
        half,
        range(len(values)),
        nearest(values),
        rng=np.random.default_rng(1),
    )
    assert many == once


def test_texts_of_one_record_that_hang_together_are_less_evidence():
    values, targets, in_stream, half, _ = stream_and_chosen(np.linspace(0.9, 1.0, 60))
    of_ten = np.floor(values * 20)  # neighbours are right and wrong together
    alone, together = (
        compare(targets, in_stream, half, records, nearest(values), rng=np.random.default_rng(1))
        for records in (range(len(values)), of_ten)
    )
    assert (together.acquired, together.drawn) == (alone.acquired, alone.drawn)
    assert together.deviation > 2 * alone.deviation


def test_texts_of_which_no_label_holds_are_right_where_none_is_chosen():
    values, targets, in_stream, half, rng = stream_and_chosen(np.linspace(0, 1, 60))
    none = np.zeros_like(targets)
    assert compare(none, in_stream, half, range(len(values)), nearest(values), rng=rng).acquired == 1.0
