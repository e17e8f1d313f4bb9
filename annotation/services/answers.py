"""Answers: recorded once, counted in the same transaction, mended with their history kept."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import orjson
from django.db import connection, transaction

from annotation.errors import (
    AlreadyAnswered,
    CampaignPaused,
    KeyReused,
    LeaseExpired,
    NotFound,
    NotOpen,
    RecordHeld,
)
from annotation.kinds import kind_named
from annotation.models import User
from annotation.services.consensus import UPSERT_CONSENSUS, consensus_row, upsert_parameters
from annotation.services.prepared import PreparedStatement

# The task's row is locked first; what hangs on it is then read by a statement of its own,
# because a statement that waited for a lock still sees the other tables as they were before.
LOCK_TASK = PreparedStatement(
    "lock_task",
    """
SELECT t.id, t.campaign_id, t.needed, t.taken, t.held, c.state, c.kind, c.labels::text, v.id
FROM annotation_assignment a
JOIN annotation_volunteer v ON v.id = a.volunteer_id
JOIN annotation_microtask t ON t.id = a.task_id
JOIN annotation_campaign c ON c.id = t.campaign_id
WHERE a.id = %(assignment)s AND v.user_id = %(user)s
FOR NO KEY UPDATE OF t
""",
)

READ_ANSWERS = PreparedStatement(
    "read_answers",
    """
SELECT a.state, a.claimed_at, own.key, own.value::text, others.answers, others.last_at
FROM annotation_assignment a
LEFT JOIN annotation_answer own ON own.assignment_id = a.id
CROSS JOIN LATERAL (
    SELECT coalesce(json_agg(an.value), '[]')::text AS answers, max(an.answered_at) AS last_at
    FROM annotation_assignment b JOIN annotation_answer an ON an.assignment_id = b.id
    WHERE b.task_id = a.task_id AND b.id <> a.id
) others
WHERE a.id = %(assignment)s
""",
)

RECORD_ANSWER = PreparedStatement(
    "record_answer",
    f"""
WITH answer AS (
    INSERT INTO annotation_answer (assignment_id, key, value, answered_at, seconds, n_revisions)
    VALUES (%(assignment)s, %(key)s, %(value)s, %(now)s, %(seconds)s, 0)
), closed AS (
    UPDATE annotation_assignment SET state = 'answered', closed_at = %(now)s WHERE id = %(assignment)s
), late AS (
    UPDATE annotation_microtask SET taken = taken + 1 WHERE id = %(task)s AND %(takes_a_place)s
), counted AS (
    INSERT INTO annotation_volunteerday (volunteer_id, day, n_answers)
    VALUES (%(volunteer)s, %(day)s, 1)
    ON CONFLICT (volunteer_id, day) DO UPDATE SET n_answers = annotation_volunteerday.n_answers + 1
)
{UPSERT_CONSENSUS}
""",  # nosec B608 # a statement of our own
)

REVISE_ANSWER = PreparedStatement(
    "revise_answer",
    f"""
