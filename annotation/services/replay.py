"""The answers of a past crowd, given again through the services that a browser's answers pass through."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from pathlib import Path
from uuid import UUID, uuid5

import numpy as np
import orjson
from django.contrib.auth.hashers import make_password
from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone

from annotation.errors import AlreadyAnswered, CampaignPaused, InvalidAnswer, RecordHeld, TaskFull
from annotation.kinds import kind_named
from annotation.models import Assignment, Campaign, Consensus, MicroTask, User, Volunteer
from annotation.services.answer_files import Row, read_answers
from annotation.services.answers import submit_answer
from annotation.services.consensus import mend_task, rules_for_now
from annotation.services.crowd import refit
from annotation.services.handout import take_place
from annotation.services.intake.refusals import Refusal, Tally
from annotation.services.places import lock_tasks
from annotation.services.task_names import SEVERAL, find_tasks

BATCH_ANSWERS = 100  # in one transaction: their tasks stay locked until it ends
BATCH_NAMES = 2000
FIRST_ANALYZE = 500  # answers, and then each time that they have become four times as many

REASONS = {
    AlreadyAnswered: "answered_otherwise",
    RecordHeld: "record_held",
    TaskFull: "task_full",
}

RAISE_NEED = """
UPDATE annotation_microtask t SET needed = wanted.n, cap = greatest(t.cap, wanted.n)
FROM unnest(%s::uuid[], %s::int[]) AS wanted (task_id, n)
WHERE t.id = wanted.task_id AND t.needed < wanted.n
RETURNING t.id
"""


@dataclass(frozen=True)
class Crowd:
    """The campaign's tasks and the past workers' seats, by the names that the file has for them."""

    tasks: dict[str, UUID]
    volunteers: dict[str, Volunteer]
    values: dict[tuple[str, str], dict | str] = field(default_factory=dict)
    """{(task, cell): the answer, or why it is none}"""


def replay_answers(
    campaign: Campaign,
    path: Path,
    *,
    all_answers: bool = False,
    clock: Callable[[], datetime] = timezone.now,
    on_progress: Callable[[int, int], None] = lambda n_rows, n_in_all: None,
) -> Tally:
    """Give the answers of a file in its order (see answer_files).

    Answers over a task's need are refused, or, with `all_answers`, the need is raised to their number.
    Replaying twice adds nothing: an answer's key follows from task, worker and answer.
    """
    _refuse_paused(campaign)
    tally = Tally()
    crowd, n_in_all = _gather(campaign, path, all_answers, clock())
    rows = read_answers(path)
    analyze_at = FIRST_ANALYZE
    while chunk := list(islice(rows, BATCH_ANSWERS)):
        _replay(campaign, crowd, tally.without_refusals(chunk), tally, clock())
        if tally.n_taken >= analyze_at:
            _analyze()
            analyze_at *= 4
        on_progress(tally.n_rows, n_in_all)
    return tally


def replay_adaptively(
    campaign: Campaign,
    path: Path,
    *,
    seed: int,
    clock: Callable[[], datetime] = timezone.now,
    on_progress: Callable[[int, int], None] = lambda n_given, n_in_all: None,
) -> Tally:
    """Give answers only while the campaign's rule asks for more: each task's in an order of the seed.

    In rounds, with a refit of the crowd between them, as the platform's schedule does it. Answers that were
    never asked for are neither given nor refused.
    """
    _refuse_paused(campaign)
    tally = Tally()
    crowd, n_in_all = _gather(campaign, path, False, clock())
    waiting = _shuffled(tally.without_refusals(read_answers(path)), seed)
    while turn := _next_turn(campaign, crowd, waiting):
        for first in range(0, len(turn), BATCH_ANSWERS):
            _replay(campaign, crowd, turn[first : first + BATCH_ANSWERS], tally, clock())
            on_progress(tally.n_rows, n_in_all)
        _analyze()
        _refit(campaign, clock)
    return tally


def _refit(campaign: Campaign, clock: Callable[[], datetime]) -> None:
    """Fit what has been given so far, after the platform's own refit if one is at work: tasks wait for it.
    Again where the campaign's rules changed meanwhile."""
    while refit(campaign, now=clock(), waits=True) is None:
        campaign.refresh_from_db()
    campaign.refresh_from_db()


