"""Many at once, each in a thread with a connection of its own, on a real PostgreSQL."""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import timedelta
from functools import partial
from uuid import uuid4

import pytest
from django.db import connection, transaction
from django.db.models import F

from annotation.errors import (
    AlreadyAnswered,
    Conflict,
    Invalid,
    LeaseExpired,
    NothingToDecide,
    NotOpen,
    PlatformError,
    TaskFull,
)
from annotation.exchange import set_priorities, set_suggestions
from annotation.models import (
    Answer,
    Assignment,
    Campaign,
    Consensus,
    Gold,
    Membership,
    MicroTask,
    Record,
    Role,
    Suggestion,
    Volunteer,
)
from annotation.services.answers import revise_answer, submit_answer
from annotation.services.consensus import shut_crowd_gate
from annotation.services.crowd import one_at_a_time, refit
from annotation.services.handout import claim_task, expire_leases, extend_lease, skip_task, take_place
from annotation.services.joining import invite, join_campaign, redeem_invitation
from annotation.services.places import set_held
from annotation.services.replay import replay_adaptively, replay_answers
from annotation.services.review import decide_task
from annotation.services.standing import set_standing, weigh_answers_again
from tests.factories import NOW, make_campaign, make_sentences, make_tasks, make_users, make_volunteers
from tests.invariants import assert_everything_adds_up, n_answers_counted
from tests.preannotated import is_shown, spans_campaign, sure
from tests.simulated import skilled_crowd

pytestmark = pytest.mark.django_db(transaction=True)
PATIENCE = 60  # seconds before a thread counts as stuck
AFTER_THE_LEASE = NOW + timedelta(hours=1)


def at_once(works: Iterable[Callable]) -> list:
    """Run each in a thread, all let go at one moment. What a work returns, or the error it raised, in order.

    Only the platform's own errors are results; anything else (a deadlock, a broken constraint) is raised.
    """
    works = list(works)
    results: list = [None] * len(works)
    start = threading.Barrier(len(works))

    def run(place: int, work: Callable) -> None:
        try:
            connection.ensure_connection()
            start.wait(PATIENCE)
            results[place] = work()
        except Exception as error:
            results[place] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=pair, daemon=True) for pair in enumerate(works)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
        assert not thread.is_alive(), "a thread is stuck"
    for result in results:
        if isinstance(result, Exception) and not isinstance(result, PlatformError):
            raise result
    return results


def in_thread(work: Callable) -> threading.Thread:
    def run() -> None:
        try:
            work()
        finally:
            connection.close()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread


def campaign_with(n_volunteers: int, n_tasks: int, **fields):
    campaign = make_campaign(**fields)
    users = make_users(n_volunteers)
    make_volunteers(campaign, users)
    return campaign, users, make_tasks(campaign, n_tasks)


def submit(place, user, label="yes", *, now=NOW, key=None):
    assignment_id = getattr(place, "assignment_id", place)
    return submit_answer(assignment_id, user, {"label": label}, key=key or uuid4(), now=now)


def work_to_the_end(campaign, user) -> int:
    n_answers = 0
    while place := claim_task(campaign.pk, user, now=NOW):
        submit(place, user, random.choice(("yes", "no")))
        n_answers += 1
    return n_answers


def test_fifty_volunteers_fill_two_hundred_tasks_of_three_places_exactly():
    campaign, users, _ = campaign_with(50, 200, needed=3)
    n_answers = at_once([lambda user=user: work_to_the_end(campaign, user) for user in users])
    assert sum(n_answers) == Answer.objects.count() == n_answers_counted(campaign) == 600
    assert set(MicroTask.objects.values_list("taken", flat=True)) == {3}
    per_task = Counter(Assignment.objects.filter(state="answered").values_list("task", flat=True))
    assert set(per_task.values()) == {3} and len(per_task) == 200
    assert not Assignment.objects.exclude(state="answered").exists()
    assert_everything_adds_up(campaign)


def test_three_volunteers_who_are_all_needed_for_every_task_each_get_every_task():
    """Nobody ends early, although each task is often locked by one of the others."""
    campaign, users, _ = campaign_with(3, 40, needed=3)
    assert at_once([lambda user=user: work_to_the_end(campaign, user) for user in users]) == [40, 40, 40]
    assert_everything_adds_up(campaign)


