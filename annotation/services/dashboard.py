"""What a campaign's admin wants to know. Every figure here is bounded work, also at a million tasks."""

from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import NamedTuple
from uuid import UUID

import numpy as np
import orjson
from django.db import connection, transaction
from django.db.models import Count, Max, Sum

from annotation.algorithms.agreement import krippendorff_alpha_nominal
from annotation.algorithms.intervals import wilson_interval
from annotation.kinds import kind_named
from annotation.models import (
    AgreementReport,
    Campaign,
    Consensus,
    Gold,
    GuidelineDoubt,
    Import,
    Record,
    TrailEntry,
    User,
    Volunteer,
    VolunteerDay,
)

ALPHA_TASKS = 5000  # latest settled tasks that the agreement is computed from
VOLUNTEER_ANSWERS = 200  # latest answers of a volunteer that their row is computed from
MOST_VOLUNTEERS = 20
DAYS = 14
WEEK = 7
SNIPPET_LENGTH = 160


@dataclass(frozen=True, slots=True)
class GoldAccuracy:
    """Settled tasks whose right answer is known: how many are right, with the 95 % range of the share."""

    n: int
    n_right: int
    share: float
    low: float
    high: float


class DayCount(NamedTuple):
    day: date
    n_answers: int


@dataclass(frozen=True, slots=True)
class LabelShare:
    key: str
    name: str
    n_tasks: int
    share: float


@dataclass(frozen=True, slots=True)
class VolunteerRow:
    volunteer_id: UUID
    pseudonym: str
    origin: str
    n_answers: int
    last_day: date | None
    majority_share: float | None
    median_seconds: float | None


@dataclass(frozen=True, slots=True)
class QueuedTask:
    task_id: UUID
    text: str
    priority_run: int


@dataclass(frozen=True, slots=True)
class Dashboard:
    n_tasks: int
    n_settled: int
    n_answers: int
    n_answers_wanted: int
    n_answers_today: int
    n_answers_week: int
    n_held_records: int
    n_reported: int
    n_tied: int
    n_to_review: int
    n_unclear: int
    n_flagged: int
    n_failed_imports: int
    n_volunteers: int
    share_settled: float
    answers_per_settled: float | None
    done_on: date | None
    gold: GoldAccuracy | None
    alpha: float | None
    answers_per_day: list[DayCount]
    label_shares: list[LabelShare]
    volunteers: list[VolunteerRow]


def dashboard_of(campaign: Campaign, *, now: datetime) -> Dashboard:
    consensus = Consensus.objects.filter(campaign=campaign)
    settled = consensus.settled()
    per_label = {
        label: (n, n_answers)
        for label, n, n_answers in settled.values_list("label").annotate(
            n=Count("*"), n_answers=Sum("n_answers")
        )
    }
    n_settled = sum(n for n, _ in per_label.values())
    n_settling = sum(n_answers for _, n_answers in per_label.values())
    per_day = _answers_per_day(campaign, today=now.date())
    days = VolunteerDay.objects.filter(volunteer__campaign=campaign)
    n_answers = days.aggregate(n=Sum("n_answers", default=0))["n"]
    n_wanted, n_week = campaign.n_answers_wanted, sum(n for _, n in per_day[-WEEK:])
    held = Record.objects.held_of(campaign)
    return Dashboard(
        n_tasks=campaign.n_tasks,
        n_settled=n_settled,
        n_answers=n_answers,
        n_answers_wanted=n_wanted,
        n_answers_today=per_day[-1][1],
        n_answers_week=n_week,
        n_held_records=held.count(),
        n_reported=held.reported().count(),
        n_tied=consensus.tied().count(),
        n_to_review=consensus.awaiting_review().count(),
        n_unclear=_count_unclear(campaign),
        n_flagged=campaign.volunteers.filter(standing=Volunteer.Standing.FLAGGED).count(),
        n_failed_imports=campaign.imports.filter(state=Import.State.FAILED).count(),
        n_volunteers=campaign.volunteers.count(),
        share_settled=n_settled / campaign.n_tasks if campaign.n_tasks else 0.0,
        answers_per_settled=n_settling / n_settled if n_settled else None,
        done_on=_done_on(n_wanted - n_answers, n_week, now=now),
        gold=_gold_accuracy(campaign),
        alpha=_alpha(campaign),
        answers_per_day=per_day,
        label_shares=_label_shares(campaign, {label: n for label, (n, _) in per_label.items()}),
        volunteers=_busiest_volunteers(campaign),
    )


def _answers_per_day(campaign: Campaign, *, today: date) -> list[DayCount]:
    """The last days, oldest first, those without answers too."""
    first = today - timedelta(days=DAYS - 1)
    days = VolunteerDay.objects.filter(volunteer__campaign=campaign, day__gte=first)
    counts = dict(days.values_list("day").annotate(n=Sum("n_answers")))
    return [DayCount(day, counts.get(day, 0)) for day in (first + timedelta(days=i) for i in range(DAYS))]


def _done_on(n_missing: int, n_week: int, *, now: datetime) -> date | None:
    """The day on which the missing answers are in at the pace of the last week; None beyond ten years."""
    if n_missing <= 0 or n_week <= 0:
        return None
    days = WEEK * n_missing / n_week
    return (now + timedelta(days=days)).date() if days < 3650 else None


def _count_unclear(campaign: Campaign) -> int:
    doubts = GuidelineDoubt.objects.unresolved().filter(campaign=campaign, task__held=False)
    return doubts.values("task").distinct().count()


