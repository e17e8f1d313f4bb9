"""The hand-out, one volunteer's step at a time; what happens at once is in test_concurrency."""

import json
from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models import F

from annotation.errors import (
    CampaignPaused,
    ConsentRequired,
    LeaseExpired,
    NotFound,
    NotOpen,
    RecordHeld,
    TaskFull,
)
from annotation.models import Assignment, Campaign, MicroTask, Record, Volunteer
from annotation.services.answers import submit_answer
from annotation.services.handout import (
    CLAIM_BEST,
    claim_next,
    claim_task,
    expire_leases,
    extend_lease,
    skip_task,
    take_place,
)
from annotation.services.places import CONTEXT_LENGTH
from tests.factories import (
    NOW,
    make_campaign,
    make_sentences,
    make_tasks,
    make_users,
    make_volunteer,
    make_volunteers,
    queue_of,
)

pytestmark = pytest.mark.django_db
AFTER_THE_LEASE = NOW + timedelta(hours=1)


@pytest.fixture
def campaign(db):
    return make_campaign()


@pytest.fixture
def volunteers(campaign, bob, charlie):
    return make_volunteers(campaign, [bob, charlie])


def answer(place, user, label="yes", now=NOW):
    return submit_answer(place.assignment_id, user, {"label": label}, key=uuid4(), now=now)


def work(campaign, user, now=NOW):
    """Claim and answer until nothing is left; the tasks in the order in which they came."""
    tasks = []
    while place := claim_task(campaign.pk, user, now=now):
        answer(place, user, now=now)
        tasks.append(place.task_id)
    return tasks


def taken(task) -> int:
    return MicroTask.objects.values_list("taken", flat=True).get(pk=task.pk)


def state_of(place) -> str:
    return Assignment.objects.values_list("state", flat=True).get(pk=place.assignment_id)


def hold(task) -> None:
    Record.objects.filter(pk=task.record_id).update(held=True)


# --- Order ---


def test_tasks_come_by_priority_and_each_volunteer_gets_all_of_them_once(campaign, volunteers, bob, charlie):
    tasks = [task.pk for task in make_tasks(campaign, 5)]
    assert work(campaign, bob) == tasks
    assert work(campaign, charlie) == tasks
    assert claim_task(campaign.pk, bob, now=NOW) is None


def test_equal_priorities_come_by_id(campaign, volunteers, bob):
    tasks = make_tasks(campaign, 5)
    MicroTask.objects.update(priority=0.5)
    assert work(campaign, bob) == sorted(task.pk for task in tasks)


def test_extreme_priorities_are_handed_out_too(campaign, volunteers, bob):
    tasks = make_tasks(campaign, 4)
    extremes = (float("inf"), 0.0, float("-inf"), float("nan"))
    for task, priority in zip(tasks, extremes, strict=True):
        MicroTask.objects.filter(pk=task.pk).update(priority=priority)
    assert work(campaign, bob) == [task.pk for task in tasks]


def test_a_task_with_all_its_places_taken_is_passed_over(campaign, bob, charlie):
    first, second = make_tasks(campaign, 2, needed=1)
    make_volunteers(campaign, [bob, charlie])
    assert claim_task(campaign.pk, bob, now=NOW).task_id == first.pk
    assert claim_task(campaign.pk, charlie, now=NOW).task_id == second.pk


def test_a_new_order_is_followed_at_the_next_claim(campaign, volunteers, bob):
    tasks = make_tasks(campaign, 6)
    answer(claim_task(campaign.pk, bob, now=NOW), bob)
    answer(claim_task(campaign.pk, bob, now=NOW), bob)
    MicroTask.objects.update(priority=-F("priority"))
    Campaign.objects.update(queue_epoch=F("queue_epoch") + 1)
    assert queue_of(campaign) == [task.pk for task in reversed(tasks)]
    assert work(campaign, bob) == [task.pk for task in reversed(tasks[2:])]


def test_a_place_given_back_behind_the_cursor_is_found_when_the_queue_ends(campaign, bob, charlie):
    first, _, third = make_tasks(campaign, 3, needed=1)
    make_volunteers(campaign, [bob, charlie])
    lost = claim_task(campaign.pk, charlie, now=NOW)
    answer(claim_task(campaign.pk, bob, now=NOW), bob)
    skip_task(lost.assignment_id, charlie, "unclear", now=NOW)
    assert lost.task_id == first.pk
    assert work(campaign, bob) == [third.pk, first.pk]


