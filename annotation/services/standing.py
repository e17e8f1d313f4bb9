"""Whether a volunteer's answers count: the platform may put that in doubt, and a person decides.

A change is two steps. The standing itself changes at once, under the volunteer's lock: every answer that
comes after it is taken by it. The answers given before follow a few tasks at a time, each under its task's
lock, and may be taken up again after a stop.
"""

from datetime import datetime
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Q

from annotation.models import TrailEntry, User, Volunteer
from annotation.services.consensus import mend_task, rules_for_now
from annotation.services.places import lock_tasks

CHUNK = 100  # tasks locked at a time, in the order of their ids, while volunteers go on

# Places that are open or ran out too: an answer may be on its way there, taken by the old standing.
NEXT_TASKS = """
SELECT task_id FROM annotation_assignment
WHERE volunteer_id = %s AND state <> 'skipped' AND task_id > %s ORDER BY task_id LIMIT %s
"""

FOLLOW_STANDING = """
UPDATE annotation_answer an SET weighs = (v.standing = 'trusted')
FROM annotation_assignment a JOIN annotation_volunteer v ON v.id = a.volunteer_id
WHERE an.assignment_id = a.id AND v.id = %s AND a.task_id = ANY(%s) AND an.weighs <> (v.standing = 'trusted')
RETURNING a.task_id
"""

# An answer that doesn't count leaves its place to somebody else's, and takes it back when it counts again.
FOLLOW_NEED = """
UPDATE annotation_microtask t SET needed = least(t.cap, greatest(t.taken, %s + ignored.n))
FROM (
    SELECT a.task_id, count(*) FILTER (WHERE NOT an.weighs) AS n
    FROM annotation_assignment a JOIN annotation_answer an ON an.assignment_id = a.id
    WHERE a.task_id = ANY(%s) GROUP BY a.task_id
) ignored
WHERE t.id = ignored.task_id
  AND NOT EXISTS (SELECT 1 FROM annotation_gold g WHERE g.task_id = t.id AND g.decided_at IS NOT NULL)
"""


@transaction.atomic
def set_standing(
    volunteer: Volunteer, standing: str, reason: str, *, by: User | None, now: datetime
) -> Volunteer:
    """Change whether a volunteer's answers count, from now on; `by` is None for the platform.

    The platform may only flag, and nobody whom a person has decided on. The same again changes nothing.
    """
    volunteer = Volunteer.objects.select_for_update(no_key=True).get(pk=volunteer.pk)
    if by is None and (volunteer.standing_by_id is not None or not volunteer.is_trusted):
        return volunteer
    if volunteer.standing == standing and volunteer.standing_by_id is not None:
        return volunteer
    counted = volunteer.is_trusted
    before, volunteer.standing = volunteer.standing, Volunteer.Standing(standing)
    volunteer.standing_reason, volunteer.standing_by, volunteer.standing_at = reason, by, now
    volunteer.is_to_be_weighed |= volunteer.is_trusted != counted
    volunteer.save(
        update_fields=["standing", "standing_reason", "standing_by", "standing_at", "is_to_be_weighed"]
    )
    detail = {"volunteer": str(volunteer.pk), "before": before, "standing": standing, "reason": reason}
    TrailEntry.objects.create(user=by, campaign_id=volunteer.campaign_id, verb="set_standing", detail=detail)
    return volunteer


def volunteers_to_weigh() -> list[Volunteer]:
    """Those whose standing changed and whose earlier answers have not followed yet."""
    return list(Volunteer.objects.filter(is_to_be_weighed=True).order_by("standing_at"))


def weigh_answers_again(volunteer: Volunteer, *, now: datetime) -> int:
    """Count a volunteer's answers, or don't, by their standing; returns how many tasks that concerned.

    The tasks are judged again, and such as lost an answer are asked once more. Safe to run twice or at once.
    """
    volunteer.refresh_from_db()
    n_concerned, last = 0, UUID(int=0)
    while last is not None:
        n, last = _weigh_chunk(volunteer, last, now)
        n_concerned += n
    done = Q(pk=volunteer.pk, standing_at=volunteer.standing_at)  # not if it has changed meanwhile
    Volunteer.objects.filter(done).update(is_to_be_weighed=False)
    return n_concerned


@transaction.atomic
def _weigh_chunk(volunteer: Volunteer, after: UUID, now: datetime) -> tuple[int, UUID | None]:
    rules = rules_for_now(volunteer.campaign_id)
    with connection.cursor() as cursor:
        cursor.execute(NEXT_TASKS, [volunteer.pk, after, CHUNK])
        task_ids = [task_id for (task_id,) in cursor.fetchall()]
        lock_tasks(task_ids)
        cursor.execute(FOLLOW_STANDING, [volunteer.pk, task_ids])
        concerned = sorted(task_id for (task_id,) in cursor.fetchall())
        if rules.stopping is None:
            cursor.execute(FOLLOW_NEED, [rules.needed, concerned])
    for task_id in concerned:
        mend_task(rules, task_id, now=now)
    return len(concerned), task_ids[-1] if len(task_ids) == CHUNK else None
