"""Another stop rule tried on the answers there are: cost against accuracy, and nothing changes."""

from uuid import uuid4

import pytest

from annotation.algorithms.stopping import Rule
from annotation.errors import Invalid
from annotation.models import Answer, Consensus, MicroTask
from annotation.services.answers import submit_answer
from annotation.services.crowd import refit
from annotation.services.handout import take_place
from annotation.services.rule_trials import expect, try_rule
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


def test_a_kind_whose_answers_are_no_labels_is_told_so():
    spans = [{"key": "a", "name": "a", "hint": ""}]
    with pytest.raises(Invalid) as refused:
        try_rule(make_campaign(kind="spans", labels=spans), RULE)
    assert refused.value.code == "rule_not_for_this_kind"


def test_before_there_are_answers_the_need_is_computed():
    expectation = expect(RULE, 0.8, 2)
    assert dict(expectation.needed)[0.8] == 1
    assert expectation.by_answers[:3] == pytest.approx([0.8, 0.8, 0.896])
    assert 2 <= expectation.cost.answers_per_task <= 5