def test_the_claim_after_three_hundred_own_open_tasks_reads_the_index_behind_them(campaign, volunteers, bob):
    make_tasks(campaign, 400, needed=3)
    for _ in range(300):
        answer(claim_task(campaign.pk, bob, now=NOW), bob)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE annotation_microtask, annotation_assignment")
    volunteer = Volunteer.objects.get(user=bob)
    with_cursor = explain_claim(volunteer, -volunteer.cursor_priority, volunteer.cursor_task)
    from_the_head = explain_claim(volunteer, float("-inf"), "00000000-0000-0000-0000-000000000000")
    assert passed_over(with_cursor) == 0
    assert passed_over(from_the_head) == 300
    plan = json.dumps(with_cursor)
    assert "task_queue" in plan and "Sort" not in plan and "Seq Scan" not in plan


def explain_claim(volunteer, cursor_priority, cursor_task) -> dict:
    parameters = {
        "campaign": volunteer.campaign_id,
        "volunteer": volunteer.pk,
        "queue_epoch": 0,
        "preannotates": False,
        "cursor_priority": cursor_priority,
        "cursor_task": cursor_task,
        "now": NOW,
        "expires_at": AFTER_THE_LEASE,
    }
    statement = "EXPLAIN (ANALYZE, FORMAT JSON) " + CLAIM_BEST.sql
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        plan = cursor.fetchone()[0][0]["Plan"]
        transaction.set_rollback(True)
    return plan


def passed_over(plan: dict) -> int:
    """Rows of the queue that the claim read and dropped because the volunteer has had them."""
    here = plan.get("Rows Removed by Filter", 0) if plan.get("Index Name") == "task_queue" else 0
    return here + sum(passed_over(child) for child in plan.get("Plans", ()))


# --- Who may claim ---


def test_who_may_join_but_has_not_consented_is_asked_to(bob):
    campaign = make_campaign(joining=Campaign.Joining.ANYONE)
    with pytest.raises(ConsentRequired):
        claim_task(campaign.pk, bob, now=NOW)


def test_a_stranger_learns_nothing_of_a_campaign_by_invitation(campaign, volunteers, alice):
    for campaign_id in (campaign.pk, uuid4()):
        with pytest.raises(NotFound):
            claim_task(campaign_id, alice, now=NOW)


def test_a_paused_campaign_hands_nothing_out(campaign, volunteers, bob):
    make_tasks(campaign, 1)
    Campaign.objects.update(state=Campaign.State.PAUSED)
    with pytest.raises(CampaignPaused):
        claim_task(campaign.pk, bob, now=NOW)
    assert claim_next(campaign.pk, bob, now=NOW) is None
    assert not Assignment.objects.exists()


def test_another_campaigns_tasks_are_never_handed_out(campaign, volunteers, bob):
    make_tasks(make_campaign(), 3)
    assert claim_task(campaign.pk, bob, now=NOW) is None


# --- Leases ---


def test_who_claims_again_gets_the_same_place_with_a_new_lease(campaign, volunteers, bob):
    task, _ = make_tasks(campaign, 2)
    first = claim_task(campaign.pk, bob, now=NOW)
    again = claim_task(campaign.pk, bob, now=NOW + timedelta(minutes=10))
    assert again.assignment_id == first.assignment_id
    assert first.expires_at == NOW + timedelta(seconds=campaign.lease_seconds)
    assert again.expires_at == NOW + timedelta(minutes=10, seconds=campaign.lease_seconds)
    assert taken(task) == 1


def test_expired_lease_gives_its_place_to_others_once(campaign, bob, charlie):
    [task] = make_tasks(campaign, 1, needed=1)
    make_volunteers(campaign, [bob, charlie])
    lost = claim_task(campaign.pk, bob, now=NOW)
    assert expire_leases(now=lost.expires_at) == 0, "the lease lasts up to its very end"
    assert expire_leases(now=AFTER_THE_LEASE) == 1
    assert expire_leases(now=AFTER_THE_LEASE) == 0
    assert (state_of(lost), taken(task)) == ("expired", 0)
    assert claim_task(campaign.pk, charlie, now=AFTER_THE_LEASE).task_id == task.pk


