import json
from dataclasses import replace

import numpy as np
import pytest

from training.algorithms.examples import Span
from training.algorithms.judged import judged_classes, judged_marks, judged_sets
from training.algorithms.metrics import expected_calibration_error
from training.algorithms.outcomes import Trial, outcomes_of_classes
from training.algorithms.promotion import choose, verdict

N, NAMES = 400, ["drug", "disease", "other"]
Y_TRUE = np.arange(N) % 3


def model(wrong=(), confidence=None, speed=100.0, family="tfidf"):
    """A model that is wrong on the items given, by naming the next class, and knows how often that is."""
    predicted = Y_TRUE.copy()
    confidence = confidence or 1 - len(wrong) / N
    predicted[list(wrong)] = (Y_TRUE[list(wrong)] + 1) % 3
    probabilities = np.full((N, 3), (1 - confidence) / 2)
    probabilities[np.arange(N), predicted] = confidence
    return judged_classes(Y_TRUE, probabilities, texts_per_second=speed, family=family)


def decide(challenger, incumbent, *, record_of=None, slices=None):
    return verdict(
        challenger, incumbent, record_of=np.arange(N) if record_of is None else record_of,
        slices=slices or {}, class_names=NAMES, rng=np.random.default_rng(0),
    )  # fmt: skip


def refusals(found):
    return [check.code for check in found.checks if not check.passed]


EVERY_FIFTH = range(0, N, 5)  # 80 items, of each class alike


def test_the_first_model_takes_over():
    found = decide(model(), None)
    assert found.promoted
    assert [check.code for check in found.checks] == ["first"]


def test_a_clearly_better_model_takes_over_and_the_verdict_can_be_stored():
    found = decide(model(wrong=range(0, N, 10)), model(wrong=EVERY_FIFTH))
    assert found.promoted
    assert [check.code for check in found.checks] == ["f1", "recall", "slices", "calibration", "speed"]
    assert "90.0" in found.checks[0].sentence and "80.0" in found.checks[0].sentence
    assert json.loads(json.dumps(found.to_dict())) == found.to_dict()


def test_a_worse_model_does_not_take_over():
    assert refusals(decide(model(wrong=EVERY_FIFTH), model(wrong=range(0, N, 10))))[0] == "f1"


def test_an_uncertain_gain_is_enough_where_the_losses_support_it():
    incumbent, challenger = model(range(20, 45)), model(range(20))
    refused = decide(challenger, incumbent).checks[0]
    assert not refused.passed and 0.1 < refused.chance < 0.3

    p_right = np.where(np.arange(N) < 20, 0.34, 0.96)  # wrong only where it is unsure
    supported = decide(replace(challenger, losses=-np.log(p_right)), incumbent).checks[0]
    assert supported.passed and supported.chance == refused.chance
    assert (
        "(allowed are 30\N{NARROW NO-BREAK SPACE}% where right answers have clearly become more probable"
        in supported.sentence
    )


def test_a_model_that_is_better_on_the_mean_and_misses_one_label_more_often_is_refused_by_name():
    drugs, others = np.flatnonzero(Y_TRUE == 0), np.flatnonzero(Y_TRUE != 0)
    found = decide(model(drugs[:20]), model(others[:80]))
    [refused] = [check for check in found.checks if not check.passed]
    assert (refused.code, refused.name) == ("recall", "drug")
    assert refused.value == pytest.approx(20 / len(drugs))
    assert refused.sentence == "It finds 14.9 points fewer of 'drug' (allowed are 3)."


def test_one_item_of_a_rare_label_refuses_nothing():
    y_true = np.where(np.arange(N) < 4, 2, np.arange(N) % 2)  # four items of "other"
    probabilities = np.eye(3)[y_true] * 0.7 + 0.1
    before, after = (probabilities.copy() for _ in range(2))
    before[10:60] = before[10:60, [1, 0, 2]]
    after[0] = [0.8, 0.1, 0.1]  # a quarter of its recall
    judge = {"texts_per_second": 1.0, "family": "tfidf"}
    found = decide(judged_classes(y_true, after, **judge), judged_classes(y_true, before, **judge))
    assert "recall" not in refusals(found)


