"""Submitting and mending answers."""

from datetime import timedelta
from uuid import uuid4

import pytest

from annotation.errors import (
    AlreadyAnswered,
    CampaignPaused,
    InvalidAnswer,
    KeyReused,
    LeaseExpired,
    NotFound,
    NotOpen,
    RecordHeld,
)
from annotation.models import (
    Answer,
    AnswerRevision,
    Assignment,
    Campaign,
    Consensus,
    MicroTask,
    Record,
    VolunteerDay,
)
from annotation.services.answers import revise_answer, submit_answer
from annotation.services.handout import claim_task, expire_leases, skip_task
from annotation.services.progress import latest_answers, progress_of
from tests.factories import NOW, make_campaign, make_tasks, make_volunteers

pytestmark = pytest.mark.django_db
LATER = NOW + timedelta(minutes=1)
AFTER_THE_LEASE = NOW + timedelta(hours=1)
YES, NO = {"label": "yes"}, {"label": "no"}


@pytest.fixture
def campaign(bob, charlie):
    campaign = make_campaign(needed=2)
    make_volunteers(campaign, [bob, charlie])
    return campaign


@pytest.fixture
def task(campaign):
    return make_tasks(campaign, 1)[0]


@pytest.fixture
def place(campaign, task, bob):
    return claim_task(campaign.pk, bob, now=NOW)


def taken() -> int:
    return MicroTask.objects.get().taken


def n_answers_by_day() -> dict:
    return {str(day.day): day.n_answers for day in VolunteerDay.objects.all()}


def fill(campaign, user):
    other = claim_task(campaign.pk, user, now=AFTER_THE_LEASE)
    submit_answer(other.assignment_id, user, NO, key=uuid4(), now=AFTER_THE_LEASE)


def test_an_answer_is_stored_with_its_time_and_closes_its_assignment(place, campaign, bob):
    key = uuid4()
    submission = submit_answer(place.assignment_id, bob, YES, key=key, now=LATER)
    assert (submission.campaign_id, submission.repeated) == (campaign.pk, False)
    answer = Answer.objects.get()
    assert (answer.key, answer.value, answer.answered_at, answer.seconds) == (key, YES, LATER, 60.0)
    assert (answer.assignment.state, answer.assignment.closed_at) == ("answered", LATER)
    assert taken() == 1
    assert n_answers_by_day() == {"2026-05-04": 1}


def test_the_same_key_and_answer_again_changes_nothing(place, bob):
    key = uuid4()
    submit_answer(place.assignment_id, bob, YES, key=key, now=NOW)
    assert submit_answer(place.assignment_id, bob, YES, key=key, now=LATER).repeated
    assert Answer.objects.get().answered_at == NOW
    assert (taken(), n_answers_by_day()) == (1, {"2026-05-04": 1})


def test_a_repeat_is_accepted_even_when_the_campaign_is_paused_and_the_record_held(place, bob):
    key = uuid4()
    submit_answer(place.assignment_id, bob, YES, key=key, now=NOW)
    Campaign.objects.update(state=Campaign.State.PAUSED)
    Record.objects.update(held=True)
    assert submit_answer(place.assignment_id, bob, YES, key=key, now=LATER).repeated


def test_the_same_key_with_another_answer_is_refused(place, bob):
    key = uuid4()
    submit_answer(place.assignment_id, bob, YES, key=key, now=NOW)
    with pytest.raises(KeyReused):
        submit_answer(place.assignment_id, bob, NO, key=key, now=NOW)
    assert Answer.objects.get().value == YES


def test_a_second_answer_with_a_new_key_is_refused(place, bob):
    submit_answer(place.assignment_id, bob, YES, key=uuid4(), now=NOW)
    with pytest.raises(AlreadyAnswered):
        submit_answer(place.assignment_id, bob, YES, key=uuid4(), now=NOW)
    assert (Answer.objects.count(), taken()) == (1, 1)