def test_a_claim_that_finds_nothing_looks_for_leases_that_ran_out(campaign, bob, charlie):
    [task] = make_tasks(campaign, 1, needed=1)
    make_volunteers(campaign, [bob, charlie])
    claim_task(campaign.pk, bob, now=NOW)
    assert claim_task(campaign.pk, charlie, now=NOW) is None
    assert claim_task(campaign.pk, charlie, now=AFTER_THE_LEASE).task_id == task.pk


def test_leases_that_ran_out_are_swept_in_portions_oldest_first(campaign):
    tasks = make_tasks(campaign, 3)
    places = [
        take_place(task.pk, make_volunteer(campaign).pk, now=NOW + timedelta(seconds=second))
        for second, task in enumerate(tasks)
    ]
    assert expire_leases(now=AFTER_THE_LEASE, limit=2) == 2
    assert Assignment.objects.get(state="open").pk == places[2]


def test_own_expired_place_comes_back_last(campaign, volunteers, bob):
    first, second = make_tasks(campaign, 2)
    lost = claim_task(campaign.pk, bob, now=NOW)
    expire_leases(now=AFTER_THE_LEASE)
    place = claim_task(campaign.pk, bob, now=AFTER_THE_LEASE)
    assert place.task_id == second.pk
    answer(place, bob)
    again = claim_task(campaign.pk, bob, now=AFTER_THE_LEASE)
    assert (again.assignment_id, again.task_id) == (lost.assignment_id, first.pk)
    assert again.expires_at == AFTER_THE_LEASE + timedelta(seconds=campaign.lease_seconds)
    assert (state_of(again), taken(first)) == ("open", 1)


def test_own_expired_place_stays_away_when_others_have_filled_the_task(campaign, bob, charlie):
    make_tasks(campaign, 1, needed=1)
    make_volunteers(campaign, [bob, charlie])
    claim_task(campaign.pk, bob, now=NOW)
    answer(claim_task(campaign.pk, charlie, now=AFTER_THE_LEASE), charlie)
    assert claim_task(campaign.pk, bob, now=AFTER_THE_LEASE) is None


def test_extending_gives_a_full_lease_from_now(campaign, volunteers, bob, charlie):
    make_tasks(campaign, 1)
    place = claim_task(campaign.pk, bob, now=NOW)
    later = NOW + timedelta(minutes=14)
    expires_at = later + timedelta(seconds=campaign.lease_seconds)
    assert extend_lease(place.assignment_id, bob, now=later) == expires_at
    assert Assignment.objects.get().expires_at == expires_at
    with pytest.raises(NotFound):
        extend_lease(place.assignment_id, charlie, now=later)


def test_only_an_open_lease_of_an_open_campaign_can_be_extended(campaign, volunteers, bob, charlie):
    make_tasks(campaign, 1)
    expired, answered = (claim_task(campaign.pk, user, now=NOW) for user in (bob, charlie))
    answer(answered, charlie)
    expire_leases(now=AFTER_THE_LEASE)
    with pytest.raises(LeaseExpired):
        extend_lease(expired.assignment_id, bob, now=AFTER_THE_LEASE)
    with pytest.raises(NotOpen):
        extend_lease(answered.assignment_id, charlie, now=AFTER_THE_LEASE)
    Campaign.objects.update(state=Campaign.State.PAUSED)
    with pytest.raises(CampaignPaused):
        extend_lease(expired.assignment_id, bob, now=AFTER_THE_LEASE)


# --- Skips ---


def test_a_skipped_task_gives_its_place_back_and_does_not_come_again(campaign, volunteers, bob):
    first, second = make_tasks(campaign, 2)
    place = claim_task(campaign.pk, bob, now=NOW)
    assert skip_task(place.assignment_id, bob, "unclear", now=NOW) == campaign.pk
    assert taken(first) == 0
    assert work(campaign, bob, now=AFTER_THE_LEASE) == [second.pk]
    assignment = Assignment.objects.get(pk=place.assignment_id)
    assert (assignment.state, assignment.skip_reason, assignment.closed_at) == ("skipped", "unclear", NOW)