def test_a_volunteer_waits_for_locked_tasks_instead_of_being_told_that_nothing_is_left():
    campaign, [user], tasks = campaign_with(1, 5)
    got = []

    def claim():
        try:
            got.append(claim_task(campaign.pk, user, now=NOW))
        finally:
            connection.close()

    claimer = threading.Thread(target=claim, daemon=True)
    with transaction.atomic():
        list(MicroTask.objects.select_for_update(no_key=True))
        claimer.start()
        claimer.join(0.5)
        assert claimer.is_alive() and not got
    claimer.join(PATIENCE)
    assert [place.task_id for place in got] == [tasks[0].pk]


def test_a_volunteer_waits_for_their_own_expired_task_too():
    campaign, [user], [task] = campaign_with(1, 1)
    claim_task(campaign.pk, user, now=NOW)
    expire_leases(now=AFTER_THE_LEASE)
    got = []

    def claim():
        try:
            got.append(claim_task(campaign.pk, user, now=AFTER_THE_LEASE))
        finally:
            connection.close()

    claimer = threading.Thread(target=claim, daemon=True)
    with transaction.atomic():
        MicroTask.objects.select_for_update(no_key=True).get()
        claimer.start()
        claimer.join(0.5)
    claimer.join(PATIENCE)
    assert [place.task_id for place in got] == [task.pk]


def test_of_two_volunteers_one_gets_the_last_place():
    campaign, users, _ = campaign_with(2, 0, needed=1)
    for _ in range(20):
        [task] = make_tasks(campaign, 1)
        places = at_once([lambda user=user: claim_task(campaign.pk, user, now=NOW) for user in users])
        [winner] = [place for place in places if place]
        assert winner.task_id == task.pk
        submit(winner, users[places.index(winner)])
    assert_everything_adds_up(campaign)


def test_a_volunteer_who_claims_in_many_windows_holds_one_place():
    campaign, [user], _ = campaign_with(1, 20)
    places = at_once([lambda: claim_task(campaign.pk, user, now=NOW)] * 12)
    assert len({place.assignment_id for place in places}) == 1
    assert Assignment.objects.count() == 1
    assert_everything_adds_up(campaign)


# --- Repeats ---


def test_twenty_duplicates_of_each_of_fifty_answers_are_one_answer_and_all_accepted():
    campaign, users, _ = campaign_with(50, 20, needed=3)
    requests = [(claim_task(campaign.pk, user, now=NOW), user, uuid4()) for user in users]
    together = threading.Barrier(20)

    def send_all() -> list[bool]:
        repeated = []
        for place, user, key in requests:
            together.wait(PATIENCE)
            repeated.append(submit(place, user, key=key).repeated)
        return repeated

    for replies in zip(*at_once([send_all] * 20), strict=True):
        assert Counter(replies) == {False: 1, True: 19}
    assert Answer.objects.count() == n_answers_counted(campaign) == 50
    assert_everything_adds_up(campaign)


def test_of_many_different_answers_to_one_place_exactly_one_is_kept():
    campaign, users, _ = campaign_with(5, 5, needed=2)
    for user in users:
        place = claim_task(campaign.pk, user, now=NOW)
        results = at_once([partial(submit, place, user, label) for label in ("yes", "no", "unclear") * 4])
        refused = [result for result in results if isinstance(result, PlatformError)]
        assert len(refused) == 11 and {type(error) for error in refused} == {AlreadyAnswered}
    assert Answer.objects.count() == n_answers_counted(campaign) == 5
    assert_everything_adds_up(campaign)


def test_revisions_at_once_are_all_kept_and_counted_once():
    campaign, users, _ = campaign_with(3, 1, needed=3)
    places = [claim_task(campaign.pk, user, now=NOW) for user in users]
    for place, user in zip(places, users, strict=True):
        submit(place, user)
    works = [
        lambda place=place, user=user, label=label: revise_answer(
            place.assignment_id, user, {"label": label}, key=uuid4(), now=NOW
        )
        for place, user in zip(places, users, strict=True)
        for label in ("yes", "no", "unclear", "no")
    ]
    at_once(works)
    assert [answer.n_revisions for answer in Answer.objects.all()] == [4, 4, 4]
    assert_everything_adds_up(campaign)


# --- Leases ---


