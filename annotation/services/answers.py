"""Answers: recorded once, counted in the same transaction, mended with their history kept."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from uuid import UUID

import orjson
from django.db import connection, transaction

from annotation.errors import (
    AlreadyAnswered,
    AnswerStands,
    CampaignPaused,
    InvalidAnswer,
    KeyReused,
    LeaseExpired,
    NotFound,
    NotOpen,
    RecordHeld,
    TakenOut,
)
from annotation.kinds import Given, kind_named
from annotation.models import Campaign, User
from annotation.services.consensus import CROWD_GATE, UPSERT_CONSENSUS, crowd_parameters, upsert_parameters
from annotation.services.judging import CountedAnswer, Rules, TaskState, judge, stopping_rule
from annotation.services.prepared import PreparedStatement

# The task's row is locked first; what hangs on it is then read by a statement of its own,
# because a statement that waited for a lock still sees the other tables as they were before.
# The gate comes before the lock: whoever waits at it holds no task that somebody inside could wait for.
LOCK_TASK = PreparedStatement(
    "lock_task",
    f"""
WITH seat AS MATERIALIZED (
    SELECT a.task_id, v.id AS volunteer_id,
           CASE WHEN c.aggregation <> 'majority'
                THEN pg_advisory_xact_lock_shared({CROWD_GATE.format(campaign='c.id')})::text END AS gate
    FROM annotation_assignment a
    JOIN annotation_volunteer v ON v.id = a.volunteer_id
    JOIN annotation_campaign c ON c.id = v.campaign_id
    WHERE a.id = %(assignment)s AND v.user_id = %(user)s
)
SELECT t.id, t.campaign_id, t.needed, t.taken, t.cap, t.held, t."end" - t.start, c.state, c.kind,
       c.labels::text, c.aggregation, c.stopping, c.stop_certainty, c.needed, c.most_answers, c.audit_share,
       c.asks_certainty, seat.volunteer_id, seat.gate
FROM seat
JOIN annotation_microtask t ON t.id = seat.task_id
JOIN annotation_campaign c ON c.id = t.campaign_id
FOR NO KEY UPDATE OF t
""",  # nosec B608 # a number of our own
)

# `others` are the answers that count; what each is worth comes along only where volunteers are weighed.
# The standing is read under the lock: whoever takes a volunteer's answers out of the count goes from lock to
# lock after it changed, so that none is counted by the old standing behind their back.
READ = """
SELECT a.state, v.standing, v.taken_out_at IS NOT NULL, a.claimed_at, own.key, own.value::text, own.certain,
       others.answers, others.n_ignored, coalesce(s.audited, false), coalesce(s.review = 'unclear', false),
       g.decided_at, coalesce(g.origin = 'file', false), s.settled_at,
       coalesce(own.opinion_shown_at IS NOT NULL OR a.closed_at <= v.trained_at
                OR v.asked_to_train_at > coalesce(v.trained_at, '-infinity'), false){own_skill}
FROM annotation_assignment a
JOIN annotation_volunteer v ON v.id = a.volunteer_id
LEFT JOIN annotation_answer own ON own.assignment_id = a.id
LEFT JOIN annotation_consensus s ON s.task_id = a.task_id
LEFT JOIN annotation_gold g ON g.task_id = a.task_id
{join_own_skill}
CROSS JOIN LATERAL (
    SELECT coalesce(json_agg(json_build_array(b.id, an.value, an.certain,
                                              extract(epoch FROM an.answered_at){others_skill}))
                    FILTER (WHERE an.weighs), '[]')::text AS answers,
           count(*) FILTER (WHERE NOT an.weighs) AS n_ignored
    FROM annotation_assignment b JOIN annotation_answer an ON an.assignment_id = b.id
    {join_others_skill}
    WHERE b.task_id = a.task_id AND b.id <> a.id
) others
WHERE a.id = %(assignment)s
"""
READ_ANSWERS = PreparedStatement(
    "read_answers", READ.format(own_skill="", join_own_skill="", others_skill="", join_others_skill="")
)
READ_WEIGHED_ANSWERS = PreparedStatement(
    "read_weighed_answers",
    READ.format(
        own_skill=""", k.parameters::text, coalesce(k.n_answers, 0), o.probabilities::text,
       c.crowd_version""",
        # Whoever had no part in the fit in force is unknown: an older fit's parameters may be of other form.
        join_own_skill="""JOIN annotation_campaign c ON c.id = v.campaign_id
