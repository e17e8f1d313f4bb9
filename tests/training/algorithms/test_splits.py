import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.algorithms.splits import (
    CALIBRATION,
    TEST,
    TRAIN,
    VALIDATION,
    record_places,
    split_by_group,
)

SHARES = {"validation_share": 0.15, "test_share": 0.15}


def text(i):
    """Nothing like text i + 1."""
    return f"{i * 2654435761 % 2**32:08x}"


def records(n, start=0):
    return [f"r{i}" for i in range(start, start + n)], [text(i) for i in range(start, start + n)]


def test_shares_are_about_what_was_asked_for():
    parts = split_by_group(*records(5000), **SHARES, seed=0)
    shares = np.bincount(parts) / 5000
    assert shares == pytest.approx([0.7, 0.15, 0.15], abs=0.02)


def test_a_part_does_not_change_when_other_examples_arrive():
    ids, texts = records(3000)
    before = split_by_group(ids[:1000], texts[:1000], **SHARES, seed=0)
    after = split_by_group(ids, texts, **SHARES, seed=0)
    assert (after[:1000] == before).all()


def test_a_part_does_not_depend_on_the_order_of_the_examples():
    ids, texts = records(300)
    parts = split_by_group(ids, texts, **SHARES, seed=0)
    backwards = split_by_group(ids[::-1], texts[::-1], **SHARES, seed=0)
    assert (backwards[::-1] == parts).all()


def test_another_seed_gives_another_split():
    first, second = (split_by_group(*records(200), **SHARES, seed=seed) for seed in (0, 1))
    assert (first != second).any()


def test_sentences_of_one_record_stay_together():
    ids = [f"r{i // 7}" for i in range(700)]
    parts = split_by_group(ids, [text(i) for i in range(700)], **SHARES, seed=0)
    assert (parts.reshape(100, 7) == parts.reshape(100, 7)[:, :1]).all()


def test_equal_texts_stay_together_whatever_their_whitespace():
    ids, texts = records(400)
    texts[200:] = [f"  {text(i)}\n " for i in range(200)]
    parts = split_by_group(ids, texts, **SHARES, seed=0)
    assert (parts[:200] == parts[200:]).all()


def test_a_chain_of_records_and_texts_stays_together():
    ids, texts = records(100)
    ids += ["r1", "r2"]  # r0 - text 0 - r1, r2
    texts += [text(0), text(0)]
    parts = split_by_group(ids, texts, **SHARES, seed=0)
    assert len({parts[0], parts[1], parts[2], parts[100], parts[101]}) == 1


def test_test_stays_test_when_groups_merge():
    ids, texts = records(1000)
    before = split_by_group(ids, texts, **SHARES, seed=0)
    joined_to_neighbour = [text(i ^ 1) for i in range(0, 1000, 2)]
    after = split_by_group(ids + ids[::2], texts + joined_to_neighbour, **SHARES, seed=0)
    assert (after[:1000][before == TEST] == TEST).all()


@pytest.mark.parametrize("seed", range(60))
def test_ten_groups_fill_all_three_parts(seed):
    parts = split_by_group(*records(10), **SHARES, seed=seed)
    assert set(parts) == {TRAIN, VALIDATION, TEST}


def test_a_group_too_large_for_test_trains():
    ids, texts = records(60)
    ids[:40] = [ids[0]] * 40  # two thirds of the examples are one record's
    for seed in range(40):
        parts = split_by_group(ids, texts, **SHARES, seed=seed)
        assert (parts[:40] == TRAIN).all()
        assert {VALIDATION, TEST} <= set(parts)


def test_boilerplate_that_chains_all_records_does_not_swallow_the_test():
    ids = [f"r{i // 2}" for i in range(400)]
    texts = [text(i) if i % 2 else "No acute distress." for i in range(400)]
    parts = split_by_group(ids, texts, **SHARES, seed=0)
    shares = np.bincount(parts[1::2]) / 200
    assert shares == pytest.approx([0.7, 0.15, 0.15], abs=0.08)
    assert (parts[0::2] == TRAIN).all()  # half of the examples: too large a group to test on


def test_texts_that_differ_in_a_word_stay_together():
    ids, texts = records(400)
    note = "{} was seen for chest pain that began two days ago; the electrocardiogram was normal. {}"
    texts = [note.format(ids[i % 200], text(i % 200) * 9) for i in range(400)]
    parts = split_by_group(ids, texts, **SHARES, seed=0)
    assert (parts[:200] == parts[200:]).all()
    assert len(set(parts)) == 3


def test_calibration_has_a_part_of_its_own_beside_what_the_others_had():
    ids, texts = records(3000)
    without = split_by_group(ids, texts, **SHARES, seed=0)
    parts = split_by_group(ids, texts, **SHARES, calibration_share=0.1, seed=0)
    assert (parts == CALIBRATION).mean() == pytest.approx(0.1, abs=0.02)
    assert (without[parts == CALIBRATION] == TRAIN).all()
    assert (without[parts != CALIBRATION] == parts[parts != CALIBRATION]).all()


def test_what_judges_is_in_test_and_takes_its_record_and_its_like_along():
    ids, texts = [f"r{i // 2}" for i in range(400)], [text(i) for i in range(400)]
    texts[101] = texts[300] + "!"  # hardly another text than a judging one of another record
    judging = np.zeros(400, dtype=bool)
    judging[[10, 300]] = True
    parts = split_by_group(ids, texts, **SHARES, seed=0, judging=judging)
    assert (parts[[10, 11, 300, 301]] == TEST).all()
    others = np.setdiff1d(np.arange(400), [10, 11, 300, 301, 100, 101])
    assert (parts[others] == split_by_group(ids, texts, **SHARES, seed=0)[others]).all()


def test_gold_in_every_record_takes_its_like_along_and_leaves_the_records():
    ids, texts = [f"r{i // 10}" for i in range(1000)], [text(i) for i in range(1000)]
    judging = np.arange(1000) % 10 == 0
    parts = split_by_group(ids, texts, **SHARES, seed=0, judging=judging)
    assert (parts[judging] == TEST).all()
    assert (parts[~judging] == TRAIN).mean() > 0.6


def test_a_records_place_is_the_same_for_ever_and_decides_the_test_part():
    ids, texts = records(500)
    places = record_places(ids)
    assert (record_places(ids[::-1])[::-1] == places).all()
    assert 0 <= places.min() < places.max() < 1
    assert ((split_by_group(ids, texts, **SHARES, seed=0) == TEST) == (places < 0.15)).all()


def test_no_examples_give_no_parts():
    assert len(split_by_group([], [], **SHARES, seed=0)) == 0


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 40), st.integers(0, 60)), min_size=1, max_size=60), st.integers(0, 9)
)
def test_equal_text_is_never_in_two_parts(pairs, seed):
    ids, texts = [str(a) for a, _ in pairs], [f"t{b}" for _, b in pairs]
    parts = split_by_group(ids, texts, **SHARES, seed=seed)
    part_of_text = dict(zip(texts, parts, strict=True))
    assert all(part_of_text[text] == part for text, part in zip(texts, parts, strict=True))
