import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.algorithms.splits import TEST, TRAIN, VALIDATION, split_by_group

SHARES = {"validation_share": 0.15, "test_share": 0.15}


def records(n, start=0):
    return [f"r{i}" for i in range(start, start + n)], [f"text {i}" for i in range(start, start + n)]


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
    parts = split_by_group(ids, [f"text {i}" for i in range(700)], **SHARES, seed=0)
    assert (parts.reshape(100, 7) == parts.reshape(100, 7)[:, :1]).all()


def test_equal_texts_stay_together_whatever_their_whitespace():
    ids, texts = records(400)
    texts[200:] = [f"  text\n {i} " for i in range(200)]
    parts = split_by_group(ids, texts, **SHARES, seed=0)
    assert (parts[:200] == parts[200:]).all()


def test_a_chain_of_records_and_texts_stays_together():
    ids, texts = records(100)
    ids += ["r1", "r2"]  # r0 - "text 0" - r1 - "text 2" - r2
    texts += ["text 0", "text 0"]
    parts = split_by_group(ids, texts, **SHARES, seed=0)
    assert len({parts[0], parts[1], parts[2], parts[100], parts[101]}) == 1


def test_test_stays_test_when_groups_merge():
    ids, texts = records(1000)
    before = split_by_group(ids, texts, **SHARES, seed=0)
    joined_to_neighbour = [f"text {i ^ 1}" for i in range(0, 1000, 2)]
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
    texts = [f"text {i}" if i % 2 else "No acute distress." for i in range(400)]
    parts = split_by_group(ids, texts, **SHARES, seed=0)
    shares = np.bincount(parts[1::2]) / 200
    assert shares == pytest.approx([0.7, 0.15, 0.15], abs=0.08)
    assert (parts[0::2] == TRAIN).all()  # half of the examples: too large a group to test on


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