def _refuse_paused(campaign: Campaign) -> None:
    if not campaign.is_open:
        raise CampaignPaused("The campaign is paused, so it takes no answers. Open it, then replay.")


def _shuffled(rows: list[Row], seed: int) -> dict[str, list[Row]]:
    """{task: its answers}, the next to be given last."""
    rng = np.random.default_rng(seed)
    waiting: dict[str, list[Row]] = {}
    for row in rows:
        waiting.setdefault(row[1][0], []).append(row)
    return {name: [each[n] for n in rng.permutation(len(each))] for name, each in waiting.items()}


def _next_turn(campaign: Campaign, crowd: Crowd, waiting: dict[str, list[Row]]) -> list[Row]:
    """As many answers of each task as it has open places."""
    tasks = MicroTask.objects.filter(campaign=campaign, is_open=True)
    places = dict(tasks.values_list("pk", F("needed") - F("taken")))
    turn = []
    for name, rows in waiting.items():
        for _ in range(places.get(crowd.tasks.get(name), 0)):
            if rows:
                turn.append(rows.pop())
    return turn


def _gather(campaign: Campaign, path: Path, all_answers: bool, now: datetime) -> tuple[Crowd, int]:
    """Read the file once for who answers what: the workers are seated and needs raised before."""
    pairs: set[tuple[str, str, str]] = set()
    n_in_all = 0
    for item in read_answers(path):
        n_in_all += 1
        if not isinstance(item, Refusal):
            name, worker, cell = item[1]
            pairs.add((name, worker, cell))
    tasks: dict[str, UUID] = {}
    for names in _chunks({name for name, _, _ in pairs}, BATCH_NAMES):
        tasks |= find_tasks(campaign.pk, names)
    values = _values(campaign, tasks, {(name, cell) for name, _, cell in pairs})
    turns = {(name, worker) for name, worker, cell in pairs if isinstance(values[name, cell], dict)}
    if all_answers:
        n_answers = Counter(name for name, _ in turns)
        for names in _chunks(n_answers, BATCH_NAMES):
            needs = {tasks[name]: n_answers[name] for name in names if name in tasks}
            _raise_needs(campaign, needs, now)
    seats = _seat_workers(campaign, {worker for _, worker in turns if worker}, now)
    return Crowd(tasks, seats, values), n_in_all


def _values(
    campaign: Campaign, tasks: dict[str, UUID], cells: set[tuple[str, str]]
) -> dict[tuple[str, str], dict | str]:
    kind = kind_named(campaign.kind)
    known = MicroTask.objects.filter(campaign=campaign, pk__in=tasks.values())
    lengths = dict(known.values_list("pk", F("end") - F("start")))
    values: dict[tuple[str, str], dict | str] = {}
    for name, cell in cells:
        try:
            values[name, cell] = kind.parse_cell(cell, campaign.labels, lengths.get(tasks.get(name), 0))
        except InvalidAnswer as error:
            values[name, cell] = error.code if error.code == "unknown_label" else "invalid_answer"
    return values


def _analyze() -> None:
    """Tell the planner how large the tables have grown; it would hear of it only after the replay."""
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE annotation_assignment, annotation_answer, annotation_consensus")


def _chunks(items: Iterable, size: int):
    iterator = iter(items)
    return iter(lambda: list(islice(iterator, size)), [])


@transaction.atomic
def _raise_needs(campaign: Campaign, needs: dict[UUID, int], now: datetime) -> None:
    """A task that now wants more answers than it has is settled no longer, unless the rule is sure of it."""
    rules = rules_for_now(campaign.pk)
    lock_tasks(needs)
    with connection.cursor() as cursor:
        cursor.execute(RAISE_NEED, [list(needs), list(needs.values())])
        raised = [task_id for (task_id,) in cursor.fetchall()]
    for task_id in Consensus.objects.filter(pk__in=raised).values_list("pk", flat=True):
        mend_task(rules, task_id, now=now)


