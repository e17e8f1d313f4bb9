"""Hand-out: give a volunteer the best open task they have not had, and take places back.

The row that is locked holds the predicate: a place is `taken + 1` on the task's own row, so no count over
other tables can race. Locks go volunteer, then task; `SKIP LOCKED` keeps volunteers out of each other's way.
A row that a lock found changed stays locked although it is passed over, so whoever waits holds no task.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

from django.db import connection, transaction

from annotation.algorithms.hidden_gold import draws, gold_share
from annotation.errors import (
    CampaignPaused,
    ConsentRequired,
    LeaseExpired,
    NotFound,
    NotOpen,
    RecordHeld,
    TakenOut,
    TaskFull,
)
from annotation.models import Assignment, Campaign, Record, User
from annotation.services.places import (
    READ_PLACES,
    Handout,
    handout_from_row,
    lock_task,
    read_handouts,
    set_held,
    take_back,
)
from annotation.services.prepared import PreparedStatement
from annotation.services.suggestions import ARM, DRAW_ARM

FIRST = (-math.inf, UUID(int=0))  # sorts before every task in the queue's order


@dataclass(frozen=True, slots=True)
class Seat:
    """A volunteer whose row we have locked, with what we need of the campaign."""

    volunteer_id: UUID
    campaign_id: UUID
    cursor: tuple[float, UUID]
    queue_epoch: int
    lease: timedelta
    preannotates: bool
    gold_draw: float | None  # where among the campaign's gold to look, when hidden gold is due


LOCK_VOLUNTEER = PreparedStatement(
    "lock_volunteer",
    """
SELECT v.id, v.taken_out_at IS NOT NULL, c.state, c.queue_epoch, c.lease_seconds, c.preannotates,
       c.hides_gold, v.n_claims, v.cursor_epoch, v.cursor_priority, v.cursor_task
FROM annotation_volunteer v JOIN annotation_campaign c ON c.id = v.campaign_id
WHERE v.campaign_id = %(campaign)s AND v.user_id = %(user)s
FOR NO KEY UPDATE OF v
""",
)

# A volunteer holds one place at a time: whoever loads the page again gets the same task with a new lease.
RENEW_HELD_PLACE = PreparedStatement(
    "renew_held_place",
    """
UPDATE annotation_assignment a SET expires_at = CASE WHEN t.held THEN a.expires_at ELSE %(expires_at)s END
FROM annotation_microtask t
WHERE a.volunteer_id = %(volunteer)s AND a.state = 'open' AND t.id = a.task_id
RETURNING a.id, t.held
""",
)

# What a place's end means for its task is read after the task's lock, by another statement: whoever waited
# would see the other tables as they were before.
CLOSE_PLACES = """
UPDATE annotation_assignment SET state = 'expired', closed_at = %s WHERE id = ANY(%s) AND state = 'open'
RETURNING task_id
"""

# OFFSET 0 keeps the planner from turning the look-up into a hash join over all that the volunteer has had.
NEVER_HAD = """NOT EXISTS (SELECT 1 FROM annotation_assignment own
                      WHERE own.task_id = t.id AND own.volunteer_id = %(volunteer)s OFFSET 0)"""

BEST = f"""
    SELECT t.id, t.priority FROM annotation_microtask t
    WHERE t.campaign_id = %(campaign)s AND t.is_open
      AND (-t.priority, t.id) > (%(cursor_priority)s::float8, %(cursor_task)s::uuid)
      AND {NEVER_HAD}
    ORDER BY -t.priority, t.id
    LIMIT 1
"""  # nosec B608 # constants of this module

THIS_ONE = f"""
    SELECT t.id, t.priority FROM annotation_microtask t
    WHERE t.id = %(task)s AND t.is_open AND {NEVER_HAD}
"""  # nosec B608 # constants of this module

# Hidden gold is asked of everybody, so it makes room for one more where it is full.
GOLD_SEEN = 100  # gold tasks looked at for one that the volunteer has not had
GOLD_PLACES = 300  # of one gold task: each answer to it reads all the others
GOLD = f"""
    SELECT t.id, t.priority FROM (
        SELECT task_id, draw FROM annotation_gold
        WHERE campaign_id = %(campaign)s AND origin = 'file' AND draw >= %(draw)s
        ORDER BY draw LIMIT %(gold_seen)s
    ) g JOIN annotation_microtask t ON t.id = g.task_id
    WHERE NOT t.held AND t.taken < {GOLD_PLACES} AND {NEVER_HAD}
    ORDER BY g.draw
    LIMIT 1