def test_answers_skips_extensions_claims_and_sweeps_of_overdue_leases_at_once():
    campaign, users, _ = campaign_with(24, 12, needed=2)
    holders, newcomers = users[:16], users[16:]
    for _ in range(3):
        places = [(user, claim_task(campaign.pk, user, now=NOW)) for user in holders]
        works = [lambda: sum(expire_leases(now=AFTER_THE_LEASE, limit=3) for _ in range(8))] * 4
        for number, (user, place) in enumerate(places):
            if place is None:
                continue
            assignment_id = place.assignment_id
            works.append(lambda p=place, u=user: submit(p, u, now=AFTER_THE_LEASE))
            if number % 3 == 0:
                works.append(lambda a=assignment_id, u=user: skip_task(a, u, "unclear", now=AFTER_THE_LEASE))
            if number % 3 == 1:
                works.append(lambda a=assignment_id, u=user: extend_lease(a, u, now=AFTER_THE_LEASE))
            works.append(lambda u=user: claim_task(campaign.pk, u, now=AFTER_THE_LEASE))
        works += [lambda u=user: claim_task(campaign.pk, u, now=AFTER_THE_LEASE) for user in newcomers]
        random.shuffle(works)
        errors = {type(result) for result in at_once(works) if isinstance(result, PlatformError)}
        assert errors <= {LeaseExpired, NotOpen}
        assert_everything_adds_up(campaign)


def test_an_overdue_place_that_is_answered_and_swept_at_once_is_counted_once():
    campaign, [user], _ = campaign_with(1, 0, needed=1)
    for _ in range(15):
        make_tasks(campaign, 1)
        place = claim_task(campaign.pk, user, now=NOW)
        submitted, *_ = at_once(
            [
                lambda p=place: submit(p, user, now=AFTER_THE_LEASE),
                lambda: expire_leases(now=AFTER_THE_LEASE),
                lambda: expire_leases(now=AFTER_THE_LEASE),
            ]
        )
        assert not submitted.repeated, "nobody else wants the place, so the answer counts"
        assert_everything_adds_up(campaign)


def test_a_late_answer_and_a_claim_that_renews_the_same_place_do_not_both_take_it():
    campaign, [user], _ = campaign_with(1, 0, needed=1)
    for _ in range(20):
        make_tasks(campaign, 1)
        place = claim_task(campaign.pk, user, now=NOW)
        expire_leases(now=AFTER_THE_LEASE)
        submitted, claimed = at_once(
            [
                lambda p=place: submit(p, user, now=AFTER_THE_LEASE),
                lambda: claim_task(campaign.pk, user, now=AFTER_THE_LEASE),
            ]
        )
        assert not submitted.repeated
        assert claimed is None or claimed.assignment_id == place.assignment_id
        assert_everything_adds_up(campaign)


def test_two_claims_that_both_sweep_overdue_leases_both_find_a_place():
    """Ann has had the first task and Ben the second; both tasks are held by others whose leases ran out."""
    campaign, users, _ = campaign_with(4, 0, needed=1)
    ann, ben, *holders = [Volunteer.objects.get(user=user) for user in users]
    for _ in range(15):
        first, second = make_tasks(campaign, 2)
        for task, volunteer, holder in ((first, ann, holders[0]), (second, ben, holders[1])):
            Assignment.objects.create(
                task=task, volunteer=volunteer, state="skipped", claimed_at=NOW, expires_at=NOW, closed_at=NOW
            )
            take_place(task.pk, holder.pk, now=NOW)
        places = at_once([lambda u=u: claim_task(campaign.pk, u, now=AFTER_THE_LEASE) for u in users[:2]])
        assert [place.task_id for place in places] == [second.pk, first.pk]
        for user, place in zip(users, places, strict=False):
            submit(place, user, now=AFTER_THE_LEASE)
    assert_everything_adds_up(campaign)


def test_of_a_skip_and_an_answer_at_once_one_wins():
    campaign, [user], _ = campaign_with(1, 20, needed=1)
    for _ in range(20):
        place = claim_task(campaign.pk, user, now=NOW)
        results = at_once(
            [
                lambda p=place: submit(p, user),
                lambda p=place: skip_task(p.assignment_id, user, "unclear", now=NOW),
            ]
        )
        [error] = [result for result in results if isinstance(result, PlatformError)]
        assert isinstance(error, NotOpen)
    assert_everything_adds_up(campaign)
    n_answers, n_skipped = Answer.objects.count(), Assignment.objects.filter(state="skipped").count()
    assert n_answers + n_skipped == 20
    assert sum(MicroTask.objects.values_list("taken", flat=True)) == n_answers


