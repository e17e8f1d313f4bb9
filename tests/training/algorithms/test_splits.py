import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.algorithms.splits import (
    ASIDE,
    CALIBRATION,
    LEARNED,
    MOST_TAKEN,
    TEST,
    TRAIN,
    VALIDATION,
    record_places,
    split_around_judges,
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


def test_texts_that_stand_several_times_are_tested_on_as_often_as_others():
    ids, texts = records(4000)
    texts += [text(i) for i in range(1000) for _ in range(3)]  # four records each
    ids += [f"again {i}" for i in range(3000)]
    parts = split_by_group(ids, texts, **SHARES, seed=0)
    assert (parts[:1000] == TEST).mean() == pytest.approx(0.15, abs=0.04)  # the lowest of four would be .48
    assert (parts[1000:4000] == TEST).mean() == pytest.approx(0.15, abs=0.03)


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


def around_judges(ids, texts, gold=(), *, test_share=0.15, seed=0):
    """Parts [N] where the examples at the places `gold` judge whatever their place."""
    is_gold = np.isin(np.arange(len(ids)), gold)
    return split_around_judges(
        ids,
        texts,
        gold=is_gold,
        validation_share=0.15,
        test_share=test_share,
        calibration_share=0.1,
        seed=seed,
    )


def of_stream(ids, share=0.15):
    return record_places(ids) < share


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 60), min_size=1, max_size=120), st.sampled_from([0.0, 0.05, 0.15]))
def test_without_near_duplicates_a_campaigns_parts_are_those_of_any_other_split(record_of, test_share):
    ids, texts = [f"r{i}" for i in record_of], [text(i) for i in range(len(record_of))]
    shares = {"validation_share": 0.15, "test_share": test_share, "calibration_share": 0.1}
    plain = split_by_group(ids, texts, **shares, seed=0)
    assert (around_judges(ids, texts, test_share=test_share) == plain).all()


def test_gold_judges_and_what_is_too_near_to_it_does_neither_unless_it_is_of_the_stream():
    ids, texts = [f"r{i // 2}" for i in range(400)], [text(i) for i in range(400)]
    texts[101] = texts[300] + "!"  # hardly another text than a gold one of another record
    assert not of_stream([ids[10], ids[101], ids[300]]).any()
    gold_of_stream = int(np.flatnonzero(of_stream(ids))[0])
    parts = around_judges(ids, texts, gold=[10, 300, gold_of_stream])
    assert (parts[[10, 300, gold_of_stream, gold_of_stream ^ 1]] == TEST).all()
    assert (parts[[11, 301, 101]] == ASIDE).all()
    others = np.setdiff1d(np.arange(400), [10, 11, 300, 301, 101])
    assert (parts[others] == around_judges(ids, [text(i) for i in range(400)])[others]).all()


def test_gold_in_every_record_takes_its_like_along_and_leaves_the_records():
    ids, texts = [f"r{i // 10}" for i in range(1000)], [text(i) for i in range(1000)]
    is_gold = np.arange(1000) % 10 == 0
    parts = around_judges(ids, texts, gold=np.flatnonzero(is_gold))
    assert (parts[is_gold] == TEST).all()
    assert ((parts == TEST) == (is_gold | of_stream(ids))).all()
    assert (parts[~is_gold] == TRAIN).mean() > 0.5


def test_a_sentence_that_stands_in_every_record_does_not_let_other_records_judge():
    ids = [f"r{i // 4}" for i in range(1600)]
    texts = [text(i) if i % 4 else "No acute distress." for i in range(1600)]
    parts, is_shared = around_judges(ids, texts), np.arange(1600) % 4 == 0
    assert ((parts == TEST)[~is_shared] == of_stream(ids)[~is_shared]).all()
    assert set(parts[is_shared & of_stream(ids)]) == {ASIDE}, "their records judge"
    assert len(set(parts[is_shared & ~of_stream(ids)])) == 1
    assert np.isin(parts[~of_stream(ids)], LEARNED).all()


def families(n, size):
    """n texts that stand, each time hardly changed, in `size` records of their own."""
    ids = [f"r{i}" for i in range(n * size)]
    return ids, [
        f"{text(i // size)} {text(i // size + 10**6)} {text(i // size + 10**7)} {i % size}"
        for i in range(n * size)
    ]


def test_a_text_of_many_records_judges_as_often_as_one_of_a_single_record_and_costs_few_labels():
    ids, texts = families(400, 5)
    parts = around_judges(ids, texts).reshape(400, 5)
    judges = (parts == TEST).any(axis=1)
    assert judges.mean() == pytest.approx(0.15, abs=0.05)
    assert ((parts == TEST) == (judges[:, None] & of_stream(ids).reshape(400, 5))).all()
    assert np.isin(parts[judges], (TEST, ASIDE)).all()
    assert np.isin(parts[~judges], LEARNED).all()
    assert (parts == ASIDE).mean() < 0.15 * 0.85
    assert (parts == TRAIN).mean() > 0.5


def test_one_text_never_costs_more_than_a_twentieth_of_the_labels():
    for seed in range(20):
        ids, texts = records(200)
        texts[:40] = ["Nothing to report."] * 40
        parts = around_judges(ids, texts, seed=seed)
        assert (parts != ASIDE).all()
        assert np.isin(parts[:40], LEARNED).all()


def test_before_the_stream_has_an_example_one_record_stands_in_and_gives_way_to_gold():
    ids, texts = records(200)
    ids = [one for one in ids if not of_stream([one])[0]][:30]
    assert np.sum(around_judges(ids, texts[:30]) == TEST) == 1
    assert np.flatnonzero(around_judges(ids, texts[:30], gold=[3]) == TEST).tolist() == [3]


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 40), st.integers(0, 60)), min_size=1, max_size=60),
    st.lists(st.integers(0, 59), max_size=5),
)
def test_nothing_that_teaches_is_too_near_to_what_judges(pairs, gold):
    ids, texts = [f"r{a}" for a, _ in pairs], [f"t{b}" for _, b in pairs]
    parts, is_gold = around_judges(ids, texts, gold=gold), np.isin(np.arange(len(ids)), gold)
    test, teaches = parts == TEST, np.isin(parts, LEARNED)
    of_gold = np.isin(ids, np.array(ids)[is_gold])
    gold_takes_too_much = not is_gold.all() and of_gold[~is_gold].mean() > MOST_TAKEN
    part_of_text = dict(zip(np.array(texts)[teaches], parts[teaches], strict=True))
    for place, (one, record) in enumerate(zip(texts, ids, strict=True)):
        if test[place]:
            assert one not in part_of_text
            is_small = ids.count(record) <= max(1, 0.3 * len(ids))  # a larger one trains, or stands in
            if of_stream([record])[0] and is_small and not (is_gold[place] and gold_takes_too_much):
                assert not (teaches & (np.array(ids) == record)).any()
        elif teaches[place]:
            assert part_of_text[one] == parts[place]
    alone = np.array(
        [texts.count(one) == 1 and ids.count(record) == 1 for one, record in zip(texts, ids, strict=True)]
    )
    if is_gold.any() or (alone & of_stream(ids)).any():
        assert (is_gold | of_stream(ids))[test].all()


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