"""  # nosec B608 # constants of this module
TAKE_ROOM = "taken = t.taken + 1"
MAKE_ROOM = """taken = t.taken + 1, needed = greatest(t.needed, t.taken + 1),
        cap = greatest(t.cap, t.taken + 1)"""
MOVE_ON = """cursor_epoch = %(queue_epoch)s, cursor_priority = best.priority, cursor_task = best.id,
        n_claims = v.n_claims + 1"""
STAY = "n_claims = v.n_claims + 1"

CLAIM = f"""
WITH best AS MATERIALIZED ({{task}}    FOR NO KEY UPDATE OF t {{if_locked}}
), place AS (
    UPDATE annotation_microtask t SET {{room}} FROM best WHERE t.id = best.id
), cursor AS (
    UPDATE annotation_volunteer v SET {{cursor}}
    FROM best WHERE v.id = %(volunteer)s
), seat AS (
    INSERT INTO annotation_assignment (id, task_id, volunteer_id, state, claimed_at, expires_at, skip_reason,
                                       suggested, suggestion, suggestion_version)
    SELECT gen_random_uuid(), best.id, %(volunteer)s::uuid, 'open', %(now)s::timestamptz,
           %(expires_at)s::timestamptz, '', {ARM}
    FROM best{DRAW_ARM}
    RETURNING id, expires_at, task_id, suggested, suggestion
)
"""  # nosec B608 # constants
CLAIM_BEST = PreparedStatement(
    "claim_best",
    CLAIM.format(task=BEST, if_locked="SKIP LOCKED", room=TAKE_ROOM, cursor=MOVE_ON)
    + READ_PLACES.format(places="seat"),
)
CLAIM_THIS_ONE = CLAIM.format(
    task=THIS_ONE, if_locked="", room=TAKE_ROOM, cursor=MOVE_ON
) + READ_PLACES.format(places="seat")
CLAIM_GOLD = CLAIM.format(
    task=GOLD, if_locked="SKIP LOCKED", room=MAKE_ROOM, cursor=STAY
) + READ_PLACES.format(places="seat")

# The lease is looked at again under the task's lock: a late answer may have been faster.
RENEW_OWN_EXPIRED = """
WITH own AS MATERIALIZED (
    SELECT a.id FROM annotation_assignment a JOIN annotation_microtask t ON t.id = a.task_id
    WHERE a.volunteer_id = %(volunteer)s AND t.id = %(task)s AND t.is_open
    FOR NO KEY UPDATE OF t
), opened AS (
    UPDATE annotation_assignment a
    SET state = 'open', claimed_at = %(now)s, expires_at = %(expires_at)s, closed_at = NULL
    FROM own WHERE a.id = own.id AND a.state = 'expired'
    RETURNING a.id, a.task_id
)
UPDATE annotation_microtask t SET taken = t.taken + 1 FROM opened WHERE t.id = opened.task_id
RETURNING opened.id
"""

FRESH, OVERDUE, OWN_EXPIRED = 1, 2, 3  # what can be left for a volunteer, in the order of our liking

# Locks nothing, so it also sees tasks that somebody holds at this instant.
WHAT_IS_LEFT = f"""
SELECT task, what FROM (
    (SELECT id AS task, {FRESH} AS what FROM ({BEST}) best)
    UNION ALL (
        SELECT t.id, {OVERDUE} FROM annotation_assignment a JOIN annotation_microtask t ON t.id = a.task_id
        WHERE a.state = 'open' AND a.expires_at < %(now)s AND t.campaign_id = %(campaign)s AND NOT t.held
          AND {NEVER_HAD}
        LIMIT 1
    ) UNION ALL (
        SELECT t.id, {OWN_EXPIRED}
        FROM annotation_assignment a JOIN annotation_microtask t ON t.id = a.task_id
        WHERE a.volunteer_id = %(volunteer)s AND a.state = 'expired' AND t.is_open
        ORDER BY -t.priority, t.id
        LIMIT 1
    )
) something ORDER BY what LIMIT 1
"""  # nosec B608 # constants of this module

# Idempotent: a lease is closed by the transaction that sees it open, and gives back exactly one place.
LOCK_OVERDUE = """
SELECT a.id FROM annotation_assignment a JOIN annotation_microtask t ON t.id = a.task_id
WHERE a.state = 'open' AND a.expires_at < %(now)s
ORDER BY a.expires_at
LIMIT %(limit)s
FOR NO KEY UPDATE OF t SKIP LOCKED
"""
CLOSE_OVERDUE = CLOSE_PLACES.replace("RETURNING", "AND expires_at < %s RETURNING")


def claim_task(campaign_id: UUID, user: User, *, now: datetime) -> Handout | None:
    """Give the volunteer the best open task they have not had; None when nothing is left for them.

    "No row" can also mean "all locked at this instant". So before None is said, we look without locks and
    wait for what is there. We wait in a transaction that holds no other task: it can't be a deadlock.
    """
    place = _claim(campaign_id, user, now, _best_place)
    while place is None:
        expire_leases(now=now)
        left = _what_is_left(campaign_id, user, now)
        if left is None:
            return None
        place = _claim(campaign_id, user, now, partial(_awaited_place, *left))
    return place


@transaction.atomic
def _claim(
    campaign_id: UUID, user: User, now: datetime, find_place: Callable[[Seat, datetime], Handout | None]
) -> Handout | None:
    seat = _lock_volunteer(campaign_id, user)
    return _renew_held_place(seat, now) or find_place(seat, now)


def claim_next(campaign_id: UUID, user: User, *, now: datetime) -> Handout | None:
    """The task after an answer. Who was taken out meanwhile, or paused, has none; the answer stands."""
    try:
        return claim_task(campaign_id, user, now=now)
    except (CampaignPaused, TakenOut):
        return None


def _lock_volunteer(campaign_id: UUID, user: User) -> Seat:
    row = LOCK_VOLUNTEER.first_row({"campaign": campaign_id, "user": user.pk})
    if row is None:
        may_join = Campaign.objects.to_label(user).filter(pk=campaign_id).exists()
        raise ConsentRequired() if may_join else NotFound()
    (volunteer_id, taken_out, state, queue_epoch, lease_seconds, preannotates, hides_gold, n_claims,
     cursor_epoch, cursor_priority, cursor_task) = row  # fmt: skip
    if taken_out:
        raise TakenOut()
    if state != "open":
        raise CampaignPaused()
    valid = cursor_task is not None and cursor_epoch == queue_epoch
    cursor = (-cursor_priority, cursor_task) if valid else FIRST
    gold_draw = None
    if hides_gold:
        chance, where = draws(volunteer_id.bytes, n_claims)
        gold_draw = where if chance < gold_share(n_claims) else None
    lease = timedelta(seconds=lease_seconds)
    return Seat(volunteer_id, campaign_id, cursor, queue_epoch, lease, preannotates, gold_draw)


def _renew_held_place(seat: Seat, now: datetime) -> Handout | None:
    row = RENEW_HELD_PLACE.first_row({"volunteer": seat.volunteer_id, "expires_at": now + seat.lease})
    if row is None:
        return None
    assignment_id, held = row
    if held:  # a text that was held back after its hand-out is not shown again
        give_back_place(assignment_id, now=now)
        return None
    return read_handouts([assignment_id])[0]


def _best_place(seat: Seat, now: datetime) -> Handout | None:
    """Hidden gold when it is due; else look behind the cursor, then from the queue's head for what was
    given back before it."""
    if seat.gold_draw is not None and (gold := _hidden_gold(seat, now)) is not None:
        return gold
    row = CLAIM_BEST.first_row(_parameters(seat, now, seat.cursor))
    if row is None and seat.cursor != FIRST:
        row = CLAIM_BEST.first_row(_parameters(seat, now, FIRST))
    return row and handout_from_row(row)


def _hidden_gold(seat: Seat, now: datetime) -> Handout | None:
    """A gold task that this volunteer has not had, from a random place among the campaign's gold on."""
    parameters = _parameters(seat, now, FIRST)
    for draw in (seat.gold_draw, 0.0):
        row = _one(CLAIM_GOLD, parameters | {"draw": draw, "gold_seen": GOLD_SEEN})
        if row is not None:
            return handout_from_row(row)
    return None