def test_places_of_a_replayed_crowd_never_exceed_the_need():
    campaign, _, [task] = campaign_with(12, 1, needed=5)
    volunteers = list(Volunteer.objects.all())
    results = at_once([lambda v=v: take_place(task.pk, v.pk, now=NOW) for v in volunteers])
    assert Counter(type(result) for result in results if isinstance(result, PlatformError)) == {TaskFull: 7}
    assert_everything_adds_up(campaign)


# --- Holding records, new priorities ---


def test_a_record_held_while_others_claim_and_answer_ends_with_no_open_task():
    campaign = make_campaign(needed=3)
    users = make_users(12)
    make_volunteers(campaign, users)
    for _ in range(6):
        make_sentences(campaign, "No rash. " * 5, [(9 * n, 9 * n + 8) for n in range(5)])

    def label_and_see_names(user) -> None:
        while place := claim_task(campaign.pk, user, now=NOW):
            if random.random() < 0.1:
                skip_task(place.assignment_id, user, "names_a_person", now=NOW)
            else:
                submit(place, user)

    at_once([lambda user=user: label_and_see_names(user) for user in users])
    held = Record.objects.filter(held=True)
    named = Assignment.objects.filter(skip_reason="names_a_person").values("task__record")
    assert set(held.values_list("pk", flat=True)) == {row["task__record"] for row in named}
    assert not MicroTask.objects.filter(record__held=True, is_open=True).exists()
    assert not MicroTask.objects.filter(is_open=True).exists(), "everybody worked to the end"
    assert_everything_adds_up(campaign)


def test_new_priorities_holds_claims_answers_and_sweeps_at_once_neither_deadlock_nor_miscount():
    campaign = make_campaign(needed=3)
    users = make_users(10)
    make_volunteers(campaign, users)
    records = [
        make_sentences(campaign, "No rash. " * 30, [(9 * n, 9 * n + 8) for n in range(30)]) for _ in range(8)
    ]
    task_ids = [task.pk for tasks in records for task in tasks]
    end = time.monotonic() + 3

    def keep(work: Callable) -> None:
        while time.monotonic() < end:
            work()

    def reorder() -> None:
        random.shuffle(task_ids)
        scores = [(task_id, random.random()) for task_id in task_ids]
        set_priorities(campaign.pk, scores, run=1, now=NOW)

    def hold_and_release() -> None:
        record = random.choice(records)[0].record_id
        [assignment] = Assignment.objects.filter(task__record=record)[:1] or [None]
        if assignment and assignment.state != "answered":
            user = assignment.volunteer.user
            try:
                skip_task(assignment.pk, user, "names_a_person", now=NOW)
            except Conflict:
                return
        with transaction.atomic():
            locked = Record.objects.filter(pk=record)
            list(locked.select_for_update())
            set_held(locked, held=False)

    def label(user) -> None:
        place = claim_task(campaign.pk, user, now=NOW)
        if place:
            try:
                submit(place, user)
            except Conflict:
                return

    works = [lambda: keep(reorder), lambda: keep(hold_and_release), lambda: keep(hold_and_release)]
    works += [lambda user=user: keep(lambda: label(user)) for user in users]
    works.append(lambda: keep(lambda: expire_leases(now=AFTER_THE_LEASE)))
    errors = [result for result in at_once(works) if isinstance(result, PlatformError)]
    assert errors == []
    assert Answer.objects.count() > 50
    assert_everything_adds_up(campaign)


def test_the_new_order_is_complete_whatever_was_claimed_meanwhile():
    campaign, users, tasks = campaign_with(6, 60, needed=2)
    scores = [(task.pk, place / 100) for place, task in enumerate(tasks)]
    at_once(
        [lambda: set_priorities(campaign.pk, scores, run=1, now=NOW)]
        + [lambda user=user: work_to_the_end(campaign, user) for user in users]
    )
    assert dict(MicroTask.objects.values_list("pk", "priority")) == dict(scores)
    assert Campaign.objects.get().queue_epoch == 1
    assert Answer.objects.count() == 120
    assert_everything_adds_up(campaign)