def _seat_workers(campaign: Campaign, workers: set[str], now: datetime) -> dict[str, Volunteer]:
    """An account that nobody can sign in to, and a volunteer marked as replayed, for each worker."""
    usernames = {_username(campaign, worker): worker for worker in workers}
    password = make_password(None)
    with transaction.atomic():
        User.objects.bulk_create(
            (User(username=username, password=password) for username in usernames),
            batch_size=1000,
            ignore_conflicts=True,
        )
        users = User.objects.filter(username__in=usernames)
        Volunteer.objects.bulk_create(
            (
                Volunteer(user=user, campaign=campaign, origin=Volunteer.Origin.REPLAYED, consented_at=now)
                for user in users
            ),
            batch_size=1000,
            ignore_conflicts=True,
        )
    seated = Volunteer.objects.filter(campaign=campaign, user__in=users).select_related("user")
    return {usernames[volunteer.user.username]: volunteer for volunteer in seated}


def _username(campaign: Campaign, worker: str) -> str:
    """The worker's own id stays out of the database."""
    return f"replay-{campaign.pk.hex[:8]}-{hashlib.sha256(worker.encode()).hexdigest()[:12]}"


@transaction.atomic
def _replay(campaign: Campaign, crowd: Crowd, rows: list[Row], tally: Tally, now: datetime) -> None:
    """A file has its rows in any order, so all that they lock is locked before, in everybody's order."""
    rules_for_now(campaign.pk)
    workers = {crowd.volunteers[worker].pk for _, (_, worker, _) in rows if worker in crowd.volunteers}
    list(Volunteer.objects.filter(pk__in=workers).order_by("pk").select_for_update(no_key=True))
    lock_tasks({crowd.tasks[name] for _, (name, _, _) in rows if name in crowd.tasks})
    places = _standing_places(crowd, rows)
    for line, (name, worker, cell) in rows:
        value = crowd.values[name, cell]
        reason = _reason_against(crowd, name, worker, value)
        if not reason:
            reason = _give(crowd.tasks[name], crowd.volunteers[worker], value, places, tally, now)
        if reason:
            tally.refuse(line, name, reason)


def _reason_against(crowd: Crowd, name: str, worker: str, value: dict | str) -> str:
    if not worker:
        return "no_worker"
    if value == "unknown_label":
        return value
    task_id = crowd.tasks.get(name)
    if task_id is None:
        return "unknown_task"
    if task_id == SEVERAL:
        return "several_tasks"
    return value if isinstance(value, str) else ""


def _standing_places(crowd: Crowd, rows: list[Row]) -> dict[tuple[UUID, UUID], UUID]:
    tasks = {crowd.tasks[name] for _, (name, _, _) in rows if name in crowd.tasks}
    volunteers = {crowd.volunteers[worker].pk for _, (_, worker, _) in rows if worker in crowd.volunteers}
    standing = Assignment.objects.filter(task__in=tasks, volunteer__in=volunteers)
    return {(task, volunteer): pk for task, volunteer, pk in standing.values_list("task", "volunteer", "pk")}


def _give(
    task_id: UUID,
    volunteer: Volunteer,
    value: dict,
    places: dict[tuple[UUID, UUID], UUID],
    tally: Tally,
    now: datetime,
) -> str:
    """Take the place and answer; returns why not. What is refused here is refused before it writes."""
    seat = (task_id, volunteer.pk)
    try:
        place = places.get(seat) or take_place(task_id, volunteer.pk, now=now)
        key = uuid5(task_id, f"{volunteer.pk} {orjson.dumps(value).decode()}")
        submission = submit_answer(place, volunteer.user, value, key=key, now=now)
    except tuple(REASONS) as error:
        return REASONS[type(error)]
    places[seat] = place
    tally.n_unchanged += submission.repeated
    tally.n_taken += not submission.repeated
    return ""