@transaction.atomic
def _what_is_left(campaign_id: UUID, user: User, now: datetime) -> tuple[UUID, int] | None:
    return _one(WHAT_IS_LEFT, _parameters(_lock_volunteer(campaign_id, user), now, FIRST))


def _awaited_place(task_id: UUID, what: int, seat: Seat, now: datetime) -> Handout | None:
    """Wait for this task's lock and take what we saw there, unless somebody was faster."""
    if what == OVERDUE:  # somebody sweeps it at this instant, or is about to answer
        lock_task(task_id)
        return None
    parameters = _parameters(seat, now, FIRST) | {"task": task_id}
    if what == FRESH:
        row = _one(CLAIM_THIS_ONE, parameters)
        return row and handout_from_row(row)
    row = _one(RENEW_OWN_EXPIRED, parameters)
    return row and read_handouts([row[0]])[0]


def _parameters(seat: Seat, now: datetime, cursor: tuple[float, UUID]) -> dict:
    return {
        "campaign": seat.campaign_id,
        "volunteer": seat.volunteer_id,
        "queue_epoch": seat.queue_epoch,
        "preannotates": seat.preannotates,
        "cursor_priority": cursor[0],
        "cursor_task": cursor[1],
        "now": now,
        "expires_at": now + seat.lease,
    }


