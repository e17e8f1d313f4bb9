"""Real rows for tests, made without the services that the tests are about."""

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import count
from uuid import UUID

from annotation.algorithms.checksum import text_checksum
from annotation.kinds.pairs import BETWEEN
from annotation.models import Campaign, Gold, MicroTask, Record, User, Volunteer

PASSWORD = "correct horse battery staple"
NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
LABELS = [
    {"key": "yes", "name": "Yes", "hint": "It says so"},
    {"key": "no", "name": "No", "hint": ""},
    {"key": "unclear", "name": "Unclear", "hint": ""},
]
SIDES = [
    {"key": "first", "name": "The first", "hint": ""},
    {"key": "second", "name": "The second", "hint": ""},
    {"key": "tie", "name": "Both alike", "hint": ""},
]
_number = count(1)
_record_number = count(1)


def number_records_anew() -> None:
    """Give the next test's records the ids that it gets whenever it runs: by them they teach, or judge."""
    global _record_number
    _record_number = count(1)


def make_user(username: str | None = None, password: str = PASSWORD, **fields) -> User:
    return User.objects.create_user(username or f"user-{next(_number)}", password=password, **fields)


def make_users(n: int) -> list[User]:
    """Many accounts at once, which nobody can sign in to: a real password hash costs 30 ms each."""
    users = [User(username=f"user-{next(_number)}", password="!") for _ in range(n)]
    return User.objects.bulk_create(users)


def make_campaign(**fields) -> Campaign:
    defaults = {
        "name": "Adverse drug reactions",
        "question": "Does the sentence report an adverse drug reaction?",
        "labels": LABELS,
        "state": Campaign.State.OPEN,
    }
    return Campaign.objects.create(**defaults | fields)


def make_gold(task: MicroTask | UUID, label: str) -> Gold:
    task = MicroTask.objects.get(pk=getattr(task, "pk", task))
    return Gold.objects.create(task=task, campaign_id=task.campaign_id, label=label, value={"label": label})


def make_volunteer(campaign: Campaign, user: User | None = None) -> Volunteer:
    return make_volunteers(campaign, [user or make_users(1)[0]])[0]


def make_volunteers(campaign: Campaign, users: Sequence[User]) -> list[Volunteer]:
    origin = Volunteer.Origin.ON_PAPER
    return Volunteer.objects.bulk_create(
        Volunteer(user=user, campaign=campaign, origin=origin, consented_at=NOW) for user in users
    )


def make_tasks(
    campaign: Campaign, n: int, *, held: bool = False, needed: int | None = None
) -> list[MicroTask]:
    """n records of one task each, in the order in which they will be handed out."""
    records = [_record(campaign, f"Record {next(_number)}: no rash was seen.", held) for _ in range(n)]
    tasks = [
        _task(record, 0, (0, len(record.text)), priority=(n - place) / (n + 1), needed=needed)
        for place, record in enumerate(records)
    ]
    return _store(campaign, records, tasks)


def make_sentences(campaign: Campaign, text: str, spans: Sequence[tuple[int, int]]) -> list[MicroTask]:
    """One record with a task for each span of code points, handed out in the spans' order."""
    record = _record(campaign, text, held=False)
    tasks = [
        _task(record, ordinal, span, priority=1 - ordinal / (len(spans) + 1), needed=None)
        for ordinal, span in enumerate(spans)
    ]
    return _store(campaign, [record], tasks)


def make_pair(campaign: Campaign, first: str, second: str) -> MicroTask:
    record = _record(campaign, first + BETWEEN + second, held=False)
    task = _task(record, 0, (0, len(record.text)), priority=0.5, needed=None)
    task.divider = len(first + BETWEEN)
    return _store(campaign, [record], [task])[0]


def make_text(campaign: Campaign, text: str) -> MicroTask:
    """One record that is one task, whole."""
    return make_sentences(campaign, text, [(0, len(text))])[0]


def _record(campaign: Campaign, text: str, held: bool) -> Record:
    number = next(_record_number)
    return Record(id=UUID(int=number), campaign=campaign, external_id=f"r{number}", text=text, held=held)


def _task(
    record: Record, ordinal: int, span: tuple[int, int], *, priority: float, needed: int | None
) -> MicroTask:
    start, end = span
    return MicroTask(
        campaign=record.campaign,
        record=record,
        ordinal=ordinal,
        start=start,
        end=end,
        checksum=text_checksum(record.text[start:end]),
        needed=needed or record.campaign.needed,
        held=record.held,
        priority=priority,
    )


def _store(campaign: Campaign, records: list[Record], tasks: list[MicroTask]) -> list[MicroTask]:
    Record.objects.bulk_create(records, batch_size=1000)
    MicroTask.objects.bulk_create(tasks, batch_size=1000)
    campaign.n_tasks += len(tasks)
    campaign.save(update_fields=["n_tasks"])
    return tasks


def queue_of(campaign: Campaign) -> list[UUID]:
    """The open tasks in the order in which they are to be handed out."""
    return list(
        MicroTask.objects.filter(campaign=campaign, is_open=True)
        .order_by("-priority", "id")
        .values_list("pk", flat=True)
    )