# --- Standing, decisions of reviewers ---


def test_answers_given_while_their_volunteer_is_flagged_do_not_stay_in_the_count():
    campaign, users, _ = campaign_with(6, 0, needed=2)
    suspect = users[0]
    for _ in range(6):
        make_tasks(campaign, 8)
        volunteer = Volunteer.objects.get(user=suspect)
        Volunteer.objects.filter(pk=volunteer.pk).update(standing="trusted", standing_by=None)

        def flag(volunteer=volunteer):
            set_standing(volunteer, "flagged", "Lock-step.", by=None, now=NOW)
            return weigh_answers_again(volunteer, now=NOW)

        works = [lambda user=user: work_to_the_end(campaign, user) for user in users]
        at_once([*works, flag, flag])
        assert not Answer.objects.filter(assignment__volunteer=volunteer, weighs=True).exists()
        for user in users[1:]:
            work_to_the_end(campaign, user)
        assert_everything_adds_up(campaign)
    assert set(Consensus.objects.values_list("n_answers", flat=True)) == {2}


def test_an_answer_that_waited_for_its_task_is_taken_by_the_standing_of_now():
    campaign, [user], [task] = campaign_with(1, 1)
    place = claim_task(campaign.pk, user, now=NOW)
    volunteer = Volunteer.objects.get()

    with transaction.atomic():
        MicroTask.objects.select_for_update(no_key=True).get(pk=task.pk)
        answering = in_thread(lambda: submit(place, user))
        answering.join(0.5)
        assert answering.is_alive()
        in_thread(lambda: set_standing(volunteer, "flagged", "", by=None, now=NOW)).join(PATIENCE)
    answering.join(PATIENCE)
    assert not Answer.objects.get().weighs


def test_two_people_who_change_their_mind_at_once_leave_the_answers_as_the_last_of_them_said():
    campaign, users, _ = campaign_with(2, 12, needed=1)
    work_to_the_end(campaign, users[0])
    volunteer = Volunteer.objects.get(user=users[0])

    def decide(standing: str) -> None:
        for minute in range(4):
            now = NOW + timedelta(minutes=minute, seconds=len(standing))
            set_standing(volunteer, standing, "", by=users[1], now=now)
            weigh_answers_again(volunteer, now=NOW)

    for _ in range(4):
        at_once([partial(decide, "excluded"), partial(decide, "trusted"), partial(decide, "excluded")])
        volunteer.refresh_from_db()
        assert not volunteer.is_to_be_weighed
        assert set(Answer.objects.values_list("weighs", flat=True)) == {volunteer.standing == "trusted"}
        assert_everything_adds_up(campaign)


def test_of_reviewers_who_decide_one_task_at_once_one_does_while_answers_come_in():
    campaign, users, tasks = campaign_with(6, 10, needed=3)
    for task in tasks:
        places = [take_place(task.pk, user.volunteers.get().pk, now=NOW) for user in users[:3]]
        submit(places[0], users[0])
        labels = ("yes", "no", "unclear")
        works = [
            lambda task=task, user=user, label=label: decide_task(
                campaign, task.pk, {"label": label}, by=user, now=NOW
            )
            for user, label in zip(users[3:], labels, strict=True)
        ]
        works += [partial(submit, place, user) for place, user in zip(places[1:], users[1:3], strict=True)]
        results = at_once(works)
        assert sorted(type(result).__name__ for result in results[:3]) == [
            "AlreadyDecided", "AlreadyDecided", "Decided",
        ]  # fmt: skip
        task.refresh_from_db()
        assert not task.is_open
    assert Gold.objects.count() == 10
    assert_everything_adds_up(campaign)


# --- Joining ---


def test_an_invitation_for_five_is_used_by_five():
    campaign, users, _ = campaign_with(12, 0)
    token = invite(campaign, Role.REVIEWER, by=users[0], max_uses=5, valid=timedelta(days=1), now=NOW)
    results = at_once([lambda user=user: redeem_invitation(token, user, now=NOW) for user in users])
    assert Counter(result.code for result in results if isinstance(result, Invalid)) == {
        "invitation_unusable": 7
    }
    assert Membership.objects.filter(campaign=campaign, role=Role.REVIEWER).count() == 5