WITH kept AS (
    INSERT INTO annotation_answerrevision (answer_id, key, value, replaced_at)
    SELECT assignment_id, key, value, %(now)s::timestamptz FROM annotation_answer
    WHERE assignment_id = %(assignment)s
), revised AS (
    UPDATE annotation_answer
    SET key = %(key)s, value = %(value)s, answered_at = %(now)s, n_revisions = n_revisions + 1
    WHERE assignment_id = %(assignment)s
)
{UPSERT_CONSENSUS}
""",  # nosec B608 # a statement of our own
)


@dataclass(frozen=True, slots=True)
class Submission:
    """`repeated` says that this very answer had been recorded before."""

    campaign_id: UUID
    repeated: bool


@dataclass(frozen=True, slots=True)
class Place:
    """An assignment under the lock of its task, with all that was answered there."""

    task_id: UUID
    campaign_id: UUID
    needed: int
    has_room: bool
    held: bool
    campaign_state: str
    kind: str
    labels: list[dict]
    volunteer_id: UUID
    state: str
    claimed_at: datetime
    own_key: UUID | None
    own_value: dict | None
    other_answers: list[dict]
    others_last_at: datetime | None


@transaction.atomic
def submit_answer(
    assignment_id: UUID, user: User, raw_answer: object, *, key: UUID, now: datetime
) -> Submission:
    """Record the volunteer's answer for the place they hold, once.

    The same key and answer again: the same reply. The same key with another answer: KeyReused.
    After the lease ran out the answer still counts while the task has room, else LeaseExpired.
    """
    place = _lock_place(assignment_id, user)
    value = kind_named(place.kind).parse_answer(raw_answer, place.labels)
    if place.own_key is not None:
        return _repeat(assignment_id, place, value, key)
    if place.campaign_state != "open":
        raise CampaignPaused()
    if place.state == "skipped":
        raise NotOpen()
    late = place.state == "expired"
    if late and not place.has_room:
        raise LeaseExpired()
    if late and place.held:
        raise RecordHeld()
    _write(
        RECORD_ANSWER,
        place,
        value,
        now,
        assignment=assignment_id,
        key=key,
        task=place.task_id,
        volunteer=place.volunteer_id,
        day=now.date(),
        seconds=max(0.0, (now - place.claimed_at).total_seconds()),
        takes_a_place=late,
    )
    return Submission(place.campaign_id, repeated=False)


@transaction.atomic
def revise_answer(
    assignment_id: UUID, user: User, raw_answer: object, *, key: UUID, now: datetime
) -> Submission:
    """Replace the volunteer's own answer; the earlier one is kept as a revision. Idempotent by key."""
    place = _lock_place(assignment_id, user)
    value = kind_named(place.kind).parse_answer(raw_answer, place.labels)
    if place.own_key is None:
        raise NotOpen("There is no answer yet to change.", code="not_answered")
    if place.own_key == key or _revision(assignment_id, key) is not None:
        return _repeat(assignment_id, place, value, key)
    if place.campaign_state != "open":
        raise CampaignPaused()
    _write(REVISE_ANSWER, place, value, now, assignment=assignment_id, key=key)
    return Submission(place.campaign_id, repeated=False)


def _lock_place(assignment_id: UUID, user: User) -> Place:
    row = LOCK_TASK.first_row({"assignment": assignment_id, "user": user.pk})
    if row is None:
        raise NotFound()
    task_id, campaign_id, needed, taken, held, campaign_state, kind, labels, volunteer_id = row
    row = READ_ANSWERS.first_row({"assignment": assignment_id})
    state, claimed_at, own_key, own_value, other_answers, others_last_at = row
    return Place(
        task_id=task_id,
        campaign_id=campaign_id,
        needed=needed,
        has_room=taken < needed,
        held=held,
        campaign_state=campaign_state,
        kind=kind,
        labels=orjson.loads(labels),
        volunteer_id=volunteer_id,
        state=state,
        claimed_at=claimed_at,
        own_key=own_key,
        own_value=own_value and orjson.loads(own_value),
        other_answers=orjson.loads(other_answers),
        others_last_at=others_last_at,
    )


def _repeat(assignment_id: UUID, place: Place, value: dict, key: UUID) -> Submission:
    """An answer stands already: was it this one?"""
    earlier = place.own_value if key == place.own_key else _revision(assignment_id, key)
    if earlier is None:
        raise AlreadyAnswered()
    if earlier != value:
        raise KeyReused()
    return Submission(place.campaign_id, repeated=True)


def _revision(assignment_id: UUID, key: UUID) -> dict | None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT value::text FROM annotation_answerrevision WHERE answer_id = %s AND key = %s",
            [assignment_id, key],
        )
        row = cursor.fetchone()
    return row and orjson.loads(row[0])


def _write(statement: PreparedStatement, place: Place, value: dict, now: datetime, **parameters) -> None:
    """Store the answer, and in the same statement what the task's answers add up to with it."""
    answers = [*place.other_answers, value]
    decision = kind_named(place.kind).consensus(answers, place.labels)
    # Whoever waited for the lock may have asked the clock first: the latest instant stands.
    last_at = max(now, place.others_last_at or now)
    settled_at = last_at if len(answers) >= place.needed else None
    row = consensus_row(place.task_id, place.campaign_id, decision, len(answers), settled_at)
    parameters |= {"value": orjson.dumps(value).decode(), "now": now} | upsert_parameters(row)
    statement.first_row(parameters)
