import dataclasses

import numpy as np

from tests.made_examples import one_hot, signed_sentences
from training.algorithms.examples import Examples
from training.algorithms.rehearsals import held_out_in_turn
from training.algorithms.splits import CALIBRATION, TEST, TRAIN, VALIDATION


def examples() -> Examples:
    """A sixth of 120 texts is in each part but TRAIN; two texts are of each record."""
    texts, labels = signed_sentences(120)
    return Examples(
        head="single",
        class_names=("no", "yes"),
        texts=texts,
        targets=one_hot(labels, 2),
        weights=np.ones(120, dtype=np.float32),
        parts=np.repeat([TRAIN, TRAIN, TRAIN, VALIDATION, TEST, CALIBRATION], 2).astype(np.int8).repeat(10),
        records=np.arange(120) // 2,
    )


def test_each_quarter_is_held_out_once():
    known = examples()
    apart, *folds = held_out_in_turn(known, 4, seed=0)
    assert apart.tolist() == np.flatnonzero(np.isin(known.parts, (VALIDATION, CALIBRATION))).tolist()
    assert sorted(np.concatenate(folds)) == known.rows(TRAIN).tolist()
    assert [len(rows) for rows in folds] == [20, 20, 20]


def test_a_record_is_never_divided_and_no_class_is_missing():
    known = examples()
    folds = held_out_in_turn(known, 4, seed=0)[1:]
    for rows in folds:
        others = np.setdiff1d(known.rows(TRAIN), rows)
        assert not set(known.records[rows]) & set(known.records[others])
        assert known.labels[rows].mean() == 0.5


def test_another_seed_holds_others_out_and_the_same_one_the_same():
    first, again, other = (held_out_in_turn(examples(), 2, seed=seed)[1].tolist() for seed in (0, 0, 1))
    assert first == again != other


def test_of_too_few_records_there_are_fewer_parts():
    known = examples()
    one_record = dataclasses.replace(known, records=np.where(known.parts == TRAIN, 0, 1 + np.arange(120)))
    assert [len(rows) for rows in held_out_in_turn(one_record, 4, seed=0)] == [40, 60]


def test_what_does_not_count_is_not_asked_about():
    known = examples()
    weights = known.weights.copy()
    weights[[0, 60]] = 0
    held_out = np.concatenate(held_out_in_turn(dataclasses.replace(known, weights=weights), 4, seed=0))
    assert not {0, 60} & set(held_out)
