"""The simulated crowd that marks spans does wrong what it was told to, as often as it was told to."""

from itertools import pairwise

import numpy as np
import pytest

from annotation.algorithms.simulated_spans import NOISE, Carelessness, make_span_crowd, mark_spans

LABELS = ["drug", "sign"]
TEXT = " ".join(f"word{i:03d}" for i in range(400))  # eight characters a word
TRUTH = [(i * 160, i * 160 + 16, "sign") for i in range(20)]  # two words every twenty
FLAWLESS = Carelessness(drop=0.0, shift=0.0, spurious=0.0, mislabel=0.0)


def rng(seed: int = 3) -> np.random.Generator:
    return np.random.default_rng(seed)


def marks_of(careless: Carelessness, n: int = 60, **kwargs) -> list[list[tuple[int, int, str]]]:
    generator = rng()
    return [mark_spans(TEXT, TRUTH, LABELS, careless, generator, **kwargs) for _ in range(n)]


TRIMMED = [(start, end - 1, label) for start, end, label in TRUTH]  # without the space at the end


def test_who_makes_no_mistake_marks_the_truth():
    assert marks_of(FLAWLESS, n=1) == [TRIMMED]


def test_spans_are_dropped_at_the_given_rate_and_the_rest_is_untouched():
    marks = marks_of(Carelessness(drop=0.3, shift=0.0, spurious=0.0, mislabel=0.0))
    assert all(set(given) <= set(TRIMMED) for given in marks)
    assert np.mean([len(given) for given in marks]) / 20 == pytest.approx(0.7, abs=0.05)


def test_hard_spans_are_dropped_more_often():
    careless = Carelessness(drop=0.3, shift=0.0, spurious=0.0, mislabel=0.0)
    marks = marks_of(careless, difficulty=[3.0] * 10 + [0.0] * 10)
    assert all(given[-10:] == TRIMMED[10:] for given in marks)
    assert np.mean([len(given) - 10 for given in marks]) == pytest.approx(1.0, abs=0.6)


def test_each_end_is_shifted_at_the_given_rate_to_the_edge_of_a_word():
    marks = marks_of(Carelessness(drop=0.0, shift=0.4, spurious=0.0, mislabel=0.0))
    starts = np.array([[start for start, _, _ in given] for given in marks])
    moved = starts - np.array([start for start, _, _ in TRIMMED])
    # The first span cannot begin earlier than the text.
    assert (moved[:, 1:] != 0).mean() == pytest.approx(0.4, abs=0.05)
    assert (moved % 8 == 0).all() and (moved < 0).any() and (moved > 0).any()


def test_marks_get_another_label_at_the_given_rate():
    marks = marks_of(Carelessness(drop=0.0, shift=0.0, spurious=0.0, mislabel=0.2))
    wrong = [label != "sign" for given in marks for _, _, label in given]
    assert np.mean(wrong) == pytest.approx(0.2, abs=0.04)


def test_spurious_marks_lie_where_nothing_is_and_are_as_long_as_true_ones():
    marks = marks_of(Carelessness(drop=0.0, shift=0.0, spurious=0.5, mislabel=0.0))
    spurious = [span for given in marks for span in set(given) - set(TRIMMED)]
    assert 0.3 * 20 < len(spurious) / len(marks) <= 0.55 * 20  # some meet something and are not made
    assert {end - start for start, end, _ in spurious} == {15}
    assert not any(s < end and start < e for start, end, _ in spurious for s, e, _ in TRIMMED)


@pytest.mark.parametrize("level", NOISE)
def test_marks_of_one_volunteer_never_overlap_and_lie_in_the_text(level):
    for careless in make_span_crowd(10, NOISE[level], rng()):
        given = mark_spans(TEXT, TRUTH, LABELS, careless, rng(5))
        assert all(0 <= start < end <= len(TEXT) for start, end, _ in given)
        assert all(a[1] <= b[0] for a, b in pairwise(given))


def test_volunteers_differ_around_the_typical_carelessness():
    drops = np.array([careless.drop for careless in make_span_crowd(400, NOISE["medium"], rng())])
    assert np.median(drops) == pytest.approx(0.25, abs=0.03)
    assert np.percentile(drops, 10) < 0.14 and np.percentile(drops, 90) > 0.45


def test_the_same_seed_gives_the_same_marks():
    one, other = (mark_spans(TEXT, TRUTH, LABELS, NOISE["high"], rng(9)) for _ in range(2))
    assert one == other != mark_spans(TEXT, TRUTH, LABELS, NOISE["high"], rng(10))


def test_an_empty_text_and_a_text_without_spans_are_marked():
    assert mark_spans("", [], LABELS, NOISE["high"], rng()) == []
    always = Carelessness(drop=0.0, shift=0.0, spurious=1.0, mislabel=0.0)
    assert any(mark_spans("one two", [], LABELS, always, rng(seed)) for seed in range(5))


def test_a_rate_outside_zero_and_one_is_refused():
    with pytest.raises(ValueError, match=r"drop must lie in \[0, 1\], not 1.2"):
        Carelessness(drop=1.2, shift=0.0, spurious=0.0, mislabel=0.0)