def test_a_group_of_records_that_is_served_worse_refuses_and_is_named():
    south = np.arange(N) < 100
    slices = {"site = south": south, "site = north": ~south}
    found = decide(model(range(0, 100, 5)), model(range(100, N, 5)), slices=slices)
    [refused] = [check for check in found.checks if not check.passed]
    assert (refused.code, refused.name) == ("slices", "site = south")
    assert refused.sentence == "Where site = south, it is right 20.0 points less often (allowed are 2)."


def test_a_model_that_is_right_as_often_and_too_sure_of_itself_is_refused():
    found = decide(model(wrong=EVERY_FIFTH, confidence=0.95), model(wrong=EVERY_FIFTH))
    assert refusals(found) == ["calibration"]
    check = next(check for check in found.checks if check.code == "calibration")
    assert check.value > 0.1


def test_within_a_family_a_slower_model_is_refused_and_across_families_only_reported():
    better, before = range(0, N, 10), model(wrong=EVERY_FIFTH)
    assert decide(model(better, speed=84), before).promoted
    assert refusals(decide(model(better, speed=83), before)) == ["speed"]
    found = decide(model(better, speed=10, family="encoder"), before)
    assert found.promoted
    assert "takes 10.00 times as long" in found.checks[-1].sentence


def test_items_of_one_record_are_one_piece_of_evidence():
    challenger, incumbent = model(range(0, 20)), model(range(20, 50))
    many = decide(challenger, incumbent)
    few = decide(challenger, incumbent, record_of=np.arange(N) // 10)
    assert many.checks[0].chance < 0.1 < few.checks[0].chance, "30 texts are 3 records"


@pytest.mark.parametrize(("wrong", "promoted"), [(range(4), True), (range(5), True), (range(6), False)])
def test_while_few_texts_judge_a_model_takes_over_unless_it_did_worse_on_them(wrong, promoted):
    """Of 30 texts the one in charge misses five: no bootstrap of 30 could prove the other one better."""
    y_true = np.arange(30) % 2

    def judge(wrong):
        predicted = y_true.copy()
        predicted[list(wrong)] = 1 - y_true[list(wrong)]
        probabilities = np.where(np.eye(2)[predicted] > 0, 0.8, 0.2)
        return judged_classes(y_true, probabilities, texts_per_second=1.0, family="tfidf")

    found = verdict(
        judge(wrong), judge(range(5)), record_of=np.arange(30), slices={}, class_names=NAMES[:2],
        rng=np.random.default_rng(0),
    )  # fmt: skip
    assert found.promoted is promoted, found.checks
    assert "Only 30 texts judge so far" in found.checks[0].sentence


def test_models_that_were_judged_on_other_items_or_classes_cannot_be_compared():
    y_true = np.zeros(40, dtype=int)
    two, three = (
        judged_classes(y_true, np.tile(p, (40, 1)), texts_per_second=1.0, family="tfidf")
        for p in ([0.9, 0.1], [0.8, 0.1, 0.1])
    )
    with pytest.raises(ValueError, match="same items"):
        decide(three, model())
    with pytest.raises(ValueError, match="same classes"):
        decide(two, three, record_of=np.arange(40))


def test_the_calibration_error_of_all_items_is_the_metrics():
    rng = np.random.default_rng(3)
    p = rng.dirichlet([1, 1, 1], size=N)
    found = judged_classes(Y_TRUE, p, texts_per_second=1.0, family="tfidf").calibration_error(np.ones((1, N)))
    assert found == pytest.approx(expected_calibration_error(Y_TRUE, p))


def test_sets_and_spans_are_judged_by_the_same_gate():
    rng = np.random.default_rng(4)
    targets = rng.random((N, 3)) < 0.3
    good, bad = (np.where(rng.random((N, 3)) < share, ~targets, targets) * 0.8 + 0.1 for share in (0.1, 0.3))
    judge = {"texts_per_second": 1.0, "family": "encoder"}
    assert decide(judged_sets(targets, good, **judge), judged_sets(targets, bad, **judge)).promoted
    assert not decide(judged_sets(targets, bad, **judge), judged_sets(targets, good, **judge)).promoted

    right = [[Span(0, 4, "drug")] for _ in range(N)]
    found = [[(Span(0, 4 + (n % 10 == 0), "drug"), 0.9)] for n in range(N)]
    half = [spans if n % 2 else [] for n, spans in enumerate(found)]
    good, bad = (judged_marks(spans, right, NAMES, **judge) for spans in (found, half))
    assert decide(good, bad).promoted
    assert "recall" in refusals(decide(bad, good))


def test_nothing_to_find_and_nothing_found_is_a_verdict_without_a_gap():
    nothing = judged_marks([[]] * N, [[]] * N, NAMES, texts_per_second=1.0, family="encoder")
    found = decide(nothing, nothing)
    assert found.promoted
    assert [check.value for check in found.checks if check.code in ("f1", "calibration")] == [0, 0]


def test_of_a_runs_candidates_the_best_is_chosen_and_of_equal_ones_the_plainest():
    plain, rich = model(EVERY_FIFTH), model(EVERY_FIFTH, family="encoder")
    assert choose([rich, plain], []) == 1
    assert choose([plain, model(range(0, N, 10), family="encoder")], []) == 1


@pytest.mark.parametrize(("n_judged", "places"), [(60, [1, 0]), (300, [1, 0])])
def test_others_that_no_candidate_had_learned_from_help_to_choose(n_judged, places):
    right = np.arange(n_judged) % 3
    candidates = [
        judged_classes(
            right, np.eye(3)[(right + (np.arange(n_judged) < n)) % 3], texts_per_second=1.0, family=family
        )
        for n, family in ((4, "tfidf"), (5, "embedding"))
    ]
    items = np.arange(n_judged)
    trials = [Trial(items, outcomes_of_classes(right, (right + (items < n)) % 3, 3)) for n in (20, 4)]
    assert [choose(candidates, trials), choose(candidates, trials[::-1])] == places


@pytest.mark.parametrize(("wrong", "place"), [(range(10), 0), (range(40, 50), 1)])
def test_an_encoder_is_held_against_others_on_the_items_that_both_were_held_to(wrong, place):
    right = np.arange(60) % 3
    candidates = [
        judged_classes(right[:30], np.eye(3)[right[:30]], texts_per_second=1.0, family=family)
        for family in ("tfidf", "encoder")
    ]
    items, asked = np.arange(60), np.arange(59, 29, -1)
    words = Trial(items, outcomes_of_classes(right, (right + np.isin(items, wrong)) % 3, 3))
    tuned = Trial(asked, outcomes_of_classes(right[asked], right[asked], 3))
    assert choose(candidates, [words, tuned]) == place


def test_an_encoder_that_finds_the_rare_classes_is_chosen_though_it_is_right_no_more_often():
    """Of 48 texts 6 are of two rare classes: the plain model finds none of them, the encoder all of them, and
    is wrong as often elsewhere."""
    right = np.array([0] * 42 + [1] * 3 + [2] * 3)
    plain, tuned = right.copy(), right.copy()
    plain[42:], tuned[:6] = 0, [1, 2] * 3
    plain_one, tuned_one = (
        judged_classes(right, np.eye(3)[found], texts_per_second=1.0, family=family)
        for found, family in ((plain, "embedding"), (tuned, "encoder"))
    )
    assert plain_one.outcomes.hits.sum() == tuned_one.outcomes.hits.sum()
    assert choose([plain_one, tuned_one], []) == 1
