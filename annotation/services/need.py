"""When a campaign's need changes, its tasks follow, a few thousand at a time."""

from uuid import UUID

from django.db import connection, transaction
from django.db.models import F

from annotation.models import Campaign

CHUNK = 2000  # tasks locked at a time, in the order of their ids, while volunteers go on

LOCK_TASKS = """
SELECT id FROM annotation_microtask WHERE campaign_id = %s AND id > %s ORDER BY id LIMIT %s
FOR NO KEY UPDATE
"""

# A place that is held or answered stays: the need of a task does not fall below what is taken. What a
# reviewer has decided needs nobody else.
FOLLOW = """
UPDATE annotation_microtask t SET needed = least(cap, greatest(taken, %s))
WHERE id = ANY(%s) AND needed <> %s AND NOT EXISTS (
    SELECT 1 FROM annotation_gold g WHERE g.task_id = t.id AND g.decided_at IS NOT NULL)
"""


def follow_need(campaign: Campaign) -> None:
    """Give all tasks the campaign's need. Which of them are settled by it, the next judgement says: it knows
    which answers count.

    Where each task gets as many answers as it wants, the need is only what it starts with: tasks that have
    an answer go on by their own.
    """
    last = UUID(int=0)
    while last is not None:
        last = _follow_chunk(campaign, last)
    # The epoch tells a judgement which went on meanwhile that it was not the last; and tasks that are open
    # again may lie before where volunteers are in the queue.
    follow = {"is_to_be_judged": True, "queue_epoch": F("queue_epoch") + 1}
    Campaign.objects.filter(pk=campaign.pk).update(**follow)


@transaction.atomic
def _follow_chunk(campaign: Campaign, after: UUID) -> UUID | None:
    with connection.cursor() as cursor:
        cursor.execute(LOCK_TASKS, [campaign.pk, after, CHUNK])
        ids = [task_id for (task_id,) in cursor.fetchall()]
        only = "AND taken = 0" if campaign.is_adaptive else ""
        cursor.execute(FOLLOW + only, [campaign.needed, ids, campaign.needed])
    return ids[-1] if len(ids) == CHUNK else None