def test_agreeing_to_the_terms_in_many_windows_makes_one_volunteer():
    campaign = make_campaign(joining=Campaign.Joining.ANYONE)
    [user] = make_users(1)
    volunteers = at_once([lambda: join_campaign(user, campaign, now=NOW)] * 8)
    assert len({volunteer.pk for volunteer in volunteers}) == 1
    assert Volunteer.objects.count() == 1


# --- needs that grow


@pytest.fixture
def adaptive():
    """A campaign that asks while answers disagree, whose twelve volunteers are known; with fresh tasks."""
    campaign, users, _ = campaign_with(
        12, 0, aggregation="engine", stopping="adaptive", needed=2, most_answers=5, audit_share=0.2
    )
    known = make_tasks(campaign, 25)
    MicroTask.objects.filter(campaign=campaign).update(needed=12)
    volunteers = list(campaign.volunteers.order_by("pk"))
    said = skilled_crowd([0.9] * 9 + [0.5] * 3, n_tasks=25, n_classes=3, seed=2)
    for task, worker, label in zip(*said, strict=True):
        place = take_place(known[task].pk, volunteers[worker].pk, now=NOW)
        answer = {"label": ("yes", "no", "unclear")[label]}
        submit_answer(place, volunteers[worker].user, answer, key=uuid4(), now=NOW)
    refit(campaign, now=NOW)
    return campaign, users, make_tasks(campaign, 60)


def check_adaptive(campaign, tasks):
    """No need past the cap, no task with more answers than the rule's most and an audit, all of them over."""
    rows = MicroTask.objects.filter(pk__in=[task.pk for task in tasks])
    assert max(rows.values_list("taken", flat=True)) <= 5 + 1
    assert not rows.filter(needed__gt=F("cap")).exists()
    assert not rows.filter(is_open=True).exists()
    assert Consensus.objects.filter(task__in=rows, settled_at=None, review="").count() == 0
    assert_everything_adds_up(campaign)


def test_needs_that_grow_with_every_answer_never_pass_the_most_while_twelve_answer_at_once(adaptive):
    campaign, users, tasks = adaptive
    n_answers = at_once([lambda user=user: work_to_the_end(campaign, user) for user in users])
    assert sum(n_answers) >= 2 * len(tasks)
    check_adaptive(campaign, tasks)


def crowd_file(path, tasks, n_workers: int, order: int):
    """All of them answer every task, wrongly every fifth time; order -1: the last row first."""
    names = [task.record.external_id for task in tasks]
    rows = [
        f"{name},w{worker},{'no' if (n + worker) % 5 == 0 else 'yes'}"
        for n, name in enumerate(names)
        for worker in range(n_workers)
    ]
    path.write_text("\n".join(["task,worker,label", *rows[::order]]))
    return path


def test_two_replays_of_one_crowd_in_opposite_order_do_not_wait_for_each_other_in_a_circle(tmp_path):
    campaign, _, tasks = campaign_with(0, 150, needed=2)
    files = [crowd_file(tmp_path / f"{order}.csv", tasks, 2, order) for order in (1, -1)]
    tallies = at_once([partial(replay_answers, campaign, file) for file in files])
    assert [tally.n_taken + tally.n_unchanged for tally in tallies] == [300, 300]
    assert Answer.objects.count() == 300
    assert_everything_adds_up(campaign)


def test_an_adaptive_replay_waits_for_a_refit_that_is_at_work_instead_of_ending(tmp_path):
    campaign, _, tasks = campaign_with(
        0, 40, aggregation="engine", stopping="adaptive", needed=2, most_answers=5, audit_share=0.0
    )
    file = crowd_file(tmp_path / "labels.csv", tasks, 6, 1)

    def replay():
        try:
            replay_adaptively(campaign, file, seed=1)
        finally:
            connection.close()

    replaying = threading.Thread(target=replay, daemon=True)
    with one_at_a_time(campaign):  # as the platform's own refit does
        replaying.start()
        replaying.join(3)
        assert replaying.is_alive()
    replaying.join(PATIENCE)
    assert Consensus.objects.filter(settled_at=None, review="").count() == 0
    assert Consensus.objects.count() == 40
    assert_everything_adds_up(Campaign.objects.get())


