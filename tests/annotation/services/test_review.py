"""The reviewer's desk: what comes first, what a decision does, and that it stays."""

from datetime import timedelta
from uuid import uuid4

import pytest

from annotation.errors import AlreadyDecided, GoldStands, InvalidAnswer, NotFound, NothingToDecide, RecordHeld
from annotation.exchange import count_new_labels, gold_examples, labelled_examples
from annotation.models import Campaign, Consensus, Gold, MicroTask, Record, TrailEntry
from annotation.services.answers import submit_answer
from annotation.services.campaigns import update_campaign
from annotation.services.consensus import recompute_consensus
from annotation.services.crowd import judge_again
from annotation.services.export import read_consensus
from annotation.services.handout import claim_task, expire_leases, skip_task, take_place
from annotation.services.review import decide_task, tasks_to_review
from tests.answered import answered
from tests.factories import NOW, make_campaign, make_gold, make_tasks, make_users, make_volunteers
from tests.invariants import assert_everything_adds_up

pytestmark = pytest.mark.django_db
LATER = NOW + timedelta(hours=1)


@pytest.fixture
def campaign():
    return make_campaign(needed=2)


@pytest.fixture
def volunteers(campaign):
    return make_volunteers(campaign, make_users(4))


def decide(campaign, task, label, by, **options):
    return decide_task(campaign, task.pk, {"label": label}, by=by, now=LATER, **options)


def test_what_waits_for_a_reviewer_comes_first_then_ties_then_the_least_certain(campaign, volunteers):
    campaign.needed = 3
    certain, doubtful, tied = (
        answered(campaign, volunteers, *labels)
        for labels in (("yes", "yes", "yes"), ("yes", "yes", "no"), ("yes", "no", "unclear"))
    )
    Consensus.objects.filter(pk=certain.pk).update(review="undecided", entropy=0.1)
    waiting = answered(campaign, volunteers, "no", "no", "no")
    Consensus.objects.filter(pk=waiting.pk).update(review="unclear", entropy=0.9)
    answered(campaign, volunteers, "no", "no", "no")
    assert tasks_to_review(campaign) == [waiting.pk, certain.pk, tied.pk, doubtful.pk]
    assert tasks_to_review(campaign, limit=2) == [waiting.pk, certain.pk]


def test_what_is_known_held_or_anothers_is_not_reviewed(campaign, volunteers):
    known, held = (answered(campaign, volunteers, "yes", "no") for _ in range(2))
    make_gold(known, "yes")
    Record.objects.filter(pk=held.record_id).update(held=True)
    assert tasks_to_review(campaign) == []
    tied = answered(campaign, volunteers, "yes", "no")
    assert tasks_to_review(make_campaign()) == []
    assert tasks_to_review(campaign) == [tied.pk]


def test_a_decision_becomes_gold_closes_the_task_and_is_noted(campaign, volunteers, alice):
    campaign.needed = 3
    task = answered(campaign, volunteers, "yes", "no")
    Consensus.objects.filter(pk=task.pk).update(review="undecided")
    assert not decide(campaign, task, "unclear", alice).repeated
    gold = Gold.objects.get(pk=task.pk)
    assert (gold.label, gold.value) == ("unclear", {"label": "unclear"})
    assert (gold.origin, gold.decided_by, gold.decided_at, gold.campaign) == (
        "reviewer", alice, LATER, campaign
    )  # fmt: skip
    row = Consensus.objects.get(pk=task.pk)
    assert (row.review, row.settled_at, row.label) == ("", LATER, "")
    task.refresh_from_db()
    assert (task.needed, task.taken, task.is_open) == (2, 2, False)
    noted = TrailEntry.objects.get(verb="decide_task")
    assert noted.detail == {"task": str(task.pk), "value": {"label": "unclear"}, "before": None}
    assert tasks_to_review(campaign) == []
    assert_everything_adds_up(campaign)


def test_a_decided_task_is_not_handed_out_any_more(campaign, volunteers, alice):
    task = answered(campaign, volunteers, "yes")
    decide(campaign, task, "no", alice)
    assert claim_task(campaign.pk, volunteers[1].user, now=LATER) is None


def test_an_answer_that_comes_after_the_decision_is_kept_and_changes_nothing(campaign, volunteers, alice):
    task = answered(campaign, volunteers, "yes")
    place = take_place(task.pk, volunteers[1].pk, now=NOW)
    decide(campaign, task, "no", alice)
    submit_answer(place, volunteers[1].user, {"label": "yes"}, key=uuid4(), now=LATER + timedelta(1))
    row = Consensus.objects.get(pk=task.pk)
    assert (row.n_answers, row.settled_at) == (2, LATER)
    task.refresh_from_db()
    assert not task.is_open
    assert_everything_adds_up(campaign)


@pytest.mark.parametrize("comes_back", ["skipped", "overdue"])
def test_a_place_that_comes_back_after_the_decision_stays_empty(campaign, volunteers, alice, comes_back):
    task = answered(campaign, volunteers, "yes")
    place = take_place(task.pk, volunteers[1].pk, now=NOW)
    decide(campaign, task, "no", alice)
    if comes_back == "skipped":
        skip_task(place, volunteers[1].user, "unclear", now=LATER)
    else:
        assert expire_leases(now=LATER) == 1
    assert claim_task(campaign.pk, volunteers[2].user, now=LATER) is None
    task.refresh_from_db()
    assert (task.taken, task.needed) == (1, 1)
    assert_everything_adds_up(campaign)


