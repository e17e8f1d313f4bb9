"""Another stop rule tried on the answers there are: cost against accuracy, and nothing changes."""

from dataclasses import replace
from uuid import uuid4

import numpy as np
import pytest

from annotation.algorithms.stopping import Rule
from annotation.errors import Invalid
from annotation.kinds import KINDS
from annotation.models import Answer, Consensus, CrowdFit, MicroTask, Skill
from annotation.services.answers import submit_answer
from annotation.services.crowd import refit
from annotation.services.handout import take_place
from annotation.services.rule_trials import expect, n_tasks_on_page, try_rule
from tests.crowds import SEVERAL_PARTS, SIGNS, answered_by_crowd, know
from tests.factories import NOW, make_campaign, make_gold, make_tasks, make_users, make_volunteers
from tests.simulated import skilled_crowd

pytestmark = pytest.mark.django_db
CLASSES = ["yes", "no", "unclear"]
RULE = Rule(certainty=0.95, first=2, first_while_young=3, most=5, audit_share=0.0)


@pytest.fixture
def answered():
    """Five who are right nine times in ten have answered forty tasks."""
    campaign = make_campaign(aggregation="engine", needed=5)
    volunteers, tasks = make_volunteers(campaign, make_users(5)), make_tasks(campaign, 40)
    for task, worker, label in zip(*skilled_crowd([0.9] * 5, n_tasks=40, n_classes=3, seed=3), strict=True):
        place = take_place(tasks[task].pk, volunteers[worker].pk, now=NOW)
        submit_answer(place, volunteers[worker].user, {"label": CLASSES[label]}, key=uuid4(), now=NOW)
    refit(campaign, now=NOW)
    campaign.refresh_from_db()
    return campaign, tasks


def test_a_rule_takes_fewer_answers_and_says_what_that_costs(answered):
    campaign, _ = answered
    trial = try_rule(campaign, RULE)
    assert (trial.n_tasks, trial.n_answers, trial.answers_per_task_now) == (40, 200, 5.0)
    assert 2 <= trial.answers_per_task < 3.5
    assert trial.truth == "all answers"
    assert trial.accuracy_now == 1.0
    assert 0.85 < trial.accuracy <= 1.0
    assert 0 <= trial.review_share < 0.2


def test_the_surer_the_rule_the_more_it_costs(answered):
    campaign, _ = answered
    costs = [point.answers_per_task for point in try_rule(campaign, RULE).curve]
    assert costs == sorted(costs)
    assert costs[0] < costs[-1]


def test_the_same_seed_gives_the_same_figures(answered):
    campaign, _ = answered
    assert try_rule(campaign, RULE, seed=4) == try_rule(campaign, RULE, seed=4)


def test_with_enough_gold_labels_are_held_against_gold(answered):
    campaign, tasks = answered
    for n, task in enumerate(tasks[:25]):
        make_gold(task, CLASSES[n % 3])
    trial = try_rule(campaign, RULE)
    assert trial.truth == "gold"
    assert trial.accuracy > 0.85


def test_trying_changes_nothing(answered):
    campaign, _ = answered
    before = list(Consensus.objects.order_by("pk").values()), list(MicroTask.objects.order_by("pk").values())
    try_rule(campaign, RULE)
    after = list(Consensus.objects.order_by("pk").values()), list(MicroTask.objects.order_by("pk").values())
    assert before == after
    assert Answer.objects.count() == 200


def test_a_campaign_that_counts_votes_can_try_what_weighing_would_do(answered):
    campaign, _ = answered
    type(campaign).objects.update(aggregation="majority", crowd_version=0)
    campaign.refresh_from_db()
    assert try_rule(campaign, RULE).answers_per_task < 3.5


def test_without_answers_there_is_nothing_to_try():
    with pytest.raises(Invalid) as refused:
        try_rule(make_campaign(), RULE)
    assert refused.value.code == "nothing_to_try"


def test_doubt_is_heard_as_the_platform_hears_it(answered):
    """Whoever is alone with an answer doubts it: what is left agrees, and stops sooner."""
    campaign, _ = answered
    rule = replace(RULE, certainty=0.99)
    plain = try_rule(campaign, rule)
    labels = dict(Consensus.objects.values_list("task", "label"))
    for given in Answer.objects.select_related("assignment"):
        given.certain = given.value["label"] == labels[given.assignment.task_id]
        given.save(update_fields=["certain"])
    refit(campaign, now=NOW)
    campaign.refresh_from_db()
    assert try_rule(campaign, rule).answers_per_task < plain.answers_per_task


def test_labels_that_came_since_the_fit_are_judged_by_majority_until_the_next_as_on_the_platform(answered):
    campaign, _ = answered
    type(campaign).objects.update(labels=[*campaign.labels, {"key": "new", "name": "New", "hint": ""}])
    campaign.refresh_from_db()
    trial = try_rule(campaign, replace(RULE, certainty=0.7))
    assert trial.accuracy > 0.8
    assert 2 <= trial.answers_per_task < 5


# --- answers of several parts


