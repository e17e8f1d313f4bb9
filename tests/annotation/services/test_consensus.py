"""Consensus: written with every answer, and the same when computed again."""

from datetime import timedelta
from uuid import uuid4

import pytest

from annotation.models import Consensus, MicroTask
from annotation.services.answers import revise_answer, submit_answer
from annotation.services.consensus import recompute_consensus
from annotation.services.handout import claim_task, take_place
from tests.factories import NOW, make_campaign, make_tasks, make_users, make_volunteers

pytestmark = pytest.mark.django_db
LATER = NOW + timedelta(days=1)


@pytest.fixture
def campaign():
    return make_campaign(needed=3)


@pytest.fixture
def users(campaign):
    users = make_users(4)
    make_volunteers(campaign, users)
    return users


def vote(campaign, users, *labels):
    """One more task with these answers, a minute apart; its consensus row and its assignments."""
    [task] = make_tasks(campaign, 1)
    assignments = []
    for minute, (user, label) in enumerate(zip(users, labels, strict=False)):
        now = NOW + timedelta(minutes=minute)
        assignments.append(take_place(task.pk, user.volunteers.get().pk, now=now))
        submit_answer(assignments[-1], user, {"label": label}, key=uuid4(), now=now)
    return Consensus.objects.get(pk=task.pk), assignments


def differences(campaign, *, check=True) -> int:
    return sum(n for _, n in recompute_consensus(campaign, now=LATER, check=check))


def test_the_label_of_most_answers_leads_with_its_share_of_the_votes(campaign, users):
    consensus, _ = vote(campaign, users, "yes", "no", "yes")
    assert (consensus.label, consensus.share, consensus.n_answers) == ("yes", 2 / 3, 3)
    assert (consensus.method, consensus.votes) == ("majority", {"yes": 2, "no": 1})
    assert consensus.campaign_id == campaign.pk


def test_a_tie_is_shown_as_a_tie_without_a_label(campaign, users):
    consensus, _ = vote(campaign, users, "no", "unclear", "yes")
    assert (consensus.label, consensus.share) == ("", 1 / 3)
    assert consensus.settled_at is not None


def test_a_task_is_settled_by_the_answer_that_fills_its_need(campaign, users):
    unsettled, _ = vote(campaign, users, "yes", "yes")
    assert (unsettled.label, unsettled.share, unsettled.settled_at) == ("yes", 1.0, None)
    settled, _ = vote(campaign, users, "yes", "yes", "no")
    assert settled.settled_at == NOW + timedelta(minutes=2)


def test_the_latest_answer_settles_whoever_came_first_to_the_lock(campaign, users):
    """Who waited for the lock has asked the clock earlier than the one who held it."""
    make_tasks(campaign, 1, needed=2)
    first, second = (claim_task(campaign.pk, user, now=NOW) for user in users[:2])
    late = NOW + timedelta(seconds=1)
    submit_answer(first.assignment_id, users[0], {"label": "yes"}, key=uuid4(), now=late)
    submit_answer(second.assignment_id, users[1], {"label": "yes"}, key=uuid4(), now=NOW)
    assert Consensus.objects.get().settled_at == late
    assert differences(campaign) == 0


def test_a_revised_answer_changes_the_consensus_and_not_when_it_settled(campaign, users):
    _, assignments = vote(campaign, users, "yes", "no", "yes")
    later = NOW + timedelta(hours=2)
    revise_answer(assignments[0], users[0], {"label": "no"}, key=uuid4(), now=later)
    consensus = Consensus.objects.get()
    assert (consensus.label, consensus.share) == ("no", 2 / 3)
    assert consensus.settled_at == NOW + timedelta(minutes=2)
    assert differences(campaign) == 0


def test_computing_again_finds_no_difference(campaign, users):
    for labels in (("yes",), ("yes", "no"), ("no", "no", "yes"), ("yes", "no", "unclear")):
        vote(campaign, users, *labels)
    assert list(recompute_consensus(campaign, now=NOW, check=True)) == [(4, 0)]
    assert list(recompute_consensus(make_campaign(), now=NOW, check=True)) == []


def test_a_need_that_changed_without_its_consensus_is_a_difference(campaign, users):
    vote(campaign, users, "yes", "yes")
    MicroTask.objects.update(needed=2)
    assert differences(campaign, check=False) == 1
    assert Consensus.objects.get().settled_at == LATER, "not when its answers came, but when it became so"
    MicroTask.objects.update(needed=3)
    assert differences(campaign, check=False) == 1
    assert Consensus.objects.get().settled_at is None


@pytest.mark.parametrize(
    "damage",
    [
        {"label": "no"},
        {"share": 0.5},
        {"n_answers": 2},
        {"votes": {"yes": 1}},
        {"settled_at": None},
        {"method": "guess"},
    ],
)
def test_check_counts_damaged_rows_and_a_run_without_it_mends_them(campaign, users, damage):
    before, _ = vote(campaign, users, "yes", "yes", "no")
    if "settled_at" in damage:
        before.settled_at = LATER
    Consensus.objects.update(**damage)
    assert differences(campaign) == 1
    assert differences(campaign) == 1, "a check writes nothing"
    assert differences(campaign, check=False) == 1
    assert differences(campaign) == 0
    assert Consensus.objects.values().get() == {
        field.attname: getattr(before, field.attname) for field in Consensus._meta.fields
    }


def test_missing_rows_come_back_and_rows_without_answers_go(campaign, users):
    vote(campaign, users, "yes", "yes", "no")
    Consensus.objects.all().delete()
    [unanswered] = make_tasks(campaign, 1)
    Consensus.objects.create(
        task=unanswered, campaign=campaign, method="majority", label="yes", share=1, votes={}, n_answers=1
    )
    assert differences(campaign, check=False) == 2
    assert differences(campaign) == 0
    assert Consensus.objects.get().votes == {"yes": 2, "no": 1}