def test_skipping_twice_or_after_the_lease_gives_back_no_second_place(campaign, volunteers, bob, charlie):
    [task] = make_tasks(campaign, 1)
    skipped, expired = (claim_task(campaign.pk, user, now=NOW) for user in (bob, charlie))
    skip_task(skipped.assignment_id, bob, "unclear", now=NOW)
    skip_task(skipped.assignment_id, bob, "unclear", now=NOW)
    assert taken(task) == 1
    expire_leases(now=AFTER_THE_LEASE)
    skip_task(expired.assignment_id, charlie, "other", now=AFTER_THE_LEASE)
    assert (state_of(expired), taken(task)) == ("skipped", 0)


def test_an_answered_or_foreign_assignment_cannot_be_skipped(campaign, volunteers, bob, charlie):
    [task] = make_tasks(campaign, 1)
    place = claim_task(campaign.pk, bob, now=NOW)
    with pytest.raises(NotFound):
        skip_task(place.assignment_id, charlie, "unclear", now=NOW)
    answer(place, bob)
    with pytest.raises(NotOpen) as refused:
        skip_task(place.assignment_id, bob, "names_a_person", now=NOW)
    assert refused.value.code == "already_answered"
    assert (state_of(place), taken(task)) == ("answered", 1)
    assert not Record.objects.filter(held=True).exists()


# --- Held records ---


def test_seeing_a_name_holds_the_record_with_all_its_tasks_at_once(campaign, volunteers, bob, charlie):
    sentences = make_sentences(
        campaign, "A rash was seen. No fever. Anna called.", [(0, 16), (17, 26), (27, 39)]
    )
    [other] = make_tasks(campaign, 1)
    place = claim_task(campaign.pk, bob, now=NOW)
    skip_task(place.assignment_id, bob, "names_a_person", now=NOW)
    assert Record.objects.get(pk=sentences[0].record_id).held
    assert queue_of(campaign) == [other.pk]
    assert work(campaign, charlie) == [other.pk]


def test_held_records_are_never_handed_out_and_come_when_released(campaign, volunteers, bob):
    [task] = make_tasks(campaign, 1, held=True)
    assert claim_task(campaign.pk, bob, now=NOW) is None
    Record.objects.update(held=False)
    assert claim_task(campaign.pk, bob, now=NOW).task_id == task.pk


def test_a_text_held_back_after_its_hand_out_is_not_shown_again(campaign, volunteers, bob):
    first, second = make_tasks(campaign, 2)
    shown = claim_task(campaign.pk, bob, now=NOW)
    hold(first)
    assert claim_task(campaign.pk, bob, now=NOW).task_id == second.pk
    assert (state_of(shown), taken(first)) == ("expired", 0)
    with pytest.raises(RecordHeld):
        answer(shown, bob)


def test_the_database_itself_refuses_a_place_in_a_held_task(campaign, volunteers, bob):
    [task] = make_tasks(campaign, 1)
    hold(task)
    with pytest.raises(IntegrityError, match="is held"), transaction.atomic():
        MicroTask.objects.filter(pk=task.pk).update(taken=F("taken") + 1)


def test_the_database_keeps_a_task_held_as_its_record(campaign):
    [task] = make_tasks(campaign, 1, held=True)
    with pytest.raises(IntegrityError, match="task_held_as_its_record"), transaction.atomic():
        MicroTask.objects.filter(pk=task.pk).update(held=False)
        connection.check_constraints()


def test_the_database_refuses_more_places_than_needed_a_second_turn_and_a_second_open_place(
    campaign, volunteers
):
    first, second = make_tasks(campaign, 2, needed=1)
    with pytest.raises(IntegrityError, match="taken_within_needed"), transaction.atomic():
        MicroTask.objects.filter(pk=first.pk).update(taken=2)
    take_place(first.pk, volunteers[0].pk, now=NOW)
    lease = {"volunteer": volunteers[0], "claimed_at": NOW, "expires_at": NOW}
    with pytest.raises(IntegrityError, match="task_once_to_a_volunteer"), transaction.atomic():
        Assignment.objects.create(task=first, state="expired", **lease)
    with pytest.raises(IntegrityError, match="one_open_assignment_a_volunteer"), transaction.atomic():
        Assignment.objects.create(task=second, state="open", **lease)


