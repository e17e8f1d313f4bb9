"""When a campaign's need changes, its tasks follow, a few thousand at a time."""

from uuid import UUID

from django.db import connection, transaction

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

SETTLE = """
UPDATE annotation_consensus s
SET settled_at = CASE WHEN s.n_answers >= t.needed - given.n_ignored THEN given.last_at END
FROM annotation_microtask t CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE NOT an.weighs) AS n_ignored,
           max(an.answered_at) FILTER (WHERE an.weighs) AS last_at
    FROM annotation_assignment a JOIN annotation_answer an ON an.assignment_id = a.id WHERE a.task_id = t.id
) given
WHERE t.id = s.task_id AND t.id = ANY(%s)
  AND (s.n_answers >= t.needed - given.n_ignored) <> (s.settled_at IS NOT NULL)
  AND NOT EXISTS (SELECT 1 FROM annotation_gold g WHERE g.task_id = t.id AND g.decided_at IS NOT NULL)
"""


def follow_need(campaign: Campaign) -> None:
    """Give all tasks the campaign's need; those with enough answers are settled now, others no longer.

    Where each task gets as many answers as it wants, the need is only what it starts with: tasks that have
    an answer go on by their own.
    """
    last = UUID(int=0)
    while last is not None:
        last = _follow_chunk(campaign, last)


@transaction.atomic
def _follow_chunk(campaign: Campaign, after: UUID) -> UUID | None:
    with connection.cursor() as cursor:
        cursor.execute(LOCK_TASKS, [campaign.pk, after, CHUNK])
        ids = [task_id for (task_id,) in cursor.fetchall()]
        only = "AND taken = 0" if campaign.is_adaptive else ""
        cursor.execute(FOLLOW + only, [campaign.needed, ids, campaign.needed])
    if not campaign.is_adaptive:
        settle(ids)
    return ids[-1] if len(ids) == CHUNK else None


def settle(task_ids: list[UUID]) -> None:
    """Settle what has enough answers for its need, and no longer what has not. The caller locks the tasks."""
    with connection.cursor() as cursor:
        cursor.execute(SETTLE, [task_ids])