def test_a_foreign_or_unknown_assignment_is_not_found(place, charlie):
    for assignment_id in (place.assignment_id, uuid4()):
        with pytest.raises(NotFound):
            submit_answer(assignment_id, charlie, YES, key=uuid4(), now=NOW)


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        ({"label": "maybe"}, "unknown_label"),
        ({"label": "yes\x00"}, "unknown_label"),
        ({"label": ""}, "unknown_label"),
        ({"label": ["yes"]}, "invalid_answer"),
        ({"label": "yes", "note": "x"}, "invalid_answer"),
        ({}, "invalid_answer"),
        ("yes", "invalid_answer"),
        (None, "invalid_answer"),
    ],
)
def test_an_answer_that_is_not_a_label_is_refused_and_the_place_kept(place, bob, raw, code):
    with pytest.raises(InvalidAnswer) as refused:
        submit_answer(place.assignment_id, bob, raw, key=uuid4(), now=NOW)
    assert refused.value.code == code
    assert (Assignment.objects.get().state, Answer.objects.count()) == ("open", 0)


def test_a_paused_campaign_takes_no_answer_and_keeps_the_place(place, bob):
    Campaign.objects.update(state=Campaign.State.PAUSED)
    with pytest.raises(CampaignPaused):
        submit_answer(place.assignment_id, bob, YES, key=uuid4(), now=NOW)
    Campaign.objects.update(state=Campaign.State.OPEN)
    assert not submit_answer(place.assignment_id, bob, YES, key=uuid4(), now=LATER).repeated


def test_a_skipped_task_takes_no_answer(place, bob):
    skip_task(place.assignment_id, bob, "unclear", now=NOW)
    with pytest.raises(NotOpen):
        submit_answer(place.assignment_id, bob, YES, key=uuid4(), now=NOW)
    assert taken() == 0


def test_late_answer_counts_while_a_place_is_open(place, campaign, bob, charlie):
    expire_leases(now=AFTER_THE_LEASE)
    assert taken() == 0
    fill(campaign, charlie)
    submit_answer(place.assignment_id, bob, YES, key=uuid4(), now=AFTER_THE_LEASE)
    assert taken() == 2
    assert Assignment.objects.get(pk=place.assignment_id).state == "answered"
    assert Consensus.objects.get().votes == {"yes": 1, "no": 1}


def test_late_answer_is_refused_when_others_have_filled_the_task(place, campaign, bob, charlie):
    MicroTask.objects.update(needed=1)
    expire_leases(now=AFTER_THE_LEASE)
    fill(campaign, charlie)
    with pytest.raises(LeaseExpired) as refused:
        submit_answer(place.assignment_id, bob, YES, key=uuid4(), now=AFTER_THE_LEASE)
    assert refused.value.code == "lease_expired"
    assert (Answer.objects.count(), taken()) == (1, 1)
    assert Assignment.objects.get(pk=place.assignment_id).state == "expired"


def test_late_answer_to_a_held_record_is_refused(place, bob):
    expire_leases(now=AFTER_THE_LEASE)
    Record.objects.update(held=True)
    with pytest.raises(RecordHeld):
        submit_answer(place.assignment_id, bob, YES, key=uuid4(), now=AFTER_THE_LEASE)
    assert taken() == 0


def test_an_answer_after_the_lease_that_nobody_swept_needs_no_second_place(place, bob):
    submit_answer(place.assignment_id, bob, YES, key=uuid4(), now=AFTER_THE_LEASE)
    assert taken() == 1
    assert expire_leases(now=AFTER_THE_LEASE) == 0


def test_a_clock_that_runs_backwards_gives_no_negative_duration(place, bob):
    submit_answer(place.assignment_id, bob, YES, key=uuid4(), now=NOW - timedelta(seconds=5))
    assert Answer.objects.get().seconds == 0


# --- Mending ---


def test_revise_keeps_the_earlier_answer(place, bob):
    first, second = uuid4(), uuid4()
    submit_answer(place.assignment_id, bob, YES, key=first, now=NOW)
    revise_answer(place.assignment_id, bob, NO, key=second, now=LATER)
    answer = Answer.objects.get()
    assert (answer.key, answer.value, answer.answered_at, answer.n_revisions) == (second, NO, LATER, 1)
    kept = AnswerRevision.objects.get()
    assert (kept.key, kept.value, kept.replaced_at) == (first, YES, LATER)
    assert (taken(), n_answers_by_day()) == (1, {"2026-05-04": 1})
    assert Consensus.objects.get().label == "no"