def test_a_fit_that_is_swapped_holds_up_its_own_campaigns_answers_and_no_others(adaptive):
    campaign, users, [task, *_] = adaptive
    others, other_users, [other_task] = campaign_with(1, 1, aggregation="engine")
    places = [
        take_place(each.pk, user.volunteers.get(campaign=where).pk, now=NOW)
        for each, user, where in ((task, users[0], campaign), (other_task, other_users[0], others))
    ]

    with transaction.atomic():
        shut_crowd_gate(campaign.pk)
        in_thread(partial(submit, places[1], other_users[0])).join(PATIENCE)
        assert Answer.objects.filter(pk=places[1]).exists()
        waiting = in_thread(partial(submit, places[0], users[0]))
        waiting.join(0.5)
        assert waiting.is_alive()
    waiting.join(PATIENCE)
    assert Answer.objects.filter(pk=places[0]).exists()


def test_refits_and_answers_at_the_same_time_leave_every_task_judged_by_the_latest_fit(adaptive):
    campaign, users, _ = adaptive
    over = threading.Event()

    def fit_again_and_again():
        while not over.is_set():
            refit(Campaign.objects.get(pk=campaign.pk), now=NOW)

    def work(user):
        try:
            work_to_the_end(campaign, user)
        finally:
            over.set()

    at_once([*(partial(work, user) for user in users), fit_again_and_again])
    campaign.refresh_from_db()
    assert campaign.crowd_version >= 2
    assert_everything_adds_up(campaign)


def test_refits_flags_decisions_and_answers_at_the_same_time_leave_every_task_judged_by_the_latest_fit(
    adaptive,
):
    campaign, users, tasks = adaptive
    suspect, over = Volunteer.objects.get(user=users[0]), threading.Event()

    def fit_again_and_again():
        while not over.is_set():
            refit(Campaign.objects.get(pk=campaign.pk), now=NOW)

    def change_their_mind():
        for standing in ("excluded", "trusted", "excluded"):
            set_standing(suspect, standing, "", by=users[1], now=NOW)
            weigh_answers_again(suspect, now=NOW)

    def decide_some():
        for task in tasks[::3]:
            try:
                decide_task(campaign, task.pk, {"label": "no"}, by=users[1], now=NOW)
            except NothingToDecide:
                continue

    def work(user):
        try:
            work_to_the_end(campaign, user)
        finally:
            over.set()

    works = [partial(work, user) for user in users]
    at_once([*works, fit_again_and_again, change_their_mind, decide_some])
    weigh_answers_again(suspect, now=NOW)
    campaign.refresh_from_db()
    assert campaign.crowd_version >= 2
    assert not Answer.objects.filter(assignment__volunteer=suspect, weighs=True).exists()
    assert not MicroTask.objects.filter(gold__decided_at__isnull=False, is_open=True).exists()
    assert_everything_adds_up(campaign)


def test_claims_that_race_with_new_models_each_store_one_lot_and_the_marks_of_one_model():
    campaign = spans_campaign(needed=3)
    users = make_users(6)
    make_volunteers(campaign, users)
    tasks = make_tasks(campaign, 60)
    n_models = 15

    def suggest(versions: Iterable[int]) -> None:
        for version in versions:  # the model's number is where its mark ends
            spans = sure({"start": 0, "end": version, "label": "sign"})
            set_suggestions(campaign.pk, [(task.pk, spans) for task in tasks], version=version)

    def work(user) -> int:
        n_answers = 0
        while place := claim_task(campaign.pk, user, now=NOW):
            assert claim_task(campaign.pk, user, now=NOW) == place
            submit_answer(place.assignment_id, user, {"spans": place.suggestion}, key=uuid4(), now=NOW)
            n_answers += 1
        return n_answers

    suggest([1])
    models = [partial(suggest, range(1 + start, 1 + n_models, 2)) for start in range(2)]
    done = at_once([*models, *(partial(work, user) for user in users)])
    assert sum(done[2:]) == 180
    for place in Assignment.objects.select_related("answer"):
        assert place.suggested == is_shown(place.task_id, place.volunteer_id)
        assert [span["end"] for span in place.suggestion] == [place.suggestion_version]
        shown = [span["end"] for span in place.answer.value["spans"]]
        assert shown == ([place.suggestion_version] if place.suggested else [])
    assert set(Suggestion.objects.values_list("version", flat=True)) == {n_models}
    assert_everything_adds_up(campaign)