def test_a_decision_outlives_another_need_and_a_computation_of_everything(campaign, volunteers, alice):
    task = answered(campaign, volunteers, "yes", "no")
    open_task = answered(campaign, volunteers, "yes", "no")
    decide(campaign, task, "no", alice)
    update_campaign(campaign, by=alice, needed=4)
    sum(n for _, n in recompute_consensus(campaign, now=NOW))
    needed = dict(MicroTask.objects.values_list("pk", "needed"))
    assert needed == {task.pk: 2, open_task.pk: 4}
    assert Consensus.objects.get(pk=task.pk).settled_at == LATER
    assert_everything_adds_up(campaign)


def test_the_same_decision_again_is_harmless(campaign, volunteers, alice, bob):
    task = answered(campaign, volunteers, "yes", "no")
    decide(campaign, task, "no", alice)
    assert decide(campaign, task, "no", bob).repeated
    assert Gold.objects.get().decided_by == alice
    assert TrailEntry.objects.filter(verb="decide_task").count() == 1


def test_another_decision_has_to_say_that_it_changes_one_and_the_trail_keeps_both(
    campaign, volunteers, alice, bob
):
    task = answered(campaign, volunteers, "yes", "no")
    decide(campaign, task, "no", alice)
    with pytest.raises(AlreadyDecided):
        decide(campaign, task, "yes", bob)
    decide(campaign, task, "yes", bob, changes=True)
    assert (Gold.objects.get().label, Gold.objects.get().decided_by) == ("yes", bob)
    latest = TrailEntry.objects.filter(verb="decide_task").first()
    assert (latest.user, latest.detail["before"]) == (bob, {"label": "no"})


def test_what_cannot_be_decided_says_why(campaign, volunteers, alice):
    known, held, tied = (answered(campaign, volunteers, "yes", "no") for _ in range(3))
    [unanswered] = make_tasks(campaign, 1)
    make_gold(known, "yes")
    Record.objects.filter(pk=held.record_id).update(held=True)
    refused = [
        (known, "no", GoldStands), (held, "no", RecordHeld), (unanswered, "no", NothingToDecide),
        (tied, "maybe", InvalidAnswer),
    ]  # fmt: skip
    for task, label, error in refused:
        with pytest.raises(error):
            decide(campaign, task, label, alice)
    with pytest.raises(NotFound):
        decide(make_campaign(), tied, "no", alice)
    assert not Gold.objects.filter(origin="reviewer").exists()


def test_models_learn_what_the_reviewer_said_and_exports_say_it_too(campaign, volunteers, alice):
    tied, wrong = answered(campaign, volunteers, "yes", "no"), answered(campaign, volunteers, "yes", "yes")
    assert count_new_labels(campaign.pk, since=None) == 1
    for task in (tied, wrong):
        decide(campaign, task, "no", alice)
    examples = {e.task_id: (e.value, e.is_expert) for e in labelled_examples(campaign.pk, settled_by=LATER)}
    assert examples == {task.pk: ({"label": "no"}, True) for task in (tied, wrong)}
    assert count_new_labels(campaign.pk, since=NOW) == 2
    assert [(row.label, row.gold) for row in read_consensus(campaign)] == [("no", "no")] * 2
    assert {row.label for row in read_consensus(campaign, with_decisions=False)} == {"yes"}


def test_what_a_reviewer_decided_is_not_what_models_are_measured_by(campaign, volunteers, alice):
    decided, known = answered(campaign, volunteers, "yes", "no"), make_tasks(campaign, 1)[0]
    decide(campaign, decided, "no", alice)
    make_gold(known, "yes")
    assert [example.task_id for example in gold_examples(campaign.pk)] == [known.pk]


def test_a_label_that_was_taken_out_is_neither_counted_nor_measured_by(campaign, volunteers, alice):
    answered(campaign, volunteers, "yes", "yes")
    decided, known = answered(campaign, volunteers, "yes", "no"), make_tasks(campaign, 2)
    decide(campaign, decided, "unclear", alice)
    make_gold(known[0], "unclear")
    make_gold(known[1], "no")
    assert count_new_labels(campaign.pk, since=None) == 2
    update_campaign(campaign, by=alice, labels=[lab for lab in campaign.labels if lab["key"] != "unclear"])
    assert count_new_labels(campaign.pk, since=None) == 1
    assert [example.task_id for example in gold_examples(campaign.pk)] == [known[1].pk]


@pytest.mark.parametrize("is_decided_first", [True, False])
def test_a_decision_outlives_the_labels_of_all_answers(campaign, volunteers, alice, is_decided_first):
    task = answered(campaign, volunteers, "unclear", "unclear")
    other = answered(campaign, volunteers, "unclear", "unclear")
    if is_decided_first:
        decide(campaign, task, "no", alice)
    update_campaign(campaign, by=alice, labels=[lab for lab in campaign.labels if lab["key"] != "unclear"])
    if not is_decided_first:
        campaign.refresh_from_db()
        decide(campaign, task, "no", alice)
    judge_again(campaign, now=LATER)
    assert not Consensus.objects.filter(pk=other.pk).exists()
    row = Consensus.objects.get(pk=task.pk)
    assert (row.settled_at, row.review) == (LATER, "")
    assert [row.label for row in read_consensus(campaign)] == ["no"]
    assert [e.value for e in labelled_examples(campaign.pk, settled_by=LATER)] == [{"label": "no"}]
    task.refresh_from_db()
    assert not task.is_open
    assert_everything_adds_up(campaign)


def test_reviewers_and_admins_of_a_campaign_review_it_and_nobody_else(campaign, alice, bob, charlie):
    for user, role in ((alice, "campaign_admin"), (bob, "reviewer"), (charlie, "volunteer")):
        campaign.memberships.create(user=user, role=role)
    reviewed = [set(Campaign.objects.reviewed_by(user)) for user in (alice, bob, charlie)]
    assert reviewed == [{campaign}, {campaign}, set()]