LEFT JOIN annotation_skill k ON k.volunteer_id = a.volunteer_id AND k.version = c.crowd_version
LEFT JOIN annotation_opinion o ON o.task_id = a.task_id""",
        others_skill=", k.parameters, coalesce(k.n_answers, 0)",
        join_others_skill="""LEFT JOIN annotation_skill k
        ON k.volunteer_id = b.volunteer_id AND k.version = c.crowd_version""",
    ),
)

READ_TEXT = """
SELECT substr(r.text, t.start + 1, t."end" - t.start)
FROM annotation_microtask t JOIN annotation_record r ON r.id = t.record_id WHERE t.id = %s
"""

RECORD_ANSWER = PreparedStatement(
    "record_answer",
    f"""
WITH answer AS (
    INSERT INTO annotation_answer
        (assignment_id, key, value, certain, weighs, answered_at, seconds, n_revisions)
    VALUES (%(assignment)s, %(key)s, %(value_given)s, %(certain)s, %(weighs)s, %(now)s, %(seconds)s, 0)
), closed AS (
    UPDATE annotation_assignment SET state = 'answered', closed_at = %(now)s WHERE id = %(assignment)s
), task AS (
    UPDATE annotation_microtask SET taken = %(taken)s, needed = %(needed)s
    WHERE id = %(task)s AND (taken, needed) <> (%(taken)s, %(needed)s)
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
    INSERT INTO annotation_answerrevision (answer_id, key, value, certain, replaced_at)
    SELECT assignment_id, key, value, certain, %(now)s::timestamptz FROM annotation_answer
    WHERE assignment_id = %(assignment)s
), revised AS (
    UPDATE annotation_answer
    SET key = %(key)s, value = %(value_given)s, certain = %(certain)s, answered_at = %(now)s,
        n_revisions = n_revisions + 1
    WHERE assignment_id = %(assignment)s
), task AS (
    UPDATE annotation_microtask SET needed = %(needed)s WHERE id = %(task)s AND needed <> %(needed)s
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

    assignment_id: UUID
    rules: Rules
    task: TaskState
    length: int
    held: bool
    is_open: bool
    asks_certainty: bool
    volunteer_id: UUID
    standing: str
    taken_out: bool
    state: str
    claimed_at: datetime
    own_key: UUID | None
    own_value: dict | None
    own_certain: bool | None
    own_skill: dict | None
    own_n_fitted: int
    others: list[CountedAnswer]
    stands: bool  # what others or a model make of it has been shown, or is about to be


@transaction.atomic
def submit_answer(
    assignment_id: UUID,
    user: User,
    raw_answer: object,
    *,
    key: UUID,
    now: datetime,
    certain: bool | None = None,
) -> Submission:
    """Record the volunteer's answer for the place they hold, once.

    The same key and answer again: the same reply. The same key with another answer: KeyReused.
    After the lease ran out the answer still counts while the task has room, else LeaseExpired.
    `certain` says whether they were sure, where the campaign asks.
    """
    place = _lock_place(assignment_id, user)
    value = _parse(place, raw_answer, certain)
    if place.own_key is not None:
        return _repeat(place, value, certain, key)
    if place.taken_out:
        raise TakenOut()
    if not place.is_open:
        raise CampaignPaused()
    if place.state == "skipped":
        raise NotOpen()
    late = place.state == "expired"
    if late and not _has_room(place.task):
        raise LeaseExpired()
    if late and place.held:
        raise RecordHeld()
    weighs = place.standing == "trusted"
    taken = place.task.taken + late
    task = replace(
        place.task,
        taken=taken,
        needed=max(place.task.needed, taken),
        n_ignored=place.task.n_ignored + (not weighs),
    )
    _write(
        RECORD_ANSWER,
        place,
        task,
        value,
        certain,
        now,
        weighs=weighs,
        key=key,
        taken=task.taken,
        volunteer=place.volunteer_id,
        day=now.date(),
        seconds=max(0.0, (now - place.claimed_at).total_seconds()),
    )
    return Submission(place.rules.campaign_id, repeated=False)


@transaction.atomic
def revise_answer(
    assignment_id: UUID,
    user: User,
    raw_answer: object,
    *,
    key: UUID,
    now: datetime,
    certain: bool | None = None,
) -> Submission:
    """Replace the volunteer's own answer; the earlier one is kept as a revision. Idempotent by key."""
    place = _lock_place(assignment_id, user)
    value = _parse(place, raw_answer, certain)
    if place.own_key is None:
        raise NotOpen("There is no answer yet to change.", code="not_answered")
    if place.own_key == key or _revision(assignment_id, key) is not None:
        return _repeat(place, value, certain, key)
    if place.taken_out:
        raise TakenOut()
    if not place.is_open:
        raise CampaignPaused()
    if place.stands:
        raise AnswerStands()
    weighs = place.standing == "trusted"
    task = place.task if weighs else replace(place.task, n_ignored=place.task.n_ignored + 1)
    _write(REVISE_ANSWER, place, task, value, certain, now, weighs=weighs, key=key)
    return Submission(place.rules.campaign_id, repeated=False)


def _has_room(task: TaskState) -> bool:
    """For a late answer. Hidden gold makes room, as it does at the claim: a refusal would tell it apart."""
    return task.taken < (task.cap if task.is_known else task.needed)


def _parse(place: Place, raw_answer: object, certain: bool | None) -> dict:
    if certain is not None and not place.asks_certainty:
        raise InvalidAnswer("This campaign does not ask whether you are sure.", code="certainty_not_asked")
    return kind_named(place.rules.kind).parse_answer(raw_answer, place.rules.labels, place.length)


def _lock_place(assignment_id: UUID, user: User) -> Place:
    row = LOCK_TASK.first_row({"assignment": assignment_id, "user": user.pk})
    if row is None:
        raise NotFound()
    (task_id, campaign_id, needed, taken, cap, held, length, state, kind, labels, aggregation,
     stopping, stop_certainty, first, most, audit_share, asks_certainty, volunteer_id, _) = row  # fmt: skip
    rule = stopping_rule(stopping, certainty=stop_certainty, first=first, most=most, audit_share=audit_share)
    is_weighed = aggregation != Campaign.Aggregation.MAJORITY
    row = (READ_WEIGHED_ANSWERS if is_weighed else READ_ANSWERS).first_row({"assignment": assignment_id})
    (own_state, standing, taken_out, claimed_at, own_key, own_value, own_certain, others, n_ignored, audited,
     is_unclear, decided_at, is_known, settled_at, stands, *own_skill) = row  # fmt: skip
    own_parameters, own_n_fitted, opinion, version = own_skill or (None, 0, None, 0)
    crowd = crowd_parameters(campaign_id, version, aggregation) if version else None
    rules = Rules(campaign_id, kind, orjson.loads(labels), first, aggregation, version, crowd, rule)
    text = _text(task_id) if kind_named(kind).needs_text else ""
    return Place(
        assignment_id=assignment_id,
        rules=rules,
        task=TaskState(
            task_id,
            needed,
            taken,
            cap,
            n_ignored,
            audited,
            is_unclear,
            decided_at,
            is_known,
            text,
            opinion and orjson.loads(opinion),
            settled_at,
        ),
        length=length,
        held=held,
        is_open=state == Campaign.State.OPEN,
        asks_certainty=asks_certainty,
        volunteer_id=volunteer_id,
        standing=standing,
        taken_out=taken_out,
        state=own_state,
        claimed_at=claimed_at,
        own_key=own_key,
        own_value=own_value and orjson.loads(own_value),
        own_certain=own_certain,
        own_skill=own_parameters and orjson.loads(own_parameters),
        own_n_fitted=own_n_fitted,
        others=[_counted(*fields) for fields in orjson.loads(others)],
        stands=stands,
    )


def _counted(
    assignment_id: str,
    value: dict,
    certain: bool | None,
    seconds: float,
    skill: dict | None = None,
    n_fitted: int = 0,
) -> CountedAnswer:
    at = datetime.fromtimestamp(seconds, tz=UTC)
    return CountedAnswer(UUID(assignment_id), Given(value, skill, certain), at, n_fitted)


def _text(task_id: UUID) -> str:
    with connection.cursor() as cursor:
        cursor.execute(READ_TEXT, [task_id])
        return cursor.fetchone()[0]


def _repeat(place: Place, value: dict, certain: bool | None, key: UUID) -> Submission:
    """An answer stands already: was it this one?"""
    earlier = (place.own_value, place.own_certain)
    if key != place.own_key:
        earlier = _revision(place.assignment_id, key)
    if earlier is None:
        raise AlreadyAnswered()
    if earlier != (value, certain):
        raise KeyReused()
    return Submission(place.rules.campaign_id, repeated=True)


def _revision(assignment_id: UUID, key: UUID) -> tuple[dict, bool | None] | None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT value::text, certain FROM annotation_answerrevision WHERE answer_id = %s AND key = %s",
            [assignment_id, key],
        )
        row = cursor.fetchone()
    return row and (orjson.loads(row[0]), row[1])


def _write(
    statement: PreparedStatement,
    place: Place,
    task: TaskState,
    value: dict,
    certain: bool | None,
    now: datetime,
    *,
    weighs: bool,
    **parameters,
) -> None:
    """Store the answer, and in the same statement what the task's answers add up to with it."""
    answers = list(place.others)
    if weighs:
        given = Given(value, place.own_skill, certain)
        answers.append(CountedAnswer(place.assignment_id, given, now, place.own_n_fitted))
    judgement = judge(place.rules, task, answers, now=now)
    parameters |= {
        "assignment": place.assignment_id,
        "task": task.task_id,
        "needed": judgement.needed,
        "value_given": orjson.dumps(value).decode(),
        "certain": certain,
        "weighs": weighs,
        "now": now,
    }
    statement.first_row(parameters | upsert_parameters(judgement.row))
