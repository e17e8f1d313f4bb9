"""Held records are read before they go out, and what volunteers reported goes out one by one."""

import threading
from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import connections, transaction
from django.utils import timezone

from annotation.errors import NotFound, NotYetRead
from annotation.models import Assignment, MicroTask, Record, TrailEntry
from annotation.services import held_records
from annotation.services.handout import claim_task, skip_task
from annotation.services.held_records import read_held_records, release_record, release_records
from tests.factories import make_campaign, make_sentences, make_tasks, make_volunteer
from tests.locks import wait_until_somebody_waits_for_a_lock

TEXT = "Seen by Dr. Ada Meyer. A rash came. Call 555-0199."
SENTENCES = [(0, 22), (23, 35), (36, 50)]

pytestmark = pytest.mark.django_db


@pytest.fixture
def campaign(db):
    return make_campaign(needed=1)


def report(campaign, user, *, now=None) -> MicroTask:
    """The user is handed a task, and sees a name in it."""
    now = now or timezone.now()
    place = claim_task(campaign.pk, user, now=now)
    skip_task(place.assignment_id, user, Assignment.SkipReason.NAMES_A_PERSON, now=now)
    return MicroTask.objects.get(pk=place.task_id)


def is_held(record_id) -> bool:
    return Record.objects.get(pk=record_id).held


def test_what_was_reported_is_shown_apart_with_the_place_of_the_name(campaign, alice, bob):
    make_sentences(campaign, TEXT, SENTENCES)
    make_volunteer(campaign, bob)
    reported = report(campaign, bob)
    [waiting] = make_tasks(campaign, 1, held=True)

    shown = read_held_records(campaign, by=alice)
    assert (shown.n_reported, shown.n_others, shown.reported) == (1, 1, True)
    [record] = shown.records
    assert (record.record_id, record.text, record.reported) == (reported.record_id, TEXT, [(0, 22)])
    assert record.pieces == [(TEXT[:22], True), (TEXT[22:], False)]

    [other] = read_held_records(campaign, reported=False, by=alice).records
    assert (other.record_id, other.reported, other.pieces) == (waiting.record_id, [], [(other.text, False)])


def test_pieces_make_up_the_text_in_code_points(campaign, alice, bob, charlie):
    text = "😀 发热三天。Tel. 555! 无皮疹。"
    make_sentences(campaign, text, [(0, 7), (7, 16), (17, 21)])
    for user in (bob, charlie):
        make_volunteer(campaign, user)
    places = [claim_task(campaign.pk, user, now=timezone.now()) for user in (bob, charlie)]
    for place, user in zip(places, (bob, charlie), strict=True):
        skip_task(place.assignment_id, user, Assignment.SkipReason.NAMES_A_PERSON, now=timezone.now())
    [record] = read_held_records(campaign, by=alice).records
    assert record.reported == [(0, 7), (7, 16)]
    assert record.pieces == [("😀 发热三天。", True), ("Tel. 555!", True), (" 无皮疹。", False)]


def test_a_reading_is_noted_with_the_records_that_were_shown_and_no_others(campaign, alice, monkeypatch):
    monkeypatch.setattr(held_records, "RECORDS_SHOWN", 2)
    ids = sorted(task.record_id for task in make_tasks(campaign, 3, held=True))
    shown = read_held_records(campaign, by=alice)
    assert [record.record_id for record in shown.records] == ids[:2]
    noted = TrailEntry.objects.get(verb="read_held_records")
    assert (noted.user, noted.detail) == (alice, {"records": [str(pk) for pk in ids[:2]]})

    rest = read_held_records(campaign, reported=False, after=shown.more_after, by=alice)
    assert ([record.record_id for record in rest.records], rest.more_after) == (ids[2:], None)


def test_a_list_is_cut_by_its_length_and_one_record_is_always_shown_whole(campaign, alice, monkeypatch):
    monkeypatch.setattr(held_records, "CHARACTERS_SHOWN", 60)
    make_sentences(campaign, "a" * 100, [(0, 100)])
    for _ in range(3):
        make_sentences(campaign, "b" * 30, [(0, 30)])
    Record.objects.update(held=True)
    lengths, after = [], None
    while True:
        shown = read_held_records(campaign, after=after, by=alice)
        lengths.append([len(record.text) for record in shown.records])
        if (after := shown.more_after) is None:
            break
    assert sorted(length for part in lengths for length in part) == [30, 30, 30, 100]
    assert all(sum(part) <= 60 or part == [100] for part in lengths)
    assert len(lengths) < 4


