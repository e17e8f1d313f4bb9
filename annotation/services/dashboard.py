"""What a campaign's admin wants to know. Every figure here is bounded work, also at a million tasks."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

import numpy as np
from django.db import connection, transaction
from django.db.models import Count, Max, Sum

from annotation.algorithms.agreement import krippendorff_alpha_nominal
from annotation.algorithms.interval import wilson_interval
from annotation.models import Campaign, Consensus, Gold, Import, Record, TrailEntry, User, Volunteer, VolunteerDay

ALPHA_TASKS = 5000  # latest settled tasks that the agreement is computed from
VOLUNTEER_ANSWERS = 200  # latest answers of a volunteer that their row is computed from
MOST_VOLUNTEERS = 20
DAYS = 14
SNIPPET_LENGTH = 160


@dataclass(frozen=True, slots=True)
class Settled:
    """Settled tasks: how many, under which labels ("" is a tie), with how many answers."""

    n: int
    n_answers: int
    per_label: dict[str, int]


@dataclass(frozen=True, slots=True)
class Quality:
    """`share` of n_gold is right, with its 95 % range; alpha is None where agreement has no scale."""

    n_gold: int
    share: float
    low: float
    high: float
    alpha: float | None


@dataclass(frozen=True, slots=True)
class VolunteerRow:
    pseudonym: str
    origin: str
    n_answers: int
    last_day: date
    majority_share: float | None
    median_seconds: float | None


@dataclass(frozen=True, slots=True)
class QueuedText:
    task_id: UUID
    text: str


def count_settled(campaign: Campaign) -> Settled:
    rows = Consensus.objects.filter(campaign=campaign, settled_at__isnull=False).values_list("label")
    counts = list(rows.annotate(n=Count("*"), n_answers=Sum("n_answers")))
    return Settled(
        n=sum(n for _, n, _ in counts),
        n_answers=sum(n_answers for _, _, n_answers in counts),
        per_label={label: n for label, n, _ in counts},
    )


def measure_quality(campaign: Campaign) -> Quality:
    """Consensus against gold, and agreement beyond chance."""
    gold = Gold.objects.filter(task__campaign=campaign, task__consensus__settled_at__isnull=False)
    pairs = list(gold.values_list("label", "task__consensus__label"))
    n_right = sum(truth == consensus for truth, consensus in pairs)
    low, high = wilson_interval(n_right, len(pairs))
    return Quality(len(pairs), n_right / len(pairs) if pairs else 0.0, low, high, _alpha(campaign))


def _alpha(campaign: Campaign) -> float | None:
    settled = Consensus.objects.filter(campaign=campaign, settled_at__isnull=False, n_answers__gt=1)
    votes = settled.order_by("-settled_at").values_list("votes", flat=True)[:ALPHA_TASKS]
    keys = list(campaign.label_names)
    counts = np.array([[task.get(key, 0) for key in keys] for task in votes]).reshape(-1, len(keys))
    return krippendorff_alpha_nominal(counts)


def answers_per_day(campaign: Campaign, *, today: date) -> dict[date, int]:
    """The last days, oldest first, those without answers too."""
    first = today - timedelta(days=DAYS - 1)
    days = VolunteerDay.objects.filter(volunteer__campaign=campaign, day__gte=first)
    counts = dict(days.values_list("day").annotate(n=Sum("n_answers")))
    return {day: counts.get(day, 0) for day in (first + timedelta(days=i) for i in range(DAYS))}


def count_answers(campaign: Campaign) -> int:
    return VolunteerDay.objects.filter(volunteer__campaign=campaign).aggregate(n=Sum("n_answers", default=0))["n"]


# The consensus of a task in which the vote is tied agrees with nobody, so it is left out.
LATEST_OF_VOLUNTEER = """
SELECT v.id, own.majority_share, own.median_seconds FROM unnest(%s::uuid[]) AS v(id)
CROSS JOIN LATERAL (
    SELECT avg((an.value->>'label' = c.label)::int) FILTER (WHERE c.label <> '' AND c.n_answers > 1),
           percentile_cont(0.5) WITHIN GROUP (ORDER BY an.seconds)
    FROM (SELECT id, task_id FROM annotation_assignment a
          WHERE a.volunteer_id = v.id AND a.state = 'answered' ORDER BY a.closed_at DESC LIMIT %s) latest
    JOIN annotation_answer an ON an.assignment_id = latest.id
    LEFT JOIN annotation_consensus c ON c.task_id = latest.task_id
) AS own(majority_share, median_seconds)
"""


def busiest_volunteers(campaign: Campaign) -> list[VolunteerRow]:
    """Those with the most answers, under their pseudonyms."""
    volunteers = list(
        Volunteer.objects.filter(campaign=campaign, days__isnull=False)
        .annotate(n_answers=Sum("days__n_answers"), last_day=Max("days__day"))
        .order_by("-n_answers", "pseudonym")[:MOST_VOLUNTEERS]
    )
    with connection.cursor() as cursor:
        cursor.execute(LATEST_OF_VOLUNTEER, [[v.pk for v in volunteers], VOLUNTEER_ANSWERS])
        latest = {row[0]: row[1:] for row in cursor.fetchall()}
    return [
        VolunteerRow(v.pseudonym, v.origin, v.n_answers, v.last_day, *_numbers(latest[v.pk])) for v in volunteers
    ]


def _numbers(values: tuple) -> list[float | None]:
    return [None if value is None else float(value) for value in values]


def count_held_records(campaign: Campaign) -> int:
    return Record.objects.filter(campaign=campaign, held=True).count()


def last_import_failed(campaign: Campaign) -> bool:
    latest = Import.objects.filter(campaign=campaign).first()
    return latest is not None and latest.state == Import.State.FAILED


READ_QUEUE_HEAD = """
SELECT t.id, substr(r.text, t.start + 1, least(t."end" - t.start, %s))
FROM annotation_microtask t JOIN annotation_record r ON r.id = t.record_id
WHERE t.campaign_id = %s AND t.is_open ORDER BY -t.priority, t.id LIMIT %s
"""


@transaction.atomic
def read_queue_head(campaign: Campaign, *, by: User, n: int = 6) -> list[QueuedText]:
    """What is asked next. It shows record text to somebody who was not handed it, so the trail says so."""
    with connection.cursor() as cursor:
        cursor.execute(READ_QUEUE_HEAD, [SNIPPET_LENGTH, campaign.pk, n])
        rows = [QueuedText(*row) for row in cursor.fetchall()]
    if rows:
        detail = {"tasks": [str(row.task_id) for row in rows]}
        TrailEntry.objects.create(user=by, campaign=campaign, verb="read_queue_head", detail=detail)
    return rows


def done_on(n_missing_answers: int, n_week: int, *, now: datetime) -> date | None:
    """The day on which the missing answers are in at the pace of the last seven days, within ten years."""
    if n_missing_answers <= 0 or n_week <= 0:
        return None
    days = 7 * n_missing_answers / n_week
    return (now + timedelta(days=days)).date() if days < 3650 else None
