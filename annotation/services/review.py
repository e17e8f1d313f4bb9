"""The reviewer's desk: doubtful tasks, the most telling first, and a decision that becomes gold."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import connection, transaction

from annotation.errors import AlreadyDecided, GoldStands, NotFound, NothingToDecide, RecordHeld
from annotation.kinds import kind_named
from annotation.models import Campaign, Consensus, Gold, MicroTask, TrailEntry, User
from annotation.services.consensus import mend_task, rules_for_now
from annotation.services.gold import label_of
from annotation.services.places import lock_task

QUEUE_LENGTH = 50  # tasks looked at; further ones come up when these are decided

# By expected information: what a reviewer is asked for by its entropy, then ties, then the least certain of
# those that were settled. Each part is read in the order of an index of its own.
READ_QUEUE = """
SELECT task_id FROM (
    (SELECT s.task_id, 1 AS part, -s.entropy AS place FROM annotation_consensus s
     WHERE s.campaign_id = %(campaign)s AND s.review <> '' AND {undecided}
     ORDER BY s.entropy DESC LIMIT %(limit)s)
    UNION ALL (
     SELECT s.task_id, 2, -extract(epoch FROM s.settled_at) FROM annotation_consensus s
     WHERE s.campaign_id = %(campaign)s AND s.settled_at IS NOT NULL AND s.value IS NULL AND s.review = ''
       AND {undecided}
     ORDER BY s.settled_at DESC LIMIT %(limit)s)
    UNION ALL (
     SELECT s.task_id, 3, s.certainty FROM annotation_consensus s
     WHERE s.campaign_id = %(campaign)s AND s.settled_at IS NOT NULL AND s.certainty < 1
       AND s.value IS NOT NULL AND s.review = '' AND {undecided}
     ORDER BY s.certainty LIMIT %(limit)s)
) doubtful ORDER BY part, place, task_id LIMIT %(limit)s
""".format(  # nosec B608 # a constant of this module
    undecided="""NOT EXISTS (SELECT 1 FROM annotation_gold g WHERE g.task_id = s.task_id)
       AND EXISTS (SELECT 1 FROM annotation_microtask t WHERE t.id = s.task_id AND NOT t.held)"""
)


@dataclass(frozen=True, slots=True)
class Decided:
    """`repeated` says that this very decision stood already."""

    value: dict
    repeated: bool


def tasks_to_review(campaign: Campaign, *, limit: int = QUEUE_LENGTH) -> list[UUID]:
    """The doubtful tasks that nobody has decided, the most telling first. No text is read."""
    with connection.cursor() as cursor:
        cursor.execute(READ_QUEUE, {"campaign": campaign.pk, "limit": limit})
        return [task_id for (task_id,) in cursor.fetchall()]


@transaction.atomic
def decide_task(
    campaign: Campaign, task_id: UUID, raw_value: object, *, by: User, now: datetime, changes: bool = False
) -> Decided:
    """Say what the right answer is: it becomes gold, and nobody else is asked. The same again is harmless.

    Whoever holds a place at this moment may still answer; a place that is given back stays empty.
    `changes` says that the reviewer saw an earlier decision and means to replace it; the trail keeps it.
    """
    rules = rules_for_now(campaign.pk)
    task = _lock(campaign, task_id)
    value = kind_named(campaign.kind).parse_answer(raw_value, campaign.labels, task.end - task.start)
    gold = Gold.objects.filter(pk=task_id).first()
    if gold is not None:
        if gold.origin == Gold.Origin.FILE:
            raise GoldStands()
        if gold.value == value:
            return Decided(value, repeated=True)
        if not changes:
            raise AlreadyDecided()
    elif not Consensus.objects.filter(pk=task_id).exists():
        raise NothingToDecide()
    Gold.objects.update_or_create(
        task=task,
        defaults={
            "campaign": campaign,
            "value": value,
            "label": label_of(kind_named(campaign.kind), value),
            "origin": Gold.Origin.REVIEWER,
            "decided_by": by,
            "decided_at": now,
        },
    )
    detail = {"task": str(task_id), "value": value, "before": gold and gold.value}
    TrailEntry.objects.create(user=by, campaign=campaign, verb="decide_task", detail=detail)
    mend_task(rules, task_id, now=now)
    return Decided(value, repeated=False)


def _lock(campaign: Campaign, task_id: UUID) -> MicroTask:
    lock_task(task_id)
    task = MicroTask.objects.filter(pk=task_id, campaign=campaign).first()
    if task is None:
        raise NotFound()
    if task.held:
        raise RecordHeld("This record is held back, so nobody decides on it now.")
    return task