@pytest.mark.parametrize("kind", SEVERAL_PARTS)
def test_a_rule_is_tried_in_every_kind_by_the_verdicts_that_the_platform_would_have_found(kind):
    campaign, tasks, truths = answered_by_crowd(kind, [0.9] * 5, 40)
    know(tasks, truths)
    refit(campaign, now=NOW)
    campaign.refresh_from_db()
    rows = dict(Consensus.objects.values_list("task", "value"))
    now = np.mean(
        [
            KINDS[kind].score(rows[task.pk], truth) if rows[task.pk] is not None else 0.0
            for task, truth in zip(tasks, truths, strict=True)
        ]
    )
    trial = try_rule(campaign, RULE)
    assert (trial.n_tasks, trial.n_answers, trial.answers_per_task_now) == (40, 200, 5.0)
    assert (trial.truth, trial.measure) == ("gold", KINDS[kind].measure)
    assert trial.accuracy_now == pytest.approx(now)
    assert 2 <= trial.answers_per_task < 5
    assert 0.8 < trial.accuracy <= 1.0
    never_sure = try_rule(campaign, replace(RULE, certainty=1.0, first=5, first_while_young=5))
    assert (never_sure.answers_per_task, never_sure.accuracy) == (5.0, pytest.approx(now))


@pytest.mark.parametrize("kind", SEVERAL_PARTS)
def test_before_a_fit_and_without_gold_a_rule_is_tried_by_a_fit_to_its_own_answers(kind):
    campaign, _, _ = answered_by_crowd(kind, [0.9] * 4, 30, aggregation="majority")
    trial = try_rule(campaign, replace(RULE, certainty=0.8))
    assert trial.truth == "all answers"
    assert trial.accuracy_now == 1.0
    assert 2 <= trial.answers_per_task < 4
    assert 0.7 < trial.accuracy <= 1.0
    costs = [point.answers_per_task for point in trial.curve]
    assert costs == sorted(costs)


def test_without_a_volunteer_of_known_skill_nothing_stops_whatever_is_marked():
    campaign, _, _ = answered_by_crowd("spans", [1.0] * 3, 10)
    refit(campaign, now=NOW)
    campaign.refresh_from_db()
    assert try_rule(campaign, RULE).answers_per_task == 3.0


def test_a_tie_is_no_consensus_it_counts_nothing_and_is_no_truth():
    """Two of equal skill, of whom one says fever and the other not."""
    campaign = make_campaign(kind="multiple", labels=[SIGNS[0]], aggregation="engine", needed=2)
    volunteers, tasks = make_volunteers(campaign, make_users(2)), make_tasks(campaign, 25)
    for task in tasks:
        for volunteer, labels in zip(volunteers, (["fever"], []), strict=True):
            place = take_place(task.pk, volunteer.pk, now=NOW)
            submit_answer(place, volunteer.user, {"labels": labels}, key=uuid4(), now=NOW)
    refit(campaign, now=NOW)
    campaign.refresh_from_db()
    even = {"n_labels": 1, "prior": [0.5], "rates": [[0.8, 0.8]], "keys": ["fever"]}
    CrowdFit.objects.update(parameters=even)
    Skill.objects.update(parameters={"rates": [[0.8, 0.8]]})
    trial = try_rule(campaign, RULE)
    assert (trial.truth, trial.accuracy_now, trial.accuracy) == ("all answers", None, None)
    know(tasks, [{"labels": ["fever"]}] * 25)
    trial = try_rule(campaign, RULE)
    assert (trial.truth, trial.accuracy_now, trial.accuracy) == ("gold", 0.0, 0.0)


def test_fewer_tasks_are_tried_on_a_page_where_texts_are_read():
    assert n_tasks_on_page(make_campaign(kind="spans")) < n_tasks_on_page(make_campaign(kind="multiple"))
    campaign, _, _ = answered_by_crowd("spans", [0.9] * 2, 5)
    assert try_rule(campaign, RULE, n_tasks=3).n_tasks == 3


def test_whoever_waits_hears_how_many_verdicts_have_been_found():
    campaign, _, _ = answered_by_crowd("text", [0.9] * 3, 5)
    heard: list[tuple[int, int]] = []
    try_rule(campaign, RULE, on_progress=lambda *figures: heard.append(figures))
    assert [n for n, _ in heard] == list(range(1, len(heard) + 1))
    assert {n_at_most for _, n_at_most in heard} == {15}
    assert len(heard) <= 15


# --- before there are answers


def test_before_there_are_answers_the_need_is_computed():
    expectation = expect(RULE, 0.8, KINDS["choice"], [{"key": "yes"}, {"key": "no"}])
    assert dict(expectation.needed)[0.8] == 1
    assert expectation.by_answers[:3] == pytest.approx([0.8, 0.8, 0.896])
    assert 2 <= expectation.cost.answers_per_task <= 5


@pytest.mark.parametrize("kind", ["multiple", "spans", "relations"])
def test_of_several_parts_the_need_is_that_of_one_part_which_is_there_or_not(kind):
    one_of_two = expect(RULE, 0.8, KINDS["choice"], [{"key": "yes"}, {"key": "no"}])
    assert expect(RULE, 0.8, KINDS[kind], SEVERAL_PARTS[kind][0]) == one_of_two
    assert KINDS[kind].planning.startswith("Computed for one ")


def test_two_right_texts_outvote_wrong_ones_and_a_rules_cost_is_left_open():
    """Of three, two or three right: 0.896; one right, and the lot falls on it: 0.096 / 3."""
    expectation = expect(RULE, 0.8, KINDS["text"], [])
    assert expectation.by_answers[2] == pytest.approx(0.896 + 0.096 / 3, abs=1e-3)
    assert expectation.cost is None
