"""Taken out of a campaign and let back in: no more texts, the place given back, the answers kept."""

import threading
from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import connections
from django.utils import timezone

from annotation.errors import NotFound, TakenOut
from annotation.models import Answer, Assignment, Campaign, Consensus, MicroTask, TrailEntry
from annotation.services import handout
from annotation.services.answers import revise_answer, submit_answer
from annotation.services.handout import claim_next, claim_task, extend_lease, skip_task
from annotation.services.joining import invite, join_campaign, redeem_invitation
from annotation.services.progress import latest_answers, progress_of
from annotation.services.taking_part import let_in, participants, take_out
from tests.factories import NOW, make_campaign, make_tasks, make_users, make_volunteer, make_volunteers
from tests.invariants import assert_everything_adds_up

pytestmark = pytest.mark.django_db


@pytest.fixture
def campaign(db):
    campaign = make_campaign(needed=1)
    make_tasks(campaign, 3)
    return campaign


@pytest.fixture
def volunteer(campaign, bob):
    return make_volunteer(campaign, bob)


def claim(campaign, user):
    return claim_task(campaign.pk, user, now=NOW)


def submit(place, user, label="yes", key=None):
    return submit_answer(place.assignment_id, user, {"label": label}, key=key or uuid4(), now=NOW)


def test_who_is_taken_out_gets_no_more_texts_and_a_sentence(campaign, volunteer, alice, bob):
    take_out(campaign, volunteer.pk, by=alice, now=NOW)
    with pytest.raises(TakenOut) as told:
        claim(campaign, bob)
    assert told.value.code == "taken_out"
    assert "Your answers are kept" in told.value.sentence
    assert claim_next(campaign.pk, bob, now=NOW) is None, "an answer that was just taken stands"


def test_the_place_they_hold_goes_to_somebody_else_at_once(campaign, volunteer, alice, bob, charlie):
    make_volunteer(campaign, charlie)
    held = claim(campaign, bob)
    take_out(campaign, volunteer.pk, by=alice, now=NOW)
    assert MicroTask.objects.get(pk=held.task_id).taken == 0
    assert Assignment.objects.get(pk=held.assignment_id).state == Assignment.State.EXPIRED
    assert claim(campaign, charlie).task_id == held.task_id


def test_an_answer_for_the_place_that_was_given_back_is_not_taken(campaign, volunteer, alice, bob):
    held = claim(campaign, bob)
    take_out(campaign, volunteer.pk, by=alice, now=NOW)
    with pytest.raises(TakenOut):
        submit(held, bob)
    with pytest.raises(handout.LeaseExpired):
        extend_lease(held.assignment_id, bob, now=NOW)
    assert not Answer.objects.exists()


def test_their_answers_and_what_they_add_up_to_stay(campaign, volunteer, alice, bob):
    place, key = claim(campaign, bob), uuid4()
    submit(place, bob, key=key)
    before = Consensus.objects.values().get()
    take_out(campaign, volunteer.pk, by=alice, now=NOW)
    assert Consensus.objects.values().get() == before
    assert submit(place, bob, key=key).repeated, "sent again after a broken connection: the same reply"
    with pytest.raises(TakenOut):
        revise_answer(place.assignment_id, bob, {"label": "no"}, key=uuid4(), now=NOW)
    assert progress_of(campaign.pk, bob, now=NOW).n_my_answers == 1
    with pytest.raises(TakenOut):
        latest_answers(campaign.pk, bob, 10)  # it would show texts


def test_a_name_that_they_saw_may_still_be_reported(campaign, volunteer, alice, bob):
    held = claim(campaign, bob)
    take_out(campaign, volunteer.pk, by=alice, now=NOW)
    skip_task(held.assignment_id, bob, Assignment.SkipReason.NAMES_A_PERSON, now=NOW)
    task = MicroTask.objects.get(pk=held.task_id)
    assert (task.held, task.taken) == (True, 0)


def test_there_is_no_way_back_but_by_the_admin(campaign, volunteer, alice, bob):
    campaign.joining = Campaign.Joining.ANYONE
    campaign.save()
    take_out(campaign, volunteer.pk, by=alice, now=NOW)
    token = invite(campaign, "volunteer", by=alice, max_uses=1, valid=timedelta(days=1), now=NOW)
    redeem_invitation(token, bob, now=NOW)
    assert not Campaign.objects.to_label(bob).exists()
    assert Campaign.objects.for_user(bob).get() == campaign
    with pytest.raises(TakenOut):
        join_campaign(bob, campaign, now=NOW)
    with pytest.raises(TakenOut):
        claim(campaign, bob)


