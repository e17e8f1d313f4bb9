"""A campaign's need may change while answers stand."""

from uuid import uuid4

import pytest

from annotation.models import Consensus, MicroTask
from annotation.services.answers import submit_answer
from annotation.services.campaigns import update_campaign
from annotation.services.handout import take_place
from annotation.services.need import CHUNK, follow_need
from tests.factories import NOW, make_campaign, make_tasks, make_users, make_volunteers
from tests.invariants import assert_everything_adds_up

pytestmark = pytest.mark.django_db


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
    update_campaign(campaign, by=alice, needed=2)
    assert Consensus.objects.get().settled_at == NOW
    assert MicroTask.objects.get().is_open is False
    assert_everything_adds_up(campaign)


def test_raising_the_need_opens_settled_tasks_again(alice):
    campaign = answered_campaign(needed=2, n_answers=2)
    update_campaign(campaign, by=alice, needed=3)
    assert Consensus.objects.get().settled_at is None
    assert MicroTask.objects.get().is_open is True
    assert_everything_adds_up(campaign)


def test_a_tasks_need_does_not_fall_below_what_is_taken(alice):
    campaign = answered_campaign(needed=3, n_answers=3)
    update_campaign(campaign, by=alice, needed=1)
    assert MicroTask.objects.get().needed == 3
    assert_everything_adds_up(campaign)


def test_all_tasks_follow_also_beyond_one_chunk():
    campaign = make_campaign(needed=3)
    make_tasks(campaign, CHUNK + 1)
    campaign.needed = 5
    follow_need(campaign)
    assert set(MicroTask.objects.values_list("needed", flat=True)) == {5}