def test_a_repeated_revision_changes_nothing_even_after_a_later_one(place, bob):
    first, second, third = uuid4(), uuid4(), uuid4()
    submit_answer(place.assignment_id, bob, YES, key=first, now=NOW)
    revise_answer(place.assignment_id, bob, NO, key=second, now=NOW)
    assert revise_answer(place.assignment_id, bob, NO, key=second, now=LATER).repeated
    revise_answer(place.assignment_id, bob, {"label": "unclear"}, key=third, now=LATER)
    assert revise_answer(place.assignment_id, bob, NO, key=second, now=LATER).repeated
    assert submit_answer(place.assignment_id, bob, YES, key=first, now=LATER).repeated
    assert (Answer.objects.get().value["label"], AnswerRevision.objects.count()) == ("unclear", 2)
    with pytest.raises(KeyReused):
        revise_answer(place.assignment_id, bob, YES, key=second, now=LATER)


def test_only_an_own_answer_that_is_there_can_be_revised(place, campaign, bob, charlie):
    with pytest.raises(NotOpen) as refused:
        revise_answer(place.assignment_id, bob, NO, key=uuid4(), now=NOW)
    assert refused.value.code == "not_answered"
    submit_answer(place.assignment_id, bob, YES, key=uuid4(), now=NOW)
    with pytest.raises(NotFound):
        revise_answer(place.assignment_id, charlie, NO, key=uuid4(), now=NOW)
    with pytest.raises(InvalidAnswer):
        revise_answer(place.assignment_id, bob, {"label": "maybe"}, key=uuid4(), now=NOW)
    Campaign.objects.update(state=Campaign.State.PAUSED)
    with pytest.raises(CampaignPaused):
        revise_answer(place.assignment_id, bob, NO, key=uuid4(), now=NOW)
    assert Answer.objects.get().value == YES


# --- Looking back ---


def test_progress_counts_own_answers_today_own_answers_and_the_campaigns_share(campaign, bob, charlie):
    make_tasks(campaign, 5)
    yesterday = NOW - timedelta(days=1)
    for user, now in ((bob, yesterday), (bob, NOW), (bob, NOW), (charlie, NOW)):
        place = claim_task(campaign.pk, user, now=now)
        submit_answer(place.assignment_id, user, YES, key=uuid4(), now=now)
    progress = progress_of(campaign.pk, bob, now=NOW)
    assert (progress.n_answers_today, progress.n_my_answers, progress.share_done) == (2, 3, 0.4)


def test_progress_of_a_campaign_without_tasks_is_zero(campaign, bob, alice):
    assert progress_of(campaign.pk, bob, now=NOW).share_done == 0
    with pytest.raises(NotFound):
        progress_of(campaign.pk, alice, now=NOW)


def test_latest_answers_are_ones_own_newest_first_and_limited(campaign, bob, charlie):
    make_tasks(campaign, 3)
    for minute, label in enumerate(("yes", "no", "unclear")):
        now = NOW + timedelta(minutes=minute)
        place = claim_task(campaign.pk, bob, now=now)
        submit_answer(place.assignment_id, bob, {"label": label}, key=uuid4(), now=now)
    latest = latest_answers(campaign.pk, bob, 2)
    assert [own.value["label"] for own in latest] == ["unclear", "no"]
    assert latest[0].place.text.endswith("no rash was seen.")
    assert latest_answers(campaign.pk, charlie, 2) == []


def test_looking_back_takes_three_queries_however_many_answers(campaign, bob, django_assert_num_queries):
    make_tasks(campaign, 12)
    for _ in range(12):
        place = claim_task(campaign.pk, bob, now=NOW)
        submit_answer(place.assignment_id, bob, YES, key=uuid4(), now=NOW)
    with django_assert_num_queries(3):
        assert len(latest_answers(campaign.pk, bob, 10)) == 10


def test_a_claim_and_an_answer_take_a_fixed_number_of_queries(campaign, bob, django_assert_max_num_queries):
    make_tasks(campaign, 5)
    with django_assert_max_num_queries(6):
        place = claim_task(campaign.pk, bob, now=NOW)
    with django_assert_max_num_queries(6):
        submit_answer(place.assignment_id, bob, YES, key=uuid4(), now=NOW)