def test_nothing_held_is_nothing_read(campaign, alice):
    make_tasks(campaign, 1)
    shown = read_held_records(campaign, by=alice)
    assert (shown.n_reported, shown.n_others, shown.records, shown.more_after) == (0, 0, [], None)
    assert not TrailEntry.objects.exists()


def test_a_record_goes_out_by_whoever_has_read_it(campaign, alice, bob):
    [task] = make_tasks(campaign, 1, held=True)
    make_volunteer(campaign, bob)
    with pytest.raises(NotYetRead):
        release_record(campaign, task.record_id, by=alice)
    read_held_records(campaign, by=bob)
    with pytest.raises(NotYetRead):
        release_record(campaign, task.record_id, by=alice)
    assert claim_task(campaign.pk, bob, now=timezone.now()) is None

    read_held_records(campaign, by=alice)
    assert release_record(campaign, task.record_id, by=alice)
    assert claim_task(campaign.pk, bob, now=timezone.now()).task_id == task.pk
    assert not release_record(campaign, task.record_id, by=alice)
    noted = TrailEntry.objects.get(verb="release_record")
    assert (noted.user, noted.detail) == (alice, {"record": str(task.record_id)})


def test_a_look_from_before_the_report_is_not_enough(campaign, alice, bob):
    [task] = make_tasks(campaign, 1, held=True)
    make_volunteer(campaign, bob)
    read_held_records(campaign, by=alice)
    release_record(campaign, task.record_id, by=alice)
    report(campaign, bob, now=timezone.now() + timedelta(seconds=1))
    with pytest.raises(NotYetRead):
        release_record(campaign, task.record_id, by=alice)
    assert is_held(task.record_id)


def test_a_record_of_another_campaign_is_not_found(campaign, alice):
    [task] = make_tasks(make_campaign(), 1, held=True)
    for record_id in (task.record_id, uuid4()):
        with pytest.raises(NotFound):
            release_record(campaign, record_id, by=alice)
    assert is_held(task.record_id)


def test_all_at_once_leaves_held_what_a_volunteer_reported(campaign, alice, bob):
    make_tasks(campaign, 1)
    make_volunteer(campaign, bob)
    reported = report(campaign, bob)
    waiting = make_tasks(campaign, 2, held=True)
    [foreign] = make_tasks(make_campaign(), 1, held=True)

    assert release_records(campaign, by=alice) == 2
    assert [is_held(task.record_id) for task in waiting] == [False, False]
    assert MicroTask.objects.filter(pk__in=[task.pk for task in waiting], is_open=True).count() == 2
    assert is_held(reported.record_id)
    assert is_held(foreign.record_id)
    assert TrailEntry.objects.get(verb="release_records").detail == {"n": 2}
    assert release_records(campaign, by=alice) == 0


@pytest.mark.django_db(transaction=True)
def test_a_report_that_comes_while_all_are_released_is_not_undone(campaign, alice, bob):
    """Another admin lets a record out, and a volunteer reports it, while the release of all waits for it."""
    [task] = make_tasks(campaign, 1, held=True)
    volunteer = make_volunteer(campaign, bob)
    n_released = []

    def release_all() -> None:
        try:
            n_released.append(release_records(campaign, by=alice))
        finally:
            connections.close_all()

    releasing = threading.Thread(target=release_all)
    with transaction.atomic():
        Record.objects.select_for_update().get(pk=task.record_id)
        releasing.start()
        wait_until_somebody_waits_for_a_lock()
        now = timezone.now()
        Assignment.objects.create(
            task=task, volunteer=volunteer, state="skipped", skip_reason="names_a_person",
            claimed_at=now, expires_at=now, closed_at=now,
        )  # fmt: skip
    releasing.join(20)
    assert n_released == [0]
    assert is_held(task.record_id)