def test_the_database_never_deletes_an_assignment(campaign, volunteers, bob):
    make_tasks(campaign, 1)
    claim_task(campaign.pk, bob, now=NOW)
    with pytest.raises(IntegrityError, match="never deleted"), transaction.atomic():
        Assignment.objects.all().delete()


# --- Places of somebody else's choosing ---


def test_take_place_seats_a_volunteer_while_there_is_room(campaign, volunteers):
    [task] = make_tasks(campaign, 1, needed=1)
    place = take_place(task.pk, volunteers[0].pk, now=NOW)
    assert Assignment.objects.get(pk=place).expires_at == NOW + timedelta(seconds=campaign.lease_seconds)
    assert taken(task) == 1
    with pytest.raises(TaskFull):
        take_place(task.pk, volunteers[1].pk, now=NOW)
    with pytest.raises(NotFound):
        take_place(uuid4(), volunteers[1].pk, now=NOW)


def test_take_place_respects_a_held_record(campaign, volunteers):
    [task] = make_tasks(campaign, 1, held=True)
    with pytest.raises(RecordHeld):
        take_place(task.pk, volunteers[0].pk, now=NOW)


# --- What is shown ---


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("No fever. Rash 😀 after cefazolin. Better.", "Rash 😀 after cefazolin."),
        ("👩‍⚕️👍🏽 ok. Ausschlag nach Gabe. Ende.", "Ausschlag nach Gabe."),
        ("患者无发热。用药后出现皮疹。已停药。", "用药后出现皮疹。"),
        ("HPI:\r\nRash since Monday.\r\nPLAN:\r\nstop", "Rash since Monday.\r\n"),
        ("cafe\u0301 au lait. e\u0301tude\u0301. fin", "e\u0301tude\u0301."),
        ("\U00020000\U00020001。第二句。", "第二句。"),
    ],
)
def test_text_and_context_are_cut_in_code_points(campaign, volunteers, bob, text, sentence):
    start = text.index(sentence)
    end = start + len(sentence)
    make_sentences(campaign, text, [(start, end)])
    place = claim_task(campaign.pk, bob, now=NOW)
    assert (place.before, place.text, place.after) == (text[:start], sentence, text[end:])


def test_long_context_is_cut_at_words_and_says_so(campaign, volunteers, bob):
    before, after = "word " * 1000, " next" * 1000
    make_sentences(campaign, before + "Rash." + after, [(len(before), len(before) + 5)])
    place = claim_task(campaign.pk, bob, now=NOW)
    assert place.text == "Rash."
    assert place.before.startswith("… word ") and before.endswith(place.before[1:])
    assert place.after.endswith(" next …") and after.startswith(place.after[:-1])
    assert CONTEXT_LENGTH - 10 < len(place.before) <= CONTEXT_LENGTH + 1
    assert CONTEXT_LENGTH - 10 < len(place.after) <= CONTEXT_LENGTH + 1


def test_long_context_without_spaces_is_cut_all_the_same(campaign, volunteers, bob):
    make_sentences(campaign, "药" * 1000 + "皮疹。" + "后" * 1000, [(1000, 1003)])
    place = claim_task(campaign.pk, bob, now=NOW)
    assert place.before == "…" + "药" * CONTEXT_LENGTH
    assert place.after == "后" * CONTEXT_LENGTH + "…"


def test_a_place_shows_the_question_with_its_labels_in_their_order(campaign, volunteers, bob):
    make_tasks(campaign, 1)
    place = claim_task(campaign.pk, bob, now=NOW)
    assert (place.kind, place.question) == ("choice", campaign.question)
    assert [label["key"] for label in place.labels] == ["yes", "no", "unclear"]


def test_many_volunteers_get_every_place_and_none_twice(campaign):
    users = make_users(7)
    make_volunteers(campaign, users)
    tasks = make_tasks(campaign, 10)
    had = {user.pk: [] for user in users}
    while places := [(user, claim_task(campaign.pk, user, now=NOW)) for user in users]:
        if not any(place for _, place in places):
            break
        for user, place in places:
            if place:
                answer(place, user)
                had[user.pk].append(place.task_id)
    assert sum(map(len, had.values())) == 30
    assert all(len(set(tasks_had)) == len(tasks_had) for tasks_had in had.values())
    assert all(taken(task) == 3 for task in tasks)
