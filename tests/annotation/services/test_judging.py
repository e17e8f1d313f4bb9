"""What the answers of a task mean for it, without a database."""

from datetime import timedelta
from functools import partial
from uuid import UUID, uuid4

import pytest

from annotation.algorithms.crowd import Answers, fit_crowd
from annotation.algorithms.stopping import Rule
from annotation.kinds import Given
from annotation.services.judging import (
    KNOWN_AFTER,
    CountedAnswer,
    Rules,
    TaskState,
    is_audited,
)
from annotation.services.judging import judge as judge_now
from tests.factories import LABELS, NOW
from tests.simulated import skilled_crowd

LATER = NOW + timedelta(days=1)
judge = partial(judge_now, now=LATER)
KEYS = [label["key"] for label in LABELS]
NEVER_AUDITED, ALWAYS_AUDITED = UUID(int=99_999), UUID(int=0)


@pytest.fixture(scope="module")
def fitted():
    """A crowd of eight: the first is nearly always right, the last answers at random."""
    answers = skilled_crowd([0.98] + [0.85] * 6 + [1 / 3], n_tasks=300, n_classes=3, seed=4)
    return fit_crowd(Answers(*answers, n_tasks=300, n_workers=8, n_classes=3), method="engine")


@pytest.fixture
def rules(fitted):
    def make(stopping=None, crowd=fitted.crowd | {"keys": KEYS}, needed=2):
        method = "engine" if crowd else "majority"
        return Rules(uuid4(), "choice", LABELS, needed, method, 1, crowd, stopping)

    return make


@pytest.fixture
def said(fitted):
    """said(worker, label): their answer, a minute after the one before."""
    minute = iter(range(100))

    def make(worker: int, label: str, *, n_fitted: int = KNOWN_AFTER) -> CountedAnswer:
        given = Given({"label": label}, fitted.workers[worker])
        return CountedAnswer(uuid4(), given, NOW + timedelta(minutes=next(minute)), n_fitted)

    return make


def task(taken: int, *, needed: int = 2, cap: int = 100, task_id: UUID = NEVER_AUDITED, **more) -> TaskState:
    return TaskState(task_id, needed, taken, cap, **{"n_ignored": 0, "audited": False} | more)


RULE = Rule(certainty=0.97, first=2, first_while_young=3, most=4, audit_share=0.5)


def test_who_is_usually_right_outweighs_two_who_are_not(rules, said):
    judgement = judge(rules(), task(3), [said(0, "yes"), said(7, "no"), said(7, "no")])
    assert (judgement.row["label"], judgement.row["votes"]) == ("yes", {"yes": 1, "no": 2})
    weights = list(judgement.row["weights"].values())
    assert abs(weights[0]) > 5 * abs(weights[1])


def test_the_order_of_the_answers_changes_nothing(rules, said):
    answers = [said(0, "yes"), said(1, "no"), said(2, "yes")]
    fixed = rules()
    assert judge(fixed, task(3), answers) == judge(fixed, task(3), answers[::-1])


def test_two_who_agree_and_are_known_stop_a_task(rules, said):
    judgement = judge(rules(RULE), task(2), [said(0, "yes"), said(1, "yes")])
    assert judgement.row["settled_at"] is not None
    assert judgement.needed == 2


def test_strangers_do_not_stop_a_task_however_much_they_agree(rules, said):
    strangers = [said(w, "yes", n_fitted=KNOWN_AFTER - 1) for w in (0, 1, 2)]
    judgement = judge(rules(RULE), task(3), strangers)
    assert judgement.row["settled_at"] is None
    assert judgement.needed == 4


def test_where_answers_disagree_one_more_is_asked(rules, said):
    judgement = judge(rules(RULE), task(2), [said(1, "yes"), said(2, "no")])
    assert (judgement.row["settled_at"], judgement.row["review"], judgement.needed) == (None, "", 3)


def test_nobody_more_is_asked_while_somebody_is_at_work_on_it(rules, said):
    judgement = judge(rules(RULE), task(3, needed=3), [said(1, "yes"), said(2, "no")])
    assert judgement.needed == 3


def test_at_the_most_answers_a_reviewer_is_asked_instead(rules, said):
    answers = [said(1, "yes"), said(2, "no"), said(3, "yes"), said(4, "no")]
    judgement = judge(rules(RULE), task(4, needed=4), answers)
    assert (judgement.row["review"], judgement.row["settled_at"]) == ("undecided", None)
    assert judgement.needed == 4


def test_the_need_never_passes_the_cap(rules, said):
    answers = [said(1, "yes"), said(2, "no")]
    assert judge(rules(RULE), task(2, cap=2), answers).needed == 2


def test_before_the_first_fit_a_third_answer_is_asked_and_then_waited_for(rules, said):
    young = rules(RULE, crowd=None)
    assert judge(young, task(2), [said(1, "yes"), said(2, "yes")]).needed == 3
    judgement = judge(young, task(3, needed=3), [said(w, "yes") for w in (1, 2, 3)])
    assert (judgement.row["settled_at"], judgement.row["review"], judgement.needed) == (None, "", 3)


def test_a_drawn_task_is_asked_once_more_after_it_stopped_and_only_once(rules, said):
    answers = [said(0, "yes"), said(1, "yes")]
    first = judge(rules(RULE), task(2, task_id=ALWAYS_AUDITED), answers)
    assert (first.row["audited"], first.needed) == (True, 3)
    assert first.row["settled_at"] is not None
    waiting = judge(rules(RULE), task(2, needed=3, task_id=ALWAYS_AUDITED, audited=True), answers)
    assert waiting.needed == 3
    third = [*answers, said(2, "yes")]
    after = judge(rules(RULE), task(3, needed=3, task_id=ALWAYS_AUDITED, audited=True), third)
    assert (after.row["audited"], after.needed) == (True, 3)


def test_the_audited_share_is_the_share_that_was_asked_for():
    audited = [is_audited(uuid4(), 0.03) for _ in range(20_000)]
    assert 0.025 < sum(audited) / len(audited) < 0.035


def test_an_answer_with_a_label_that_is_gone_does_not_count_and_leaves_its_place(rules, said):
    judgement = judge(rules(crowd=None), task(2), [said(0, "yes"), said(1, "gone")])
    assert (judgement.row["votes"], judgement.row["n_answers"]) == ({"yes": 1}, 1)
    assert (judgement.row["settled_at"], judgement.needed) == (None, 3)


def test_without_an_answer_that_counts_there_is_no_consensus(rules, said):
    judgement = judge(rules(), task(1), [said(0, "gone")])
    assert (judgement.row, judgement.needed) == (None, 3)


def test_what_is_settled_stays_so_since_then_and_what_becomes_so_is_from_now_on(rules, said):
    answers = [said(0, "yes"), said(1, "yes")]
    assert judge(rules(), task(2), answers).row["settled_at"] == LATER
    assert judge(rules(), task(2, settled_at=NOW), answers).row["settled_at"] == NOW
    assert judge(rules(needed=3), task(2, needed=3, settled_at=NOW), answers).row["settled_at"] is None
