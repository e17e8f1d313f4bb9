"""A campaign's need may change while answers stand."""

from datetime import timedelta
from uuid import uuid4

import pytest

from annotation.exchange import count_new_labels
from annotation.models import Answer, Consensus, MicroTask
from annotation.services.answers import submit_answer
from annotation.services.campaigns import update_campaign
from annotation.services.crowd import judge_again
from annotation.services.handout import take_place
from annotation.services.need import CHUNK, follow_need
from tests.factories import NOW, make_campaign, make_tasks, make_users, make_volunteers
from tests.invariants import assert_everything_adds_up

pytestmark = pytest.mark.django_db
LATER = NOW + timedelta(hours=1)


def answered_campaign(needed: int, n_answers: int):
    campaign = make_campaign(needed=needed)
    (task,) = make_tasks(campaign, 1)
    for volunteer in make_volunteers(campaign, make_users(n_answers)):
        place = take_place(task.pk, volunteer.pk, now=NOW)
        submit_answer(place, volunteer.user, {"label": "yes"}, key=uuid4(), now=NOW)
    return campaign


def test_lowering_the_need_settles_what_has_enough_answers(alice):
    campaign = answered_campaign(needed=3, n_answers=2)
    assert Consensus.objects.get().settled_at is None
    judge_again(update_campaign(campaign, by=alice, needed=2), now=LATER)
    assert Consensus.objects.get().settled_at == LATER
    assert MicroTask.objects.get().is_open is False
    assert_everything_adds_up(campaign)


def test_raising_the_need_opens_settled_tasks_again(alice):
    campaign = answered_campaign(needed=2, n_answers=2)
    judge_again(update_campaign(campaign, by=alice, needed=3), now=LATER)
    assert Consensus.objects.get().settled_at is None
    assert MicroTask.objects.get().is_open is True
    assert_everything_adds_up(campaign)


def test_a_tasks_need_does_not_fall_below_what_is_taken(alice):
    campaign = answered_campaign(needed=3, n_answers=3)
    judge_again(update_campaign(campaign, by=alice, needed=1), now=LATER)
    assert MicroTask.objects.get().needed == 3
    assert_everything_adds_up(campaign)


def test_all_tasks_follow_also_beyond_one_chunk():
    campaign = make_campaign(needed=3)
    make_tasks(campaign, CHUNK + 1)
    campaign.needed = 5
    follow_need(campaign)
    assert set(MicroTask.objects.values_list("needed", flat=True)) == {5}


def test_an_answer_whose_label_was_taken_out_is_no_answer_when_the_need_changes(alice):
    campaign = answered_campaign(needed=2, n_answers=2)
    answer = Answer.objects.first()
    Answer.objects.filter(pk=answer.pk).update(value={"label": "gone"})
    judge_again(update_campaign(campaign, by=alice, needed=3), now=LATER)
    assert MicroTask.objects.get().needed == 4
    judge_again(update_campaign(campaign, by=alice, needed=2), now=LATER)
    assert (MicroTask.objects.get().needed, Consensus.objects.get().settled_at) == (3, None)
    campaign = update_campaign(campaign, by=alice, needed=1)
    judge_again(campaign, now=LATER)
    assert (MicroTask.objects.get().needed, Consensus.objects.get().settled_at) == (2, LATER)
    assert_everything_adds_up(campaign)


def test_a_task_none_of_whose_answers_count_is_asked_as_often_as_the_need_says(alice):
    campaign = answered_campaign(needed=1, n_answers=1)
    Answer.objects.update(value={"label": "gone"})
    for needed in (2, 3, 1):
        judge_again(update_campaign(campaign, by=alice, needed=needed), now=LATER)
        assert MicroTask.objects.get().needed == needed + 1
    assert_everything_adds_up(campaign)


def test_where_tasks_stop_when_sure_another_start_is_judged_too(alice):
    campaign = make_campaign(aggregation="engine", stopping="adaptive", needed=2, most_answers=5)
    make_tasks(campaign, 1)
    campaign = update_campaign(campaign, by=alice, needed=3)
    assert campaign.is_to_be_judged


def test_a_label_counts_as_new_when_it_became_settled_and_not_when_its_answers_came(alice):
    campaign = answered_campaign(needed=3, n_answers=2)
    since = NOW + timedelta(minutes=1)
    assert count_new_labels(campaign.pk, since=since) == 0
    judge_again(update_campaign(campaign, by=alice, needed=2), now=LATER)
    assert count_new_labels(campaign.pk, since=since) == 1
