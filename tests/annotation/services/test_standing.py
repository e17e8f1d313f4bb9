"""Volunteers whose answers count no longer, and count again."""

from datetime import timedelta
from uuid import uuid4

import pytest

from annotation.models import Answer, Consensus, MicroTask, TrailEntry, Volunteer
from annotation.services.answers import revise_answer, submit_answer
from annotation.services.handout import claim_task, take_place
from annotation.services.review import decide_task
from annotation.services.standing import set_standing, volunteers_to_weigh, weigh_answers_again
from tests.answered import answered
from tests.factories import NOW, make_campaign, make_users, make_volunteers
from tests.invariants import assert_everything_adds_up

pytestmark = pytest.mark.django_db
LATER = NOW + timedelta(hours=1)


@pytest.fixture
def campaign():
    return make_campaign(needed=3)


@pytest.fixture
def volunteers(campaign):
    return make_volunteers(campaign, make_users(4))


def flag(volunteer):
    return set_standing(volunteer, "flagged", "Always the same label.", by=None, now=LATER)


def test_answers_of_a_flagged_volunteer_weigh_nothing_and_their_tasks_are_asked_once_more(
    campaign, volunteers
):
    task = answered(campaign, volunteers, "yes", "no", "no")
    flag(volunteers[1])
    assert weigh_answers_again(volunteers[1], now=NOW) == 1
    row = Consensus.objects.get()
    assert (row.votes, row.n_answers, row.settled_at) == ({"yes": 1, "no": 1}, 2, None)
    task.refresh_from_db()
    assert (task.needed, task.taken, task.is_open) == (4, 3, True)
    assert claim_task(campaign.pk, volunteers[3].user, now=LATER).task_id == task.pk
    assert Answer.objects.filter(weighs=False).count() == 1
    assert_everything_adds_up(campaign)


def test_a_task_whose_only_answer_no_longer_counts_has_no_consensus_and_is_asked_again(campaign, volunteers):
    campaign.needed = 1
    campaign.save()
    task = answered(campaign, volunteers, "yes")
    flag(volunteers[0])
    weigh_answers_again(volunteers[0], now=NOW)
    task.refresh_from_db()
    assert (task.needed, task.is_open, Consensus.objects.count()) == (2, True, 0)
    assert_everything_adds_up(campaign)


def test_the_need_does_not_grow_past_the_cap(campaign, volunteers):
    task = answered(campaign, volunteers, "yes", "no", "no")
    MicroTask.objects.update(cap=3)
    flag(volunteers[0])
    weigh_answers_again(volunteers[0], now=NOW)
    task.refresh_from_db()
    assert task.needed == 3


def test_trusted_again_all_is_as_it_was(campaign, volunteers, alice):
    task = answered(campaign, volunteers, "yes", "no", "no")
    before = Consensus.objects.values().get()
    flag(volunteers[1])
    weigh_answers_again(volunteers[1], now=NOW)
    set_standing(volunteers[1], "trusted", "I looked at it.", by=alice, now=LATER)
    assert weigh_answers_again(volunteers[1], now=NOW) == 1
    assert Consensus.objects.values().get() == before
    task.refresh_from_db()
    assert (task.needed, task.taken) == (3, 3)
    assert_everything_adds_up(campaign)


def test_what_a_reviewer_decided_is_not_asked_again_when_an_answer_falls_away(campaign, volunteers, alice):
    task = answered(campaign, volunteers, "yes", "no")
    decide_task(campaign, task.pk, {"label": "no"}, by=alice, now=NOW)
    flag(volunteers[0])
    weigh_answers_again(volunteers[0], now=NOW)
    task.refresh_from_db()
    assert not task.is_open
    assert Consensus.objects.get().settled_at == NOW


def test_further_answers_and_changes_of_a_flagged_volunteer_weigh_nothing(campaign, volunteers):
    first, second = (answered(campaign, volunteers, "yes") for _ in range(2))
    flag(volunteers[1])
    for task in (first, second):
        place = take_place(task.pk, volunteers[1].pk, now=LATER)
        submit_answer(place, volunteers[1].user, {"label": "no"}, key=uuid4(), now=LATER)
    revise_answer(place, volunteers[1].user, {"label": "unclear"}, key=uuid4(), now=LATER)
    assert set(Consensus.objects.values_list("n_answers", "label")) == {(1, "yes")}
    weigh_answers_again(volunteers[1], now=NOW)
    assert_everything_adds_up(campaign)


def test_a_flag_waits_in_its_row_until_the_answers_have_followed(campaign, volunteers):
    answered(campaign, volunteers, "yes")
    flag(volunteers[0])
    assert volunteers_to_weigh() == [volunteers[0]]
    weigh_answers_again(volunteers[0], now=NOW)
    assert volunteers_to_weigh() == []
    assert weigh_answers_again(volunteers[0], now=NOW) == 0


def test_many_tasks_follow_a_few_at_a_time(campaign, volunteers, monkeypatch):
    monkeypatch.setattr("annotation.services.standing.CHUNK", 2)
    for _ in range(5):
        answered(campaign, volunteers, "yes", "no")
    flag(volunteers[0])
    assert weigh_answers_again(volunteers[0], now=NOW) == 5
    assert Answer.objects.filter(weighs=False).count() == 5
    assert_everything_adds_up(campaign)


def test_every_change_of_standing_is_in_the_trail_with_its_reason(campaign, volunteers, alice):
    flag(volunteers[0])
    flag(volunteers[0])
    set_standing(volunteers[0], "excluded", "It was a script.", by=alice, now=LATER)
    noted = TrailEntry.objects.filter(verb="set_standing").order_by("pk")
    assert [(entry.user, entry.detail["before"], entry.detail["standing"]) for entry in noted] == [
        (None, "trusted", "flagged"),
        (alice, "flagged", "excluded"),
    ]
    assert noted[1].detail["reason"] == "It was a script."


def test_the_platform_flags_nobody_whom_a_person_has_decided_on(campaign, volunteers, alice):
    flag(volunteers[0])
    set_standing(volunteers[0], "trusted", "They read fast.", by=alice, now=LATER)
    assert flag(volunteers[0]).standing == Volunteer.Standing.TRUSTED
    set_standing(volunteers[1], "excluded", "", by=alice, now=LATER)
    assert flag(volunteers[1]).standing == Volunteer.Standing.EXCLUDED


def test_from_flagged_to_excluded_no_answer_has_to_follow(campaign, volunteers, alice):
    flag(volunteers[0])
    weigh_answers_again(volunteers[0], now=NOW)
    set_standing(volunteers[0], "excluded", "", by=alice, now=LATER)
    assert volunteers_to_weigh() == []