def give_back_place(assignment_id: UUID, *, now: datetime) -> None:
    """End the lease at once, unless it has been answered or given back already."""
    lock_task(Assignment.objects.values_list("task", flat=True).get(pk=assignment_id))
    _close(CLOSE_PLACES, [now, [assignment_id]])


def expire_leases(*, now: datetime, limit: int = 1000) -> int:
    """Give back the places of leases that ran out; returns how many. Safe to run twice or never."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(LOCK_OVERDUE, {"now": now, "limit": limit})
        overdue = [assignment_id for (assignment_id,) in cursor.fetchall()]
        return _close(CLOSE_OVERDUE, [now, overdue, now]) if overdue else 0


def _close(sql: str, parameters: list) -> int:
    """Close the places that are open still; returns how many. The caller has locked their tasks."""
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        task_ids = [task_id for (task_id,) in cursor.fetchall()]
    if task_ids:
        take_back(task_ids)
    return len(task_ids)


@transaction.atomic
def take_place(task_id: UUID, volunteer_id: UUID, *, now: datetime) -> UUID:
    """Seat a volunteer at a task of somebody else's choosing (a replayed crowd); the need still holds."""
    row = _one(
        """SELECT t.taken < t.needed, t.held, c.lease_seconds FROM annotation_microtask t
        JOIN annotation_campaign c ON c.id = t.campaign_id WHERE t.id = %s FOR NO KEY UPDATE OF t""",
        [task_id],
    )
    if row is None:
        raise NotFound()
    has_place, held, lease_seconds = row
    if held:
        raise RecordHeld()
    if not has_place:
        raise TaskFull()
    with connection.cursor() as cursor:
        cursor.execute("UPDATE annotation_microtask SET taken = taken + 1 WHERE id = %s", [task_id])
    expires_at = now + timedelta(seconds=lease_seconds)
    return Assignment.objects.create(
        task_id=task_id, volunteer_id=volunteer_id, claimed_at=now, expires_at=expires_at
    ).pk


def extend_lease(assignment_id: UUID, user: User, *, now: datetime) -> datetime:
    """Give the volunteer a full lease from now on, while they still hold the place."""
    assignment = _own(assignment_id, user)
    expires_at = now + timedelta(seconds=assignment.volunteer.campaign.lease_seconds)
    if assignment.volunteer.campaign.state != "open":
        raise CampaignPaused()
    changed = Assignment.objects.filter(pk=assignment_id, state=Assignment.State.OPEN).update(
        expires_at=expires_at
    )
    if changed:
        return expires_at
    raise LeaseExpired() if assignment.state == Assignment.State.EXPIRED else NotOpen()


def skip_task(assignment_id: UUID, user: User, reason: str, *, now: datetime) -> UUID:
    """Give the place back and don't ask this volunteer again; returns the campaign's id.

    "I see a name" holds the record at once: no task of it goes out until somebody has looked.
    """
    assignment = _own(assignment_id, user)
    _close_as_skipped(assignment, reason, now)
    if reason == Assignment.SkipReason.NAMES_A_PERSON:
        _hold_record(assignment.task.record_id)
    return assignment.task.campaign_id


@transaction.atomic
def _hold_record(record_id: UUID) -> None:
    _one("SELECT 1 FROM annotation_record WHERE id = %s FOR UPDATE", [record_id])
    set_held(Record.objects.filter(pk=record_id), held=True)


@transaction.atomic
def _close_as_skipped(assignment: Assignment, reason: str, now: datetime) -> None:
    lock_task(assignment.task_id)
    assignment.refresh_from_db(fields=["state"])
    if assignment.state == Assignment.State.SKIPPED:
        return
    if assignment.state == Assignment.State.ANSWERED:
        raise NotOpen("You have answered this one already, so it can't be skipped.", code="already_answered")
    held_a_place = assignment.state == Assignment.State.OPEN
    assignment.state, assignment.skip_reason, assignment.closed_at = Assignment.State.SKIPPED, reason, now
    assignment.save(update_fields=["state", "skip_reason", "closed_at"])
    if held_a_place:
        take_back([assignment.task_id])


def _own(assignment_id: UUID, user: User) -> Assignment:
    assignment = (
        Assignment.objects.for_user(user)
        .select_related("volunteer__campaign", "task")
        .filter(pk=assignment_id)
        .first()
    )
    if assignment is None:
        raise NotFound()
    return assignment


def _one(sql: str, parameters) -> tuple | None:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return cursor.fetchone()