def test_who_is_let_back_in_goes_on_as_before(campaign, volunteer, alice, bob):
    first, held = claim(campaign, bob), None
    submit(first, bob)
    held = claim(campaign, bob)
    take_out(campaign, volunteer.pk, by=alice, now=NOW)
    let_in(campaign, volunteer.pk, by=alice)
    seen = []
    while (place := claim(campaign, bob)) is not None:
        seen.append(place.task_id)
        submit(place, bob)
    assert len(seen) == 2
    assert held.task_id in seen and first.task_id not in seen
    assert_everything_adds_up(campaign)


def test_another_campaign_of_the_same_person_goes_on(campaign, volunteer, alice, bob):
    other = make_campaign(name="Another")
    make_volunteer(other, bob)
    [task] = make_tasks(other, 1)
    take_out(campaign, volunteer.pk, by=alice, now=NOW)
    assert claim(other, bob).task_id == task.pk


def test_each_change_is_noted_once_and_a_foreign_volunteer_is_not_found(campaign, volunteer, alice):
    for _ in range(2):
        take_out(campaign, volunteer.pk, by=alice, now=NOW)
    for _ in range(2):
        let_in(campaign, volunteer.pk, by=alice)
    noted = TrailEntry.objects.order_by("at").values_list("verb", "user", "detail__volunteer")
    assert list(noted) == [
        ("take_out_volunteer", alice.pk, str(volunteer.pk)),
        ("let_in_volunteer", alice.pk, str(volunteer.pk)),
    ]
    for volunteer_id in (make_volunteer(make_campaign()).pk, uuid4()):
        with pytest.raises(NotFound):
            take_out(campaign, volunteer_id, by=alice, now=NOW)


def test_volunteers_are_listed_by_who_answered_last_and_found_by_pseudonym(campaign, alice, bob, charlie):
    first, second, third = make_volunteers(campaign, [bob, charlie, *make_users(1)])
    for volunteer, day in ((first, NOW), (second, NOW + timedelta(days=1))):
        place = claim_task(campaign.pk, volunteer.user, now=day)
        submit_answer(place.assignment_id, volunteer.user, {"label": "yes"}, key=uuid4(), now=day)
    take_out(campaign, third.pk, by=alice, now=NOW)
    listed = participants(campaign)
    assert [(row.volunteer_id, row.n_answers, row.taken_out_at) for row in listed] == [
        (second.pk, 1, None),
        (first.pk, 1, None),
        (third.pk, 0, NOW),
    ]
    assert [row.volunteer_id for row in participants(campaign, taken_out=True)] == [third.pk]
    [found] = participants(campaign, pseudonym=first.pseudonym.lower())
    assert found.volunteer_id == first.pk


@pytest.mark.django_db(transaction=True)
def test_taking_out_races_with_a_volunteer_at_work_and_leaves_no_place_held(alice):
    """Over and over, one is taken out and let in while claiming and answering as fast as they can."""
    campaign = make_campaign(needed=2)
    make_tasks(campaign, 60)
    volunteers = make_volunteers(campaign, make_users(4))
    finished, errors = threading.Event(), []

    def work(user) -> None:
        try:
            while not finished.is_set():
                try:
                    place = claim_task(campaign.pk, user, now=timezone.now())
                    if place is None:
                        return
                    submit_answer(
                        place.assignment_id, user, {"label": "yes"}, key=uuid4(), now=timezone.now()
                    )
                except TakenOut:
                    continue
        except Exception as error:
            errors.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work, args=[volunteer.user]) for volunteer in volunteers]
    for thread in threads:
        thread.start()
    for _ in range(15):
        for volunteer in volunteers[:2]:
            take_out(campaign, volunteer.pk, by=alice, now=timezone.now())
            assert not Assignment.objects.filter(volunteer=volunteer, state="open").exists()
            let_in(campaign, volunteer.pk, by=alice)
    for thread in threads:
        thread.join(60)
    finished.set()
    assert errors == []
    assert Answer.objects.count() == 120
    assert_everything_adds_up(campaign)