# Both tables have the task's id: the ORM would go through the task, as long a way again.
COUNT_GOLD = """
SELECT count(*), count(*) FILTER (WHERE g.value = s.value)
FROM annotation_gold g JOIN annotation_consensus s ON s.task_id = g.task_id
WHERE g.campaign_id = %s AND g.origin = 'file' AND s.settled_at IS NOT NULL
"""
# Few of the latest tasks' counts of votes differ, and each costs Python as much as all of them do here.
LATEST_VOTES = """
SELECT votes::text, count(*) FROM (
    SELECT votes FROM annotation_consensus
    WHERE campaign_id = %s AND settled_at IS NOT NULL AND n_answers > 1 ORDER BY settled_at DESC LIMIT %s
) latest GROUP BY votes
"""


def _gold_accuracy(campaign: Campaign) -> GoldAccuracy | None:
    """By the gold of files alone: what a reviewer decided was doubtful to begin with."""
    with connection.cursor() as cursor:
        cursor.execute(COUNT_GOLD, [campaign.pk])
        n, n_right = cursor.fetchone()
    return GoldAccuracy(n, n_right, n_right / n, *wilson_interval(n_right, n)) if n else None


def _alpha(campaign: Campaign) -> float | None:
    """Of answers that are one of several labels, from their votes; of others what a worker last computed."""
    kind = kind_named(campaign.kind)
    if kind.is_ordered or not kind.one_label:
        reports = AgreementReport.objects.filter(campaign=campaign)
        return reports.values_list("figures__measures__alpha__value", flat=True).first()
    with connection.cursor() as cursor:
        cursor.execute(LATEST_VOTES, [campaign.pk, ALPHA_TASKS])
        found = [(orjson.loads(votes), n_tasks) for votes, n_tasks in cursor.fetchall()]
    keys = list(campaign.label_names)
    counts = np.array([[votes.get(key, 0) for key in keys] for votes, _ in found]).reshape(-1, len(keys))
    return krippendorff_alpha_nominal(np.repeat(counts, [n_tasks for _, n_tasks in found], axis=0))


def _label_shares(campaign: Campaign, n_settled: dict[str, int]) -> list[LabelShare]:
    """In the campaign's order; what is left to 1 are ties. What a reviewer decided counts as they said."""
    if not kind_named(campaign.kind).one_label:
        return _shares_of_tasks(campaign)
    total, counts = sum(n_settled.values()), Counter(n_settled)
    decided = Gold.objects.filter(campaign=campaign, decided_at__isnull=False)
    moved = decided.values_list("task__consensus__label", "label").annotate(n=Count("*"))
    for before, after, n in moved:
        counts.update({before: -n, after: n} if before != after else {})
    return [
        LabelShare(key, name, counts[key], counts[key] / total if total else 0.0)
        for key, name in campaign.label_names.items()
    ]


def _shares_of_tasks(campaign: Campaign) -> list[LabelShare]:
    """Where an answer holds several labels: the share of the latest settled tasks in which each was found."""
    latest = Consensus.objects.filter(campaign=campaign).settled().order_by("-settled_at")[:ALPHA_TASKS]
    found = [
        set(kind_named(campaign.kind).votes_of(value)) if value else set()
        for value in latest.values_list("value", flat=True)
    ]
    counts = Counter(key for keys in found for key in keys)
    return [
        LabelShare(key, name, counts[key], counts[key] / len(found) if found else 0.0)
        for key, name in campaign.label_names.items()
    ]


# Where the vote is tied, or the volunteer's own answer is the only one, there is no majority to agree with.
LATEST_OF_VOLUNTEERS = """
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


def _busiest_volunteers(campaign: Campaign) -> list[VolunteerRow]:
    """Those with the most answers, under their pseudonyms."""
    volunteers = list(
        Volunteer.objects.filter(campaign=campaign, days__isnull=False)
        .annotate(n_answers=Sum("days__n_answers"), last_day=Max("days__day"))
        .order_by("-n_answers", "pseudonym")[:MOST_VOLUNTEERS]
    )
    with connection.cursor() as cursor:
        cursor.execute(LATEST_OF_VOLUNTEERS, [[str(v.pk) for v in volunteers], VOLUNTEER_ANSWERS])
        latest = {pk: (_number(share), _number(seconds)) for pk, share, seconds in cursor.fetchall()}
    return [
        VolunteerRow(v.pk, v.pseudonym, v.origin, v.n_answers, v.last_day, *latest[v.pk]) for v in volunteers
    ]


def _number(value) -> float | None:
    return None if value is None else float(value)


READ_QUEUE_HEAD = """
SELECT t.id, substr(r.text, t.start + 1, least(t."end" - t.start, %s)), t.priority_run
FROM annotation_microtask t JOIN annotation_record r ON r.id = t.record_id
WHERE t.campaign_id = %s AND t.is_open ORDER BY -t.priority, t.id LIMIT %s
"""


@transaction.atomic
def queue_head(campaign: Campaign, *, by: User, n: int = 6) -> list[QueuedTask]:
    """What is asked next. It shows record text to somebody who was not handed it, so the trail says so."""
    with connection.cursor() as cursor:
        cursor.execute(READ_QUEUE_HEAD, [SNIPPET_LENGTH, campaign.pk, n])
        head = [QueuedTask(*row) for row in cursor.fetchall()]
    if head:
        detail = {"tasks": [str(task.task_id) for task in head]}
        TrailEntry.objects.create(user=by, campaign=campaign, verb="read_queue_head", detail=detail)
    return head
