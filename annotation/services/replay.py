"""The answers of a past crowd, given again through the services that a browser's answers pass through."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path
from uuid import UUID, uuid5

from django.contrib.auth.hashers import make_password
from django.db import connection, transaction
from django.utils import timezone

from annotation.errors import AlreadyAnswered, CampaignPaused, RecordHeld, TaskFull
from annotation.models import Assignment, Campaign, User, Volunteer
from annotation.services.answers import submit_answer
from annotation.services.handout import take_place
from annotation.services.intake.refusals import Refusal, Tally
from annotation.services.intake.tables import Table, open_file, open_table
from annotation.services.need import settle
from annotation.services.task_names import SEVERAL, find_tasks

COLUMNS = ("task", "worker", "label")
BATCH_ANSWERS = 100  # in one transaction: their tasks stay locked until it ends
BATCH_NAMES = 2000
FIRST_ANALYZE = 500  # answers, and then each time that they have become four times as many

REASONS = {
    AlreadyAnswered: "answered_otherwise",
    RecordHeld: "record_held",
    TaskFull: "task_full",
}

RAISE_NEED = """
UPDATE annotation_microtask t SET needed = wanted.n
FROM unnest(%s::uuid[], %s::int[]) AS wanted (task_id, n)
WHERE t.id = wanted.task_id AND t.needed < wanted.n
"""


@dataclass(frozen=True)
class Crowd:
    """The campaign's tasks and the past workers' seats, by the names that the file has for them."""

    tasks: dict[str, UUID]
    volunteers: dict[str, Volunteer]


def replay_answers(
    campaign: Campaign,
    path: Path,
    *,
    all_answers: bool = False,
    clock: Callable[[], datetime] = timezone.now,
    on_progress: Callable[[int, int], None] = lambda n_rows, n_in_all: None,
) -> Tally:
    """Give the answers of a CSV file with the columns task, worker and label, in its order.

    Answers over a task's need are refused, or, with `all_answers`, the need is raised to their number.
    Replaying twice adds nothing: an answer's key follows from task, worker and label.
    """
    if not campaign.is_open:
        raise CampaignPaused("The campaign is paused, so it takes no answers. Open it, then replay.")
    tally = Tally()
    with open_file(path) as file:
        table = open_table(file, COLUMNS)
        crowd, n_in_all = _gather(campaign, table, all_answers, clock())
        rows = table.cells(*COLUMNS)
        analyze_at = FIRST_ANALYZE
        while chunk := list(islice(rows, BATCH_ANSWERS)):
            _replay(campaign, crowd, tally.without_refusals(chunk), tally, clock())
            if tally.n_taken >= analyze_at:
                _analyze()
                analyze_at *= 4
            on_progress(tally.n_rows, n_in_all)
    return tally


def _gather(campaign: Campaign, table: Table, all_answers: bool, now: datetime) -> tuple[Crowd, int]:
    """Read the file once for who answers what: the workers are seated and needs raised before."""
    pairs: set[tuple[str, str]] = set()
    n_in_all = 0
    for item in table.cells(*COLUMNS):
        n_in_all += 1
        if not isinstance(item, Refusal) and item[1][2] in campaign.label_names:
            pairs.add((item[1][0], item[1][1]))
    n_answers = Counter(task for task, _ in pairs)
    tasks: dict[str, UUID] = {}
    for names in _chunks(n_answers, BATCH_NAMES):
        found = find_tasks(campaign.pk, names)
        tasks |= found
        if all_answers:
            _raise_needs({found[name]: n_answers[name] for name in names if name in found})
    workers = {worker for _, worker in pairs if worker}
    return Crowd(tasks, _seat_workers(campaign, workers, now)), n_in_all


def _analyze() -> None:
    """Tell the planner how large the tables have grown; it would hear of it only after the replay."""
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE annotation_assignment, annotation_answer, annotation_consensus")


def _chunks(items: Iterable, size: int):
    iterator = iter(items)
    return iter(lambda: list(islice(iterator, size)), [])


@transaction.atomic
def _raise_needs(needs: dict[UUID, int]) -> None:
    """A task that now wants more answers than it has is no longer settled."""
    with connection.cursor() as cursor:
        cursor.execute(RAISE_NEED, [list(needs), list(needs.values())])
    settle(list(needs))


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
def _replay(
    campaign: Campaign, crowd: Crowd, rows: list[tuple[int, list[str]]], tally: Tally, now: datetime
) -> None:
    places = _standing_places(crowd, rows)
    for line, (name, worker, label) in rows:
        reason = _reason_against(campaign, crowd, name, worker, label)
        if not reason:
            reason = _give(crowd.tasks[name], crowd.volunteers[worker], label, places, tally, now)
        if reason:
            tally.refuse(line, name, reason)


def _reason_against(campaign: Campaign, crowd: Crowd, name: str, worker: str, label: str) -> str:
    if not worker:
        return "no_worker"
    if label not in campaign.label_names:
        return "unknown_label"
    task_id = crowd.tasks.get(name)
    if task_id is None:
        return "unknown_task"
    return "several_tasks" if task_id == SEVERAL else ""


def _standing_places(crowd: Crowd, rows: list[tuple[int, list[str]]]) -> dict[tuple[UUID, UUID], UUID]:
    tasks = {crowd.tasks[name] for _, (name, _, _) in rows if name in crowd.tasks}
    volunteers = {crowd.volunteers[worker].pk for _, (_, worker, _) in rows if worker in crowd.volunteers}
    standing = Assignment.objects.filter(task__in=tasks, volunteer__in=volunteers)
    return {(task, volunteer): pk for task, volunteer, pk in standing.values_list("task", "volunteer", "pk")}


def _give(
    task_id: UUID,
    volunteer: Volunteer,
    label: str,
    places: dict[tuple[UUID, UUID], UUID],
    tally: Tally,
    now: datetime,
) -> str:
    """Take the place and answer; returns why not. What is refused here is refused before it writes."""
    seat = (task_id, volunteer.pk)
    try:
        place = places.get(seat) or take_place(task_id, volunteer.pk, now=now)
        key = uuid5(task_id, f"{volunteer.pk} {label}")
        submission = submit_answer(place, volunteer.user, {"label": label}, key=key, now=now)
    except tuple(REASONS) as error:
        return REASONS[type(error)]
    places[seat] = place
    tally.n_unchanged += submission.repeated
    tally.n_taken += not submission.repeated
    return ""
