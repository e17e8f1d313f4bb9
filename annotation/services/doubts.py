"""Cases that the guideline does not decide: marked by reviewers and by the platform, settled by the admin."""

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import orjson
from django.db import connection, transaction
from django.db.models import F
from django.db.models.functions import Least, Substr

from annotation.errors import NotFound
from annotation.kinds import Kind, kind_named
from annotation.models import Campaign, Consensus, GuidelineDoubt, MicroTask, TrailEntry, User
from annotation.services.places import lock_task

LEAST_SKILLED = 3  # answers of skilled volunteers from which on their disagreement says something
AGREED = 2 / 3  # so large a share of them with one answer is no strong disagreement
PAGE = 2000
CASES_SHOWN = 100
CASE_LENGTH = 600

SKILLED_HALF = """
SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY k.low) FROM annotation_skill k
JOIN annotation_volunteer v ON v.id = k.volunteer_id
WHERE v.campaign_id = %s AND v.standing = 'trusted'
"""

# Where all answers are the same nobody disagrees, and those tasks are most of them.
SKILLED_ANSWERS = """
SELECT s.task_id, json_agg(an.value)::text FROM annotation_consensus s
JOIN annotation_assignment a ON a.task_id = s.task_id
JOIN annotation_answer an ON an.assignment_id = a.id AND an.weighs
JOIN annotation_skill k ON k.volunteer_id = a.volunteer_id AND k.low >= %(bar)s
WHERE s.campaign_id = %(campaign)s AND s.share < 1 AND s.n_answers >= %(least)s AND s.task_id > %(after)s
  AND NOT EXISTS (SELECT 1 FROM annotation_gold g WHERE g.task_id = s.task_id)
GROUP BY s.task_id HAVING count(*) >= %(least)s ORDER BY s.task_id LIMIT %(limit)s
"""


class Mark(NamedTuple):
    by_reviewer: bool  # or by the platform
    note: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Case:
    """A task that the guideline does not decide, with every unresolved mark on it."""

    task_id: UUID
    name: str
    text: str
    marks: list[Mark]

    @property
    def n_reviewers(self) -> int:
        return sum(mark.by_reviewer for mark in self.marks)


@transaction.atomic
def doubt_guideline(campaign: Campaign, task_id: UUID, note: str, *, by: User, now: datetime) -> None:
    """Put a task among the cases that the guideline does not decide; a second time changes the note."""
    if not MicroTask.objects.filter(pk=task_id, campaign=campaign).exists():
        raise NotFound()
    marked = {"campaign": campaign, "note": note, "at": now, "resolved_at": None}
    GuidelineDoubt.objects.update_or_create(task_id=task_id, by=by, defaults=marked)
    _note(campaign, by, "doubt_guideline", task=str(task_id))


@transaction.atomic
def resolve_doubts(campaign: Campaign, task_id: UUID, *, by: User, now: datetime) -> int:
    """An admin says that the guideline decides this case now; returns how many marks that settles."""
    lock_task(task_id)
    n = GuidelineDoubt.objects.unresolved().filter(campaign=campaign, task=task_id).update(resolved_at=now)
    if n:
        Consensus.objects.filter(pk=task_id, review=Consensus.Review.UNCLEAR).update(review="")
        _note(campaign, by, "resolve_doubts", task=str(task_id))
    return n


@transaction.atomic
def read_cases(campaign: Campaign, *, by: User, limit: int | None = CASES_SHOWN) -> list[Case]:
    """The unresolved cases, the latest mark first. That their text was read is noted."""
    doubts = GuidelineDoubt.objects.unresolved().filter(campaign=campaign, task__held=False)
    length = Least(F("task__end") - F("task__start"), CASE_LENGTH)
    text = Substr("task__record__text", F("task__start") + 1, length)
    cases: dict[UUID, Case] = {}
    for task_id, record, ordinal, text_of_task, reviewer, note, at in doubts.values_list(
        "task", "task__record__external_id", "task__ordinal", text, "by", "note", "at"
    )[:limit]:
        name = campaign.task_name(record, ordinal)
        case = cases.setdefault(task_id, Case(task_id, name, text_of_task, []))
        case.marks.append(Mark(reviewer is not None, note, at))
    if cases:
        _note(campaign, by, "read_unclear_cases", tasks=[str(task_id) for task_id in cases])
    return list(cases.values())


def mark_unclear_cases(campaign: Campaign, *, now: datetime) -> int:
    """Find the tasks on which skilled volunteers disagree strongly; returns how many are new.

    Skilled is who is surely better than the half of the crowd: the lower end of their accuracy's interval is
    at least its median. What an admin has resolved is not marked again.
    """
    found = set(_disagreements(campaign))
    marked = GuidelineDoubt.objects.filter(campaign=campaign, by=None)
    n_new = 0
    for task_id in sorted(found - set(marked.values_list("task", flat=True))):
        n_new += _mark(campaign, task_id, now)
    for task_id in sorted(set(marked.unresolved().values_list("task", flat=True)) - found):
        _unmark(campaign, task_id, now)
    return n_new


@transaction.atomic
def _mark(campaign: Campaign, task_id: UUID, now: datetime) -> bool:
    lock_task(task_id)
    if not Consensus.objects.filter(pk=task_id, task__gold__isnull=True).exists():
        return False
    Consensus.objects.filter(pk=task_id, review=Consensus.Review.NONE).update(review=Consensus.Review.UNCLEAR)
    marked = {"campaign": campaign, "at": now}
    return GuidelineDoubt.objects.get_or_create(task_id=task_id, by=None, defaults=marked)[1]


@transaction.atomic
def _unmark(campaign: Campaign, task_id: UUID, now: datetime) -> None:
    """They agree by now, or a reviewer decided: nobody is asked, and if they fall out again it is new."""
    lock_task(task_id)
    Consensus.objects.filter(pk=task_id, review=Consensus.Review.UNCLEAR).update(review="")
    if not Consensus.objects.filter(pk=task_id, task__gold__isnull=False).exists():
        GuidelineDoubt.objects.unresolved().filter(task=task_id, by=None).delete()


def _disagreements(campaign: Campaign):
    kind = kind_named(campaign.kind)
    with connection.cursor() as cursor:
        cursor.execute(SKILLED_HALF, [campaign.pk])
        bar = cursor.fetchone()[0]
    after = UUID(int=0)
    while bar is not None:
        parameters = {
            "campaign": campaign.pk, "bar": bar, "least": LEAST_SKILLED, "after": after, "limit": PAGE,
        }  # fmt: skip
        with connection.cursor() as cursor:
            cursor.execute(SKILLED_ANSWERS, parameters)
            rows = cursor.fetchall()
        for task_id, values in rows:
            if leading_share(kind, orjson.loads(values)) < AGREED:
                yield task_id
        if len(rows) < PAGE:
            return
        after = rows[-1][0]


def leading_share(kind: Kind, values: list[dict]) -> float:
    """How much the answers agree with the one that they agree with most: for labels, its share of them."""
    return max(sum(kind.score(other, value) for other in values) for value in values) / len(values)


def _note(campaign: Campaign, by: User, verb: str, **detail) -> None:
    TrailEntry.objects.create(user=by, campaign=campaign, verb=verb, detail=detail)
