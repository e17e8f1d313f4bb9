"""Consensus rows: written with every answer, recomputable from the answers at any time."""

from collections.abc import Iterator
from datetime import datetime
from functools import lru_cache
from itertools import groupby
from uuid import UUID

import orjson
from django.db import connection, transaction

from annotation.kinds import Given, kind_named
from annotation.models import Campaign, Consensus, CrowdFit
from annotation.services.judging import CountedAnswer, Judgement, Rules, TaskState, judge, rules_of
from annotation.services.places import lock_task

# Whoever judges by fitted parameters holds this advisory lock with others, whoever swaps them holds it alone:
# nobody judges by parameters of two fits, and a refit finds all that was judged by the one before it. Each
# campaign has its own; two whose ids hash alike wait for each other a little.
CROWD_GATE = "7220416, hashtext({campaign}::text)"

# A probability that differs by less is the same: refits write back only what moved by more.
SAME_PROBABILITY = 1e-3
# Computed from the probabilities, so they move with them.
FOLLOWING = {"certainty", "entropy", "posterior", "weights", "version"}

COLUMNS = {
    "task_id": "uuid", "campaign_id": "uuid", "method": "varchar", "version": "int", "label": "varchar",
    "value": "jsonb", "share": "float8", "votes": "jsonb", "posterior": "jsonb", "certainty": "float8",
    "entropy": "float8", "weights": "jsonb", "n_answers": "smallint", "settled_at": "timestamptz",
    "audited": "boolean", "review": "varchar",
}  # fmt: skip

# The caller holds the task's row. Without an answer that counts there is nothing to write.
UPSERT_CONSENSUS = f"""
INSERT INTO annotation_consensus ({", ".join(COLUMNS)})
SELECT {", ".join(f"%({name})s::{kind}" for name, kind in COLUMNS.items())} WHERE %(n_answers)s::smallint > 0
ON CONFLICT (task_id) DO UPDATE
SET {", ".join(f"{name} = excluded.{name}" for name in COLUMNS if name != "task_id")}
"""  # nosec B608 # names of our own

READ_TASKS = """
SELECT t.id, t.needed, t.taken, t.cap, coalesce(s.audited, false), coalesce(s.review = 'unclear', false),
       g.decided_at, coalesce(g.origin = 'file', false), s.settled_at,
       CASE WHEN %(with_text)s THEN substr(r.text, t.start + 1, t."end" - t.start) ELSE '' END,
       a.id, an.value::text, an.certain, an.weighs, an.answered_at, k.parameters::text,
       coalesce(k.n_answers, 0), o.probabilities::text
FROM annotation_microtask t
JOIN annotation_record r ON r.id = t.record_id
JOIN annotation_assignment a ON a.task_id = t.id
JOIN annotation_answer an ON an.assignment_id = a.id
LEFT JOIN annotation_skill k ON k.volunteer_id = a.volunteer_id AND %(with_skill)s AND k.version = %(version)s
LEFT JOIN annotation_consensus s ON s.task_id = t.id
LEFT JOIN annotation_opinion o ON o.task_id = t.id AND %(with_skill)s
LEFT JOIN annotation_gold g ON g.task_id = t.id
WHERE t.campaign_id = %(campaign)s AND t.id > %(first)s AND t.id <= %(last)s ORDER BY t.id
"""


def upsert_parameters(row: dict | None) -> dict:
    """The statement's parameters; without a row, those that write nothing."""
    if row is None:
        return dict.fromkeys(COLUMNS) | {"n_answers": 0}
    encoded = {
        name: None if row[name] is None else orjson.dumps(row[name]).decode()
        for name, kind in COLUMNS.items()
        if kind == "jsonb"
    }
    return row | encoded


def campaign_rules(campaign: Campaign) -> Rules:
    """The campaign's rules with the shared parameters of its latest fit."""
    crowd = None
    if campaign.weighs_volunteers and campaign.crowd_version:
        crowd = crowd_parameters(campaign.pk, campaign.crowd_version, campaign.aggregation)
    return rules_of(campaign, crowd)


@lru_cache(maxsize=64)
def crowd_parameters(campaign_id: UUID, number: int, method: str) -> dict | None:
    """What all volunteers share by a fit of this method. A fit never changes: read once a process."""
    fits = CrowdFit.objects.filter(campaign=campaign_id, number=number, method=method)
    return fits.values_list("parameters", flat=True).first()


def rules_for_now(campaign_id: UUID) -> Rules:
    """The campaign's rules, and no swap of its fit until this transaction ends. To be asked for before a task
    is locked."""
    with connection.cursor() as cursor:
        gate = CROWD_GATE.format(campaign="%s")
        cursor.execute(f"SELECT pg_advisory_xact_lock_shared({gate})", [campaign_id])
    return campaign_rules(Campaign.objects.get(pk=campaign_id))


def shut_crowd_gate(campaign_id: UUID) -> None:
    """Wait until nobody judges by the campaign's fit, and let nobody until this transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT pg_advisory_xact_lock({CROWD_GATE.format(campaign='%s')})", [campaign_id])


def recompute_consensus(
    campaign: Campaign, *, now: datetime, check: bool = False
) -> Iterator[tuple[int, int]]:
    """Judge every task again by its answers, in batches; yields (tasks seen, differences).

    With `check` nothing is written. Each task that seems to differ is locked and judged afresh: answers
    which arrive meanwhile are neither lost nor taken for differences. What becomes settled by this is so from
    `now` on; what was, since it was.
    """
    rules = campaign_rules(campaign)
    for first, last in _task_ranges(campaign):
        differences = 0
        judged = _judged(rules, first, last, now)
        stored = _stored(campaign, first, last)
        for task_id in judged.keys() | stored.keys():
            judgement = judged.get(task_id)
            if not _is_as_stored(judgement, stored.get(task_id)):
                differences += mend_task(rules, task_id, now=now, write=not check)
        yield len(judged), differences


def _stored(campaign: Campaign, first: UUID, last: UUID) -> dict[UUID, dict]:
    rows = Consensus.objects.filter(campaign=campaign, task_id__gt=first, task_id__lte=last)
    return {row["task_id"]: row for row in rows.values()}


def _is_as_stored(judgement: Judgement | None, stored: dict | None) -> bool:
    """The row and the task's need, or that there is neither; judgement: None without any answer."""
    if judgement is None or stored is None:
        return stored is None and (judgement is None or (judgement.row is None and not judgement.moves_need))
    if judgement.moves_need:
        return False
    if judgement.row is None:
        decided = (judgement.decided_at, Consensus.Review.NONE)
        return judgement.decided_at is not None and decided == (stored["settled_at"], stored["review"])
    row = judgement.row
    if any(row[name] != stored[name] for name in COLUMNS if name not in FOLLOWING):
        return False
    return stored["certainty"] is not None and abs(row["certainty"] - stored["certainty"]) <= SAME_PROBABILITY


def _task_ranges(campaign: Campaign, size: int = 5000) -> Iterator[tuple[UUID, UUID]]:
    last = UUID(int=0)
    while True:
        with connection.cursor() as cursor:
            cursor.execute(
                """SELECT id FROM (SELECT id FROM annotation_microtask WHERE campaign_id = %s AND id > %s
                ORDER BY id LIMIT %s) batch ORDER BY id DESC LIMIT 1""",
                [campaign.pk, last, size],
            )
            row = cursor.fetchone()
        if row is None:
            return
        yield last, row[0]
        last = row[0]


def _judged(rules: Rules, first: UUID, last: UUID, now: datetime) -> dict[UUID, Judgement]:
    with connection.cursor() as cursor:
        cursor.execute(
            READ_TASKS,
            {
                "campaign": rules.campaign_id,
                "first": first,
                "last": last,
                "with_text": kind_named(rules.kind).needs_text,
                "with_skill": rules.crowd is not None,
                "version": rules.version,
            },
        )
        rows = cursor.fetchall()
    return {
        task_id: _judged_task(rules, list(group), now)
        for task_id, group in groupby(rows, key=lambda row: row[0])
    }


def _judged_task(rules: Rules, rows: list[tuple], now: datetime) -> Judgement:
    (task_id, needed, taken, cap, audited, is_unclear, decided_at, is_known, settled_at, text,
     *_) = rows[0]  # fmt: skip
    answers = [
        CountedAnswer(
            assignment_id,
            Given(orjson.loads(value), skill and orjson.loads(skill), certain),
            answered_at,
            n_fitted,
        )
        for *_, assignment_id, value, certain, weighs, answered_at, skill, n_fitted, _ in rows
        if weighs
    ]
    n_ignored = len(rows) - len(answers)
    opinion = rows[0][-1] and orjson.loads(rows[0][-1])
    task = TaskState(
        task_id, needed, taken, cap, n_ignored, audited, is_unclear, decided_at, is_known, text, opinion,
        settled_at,
    )  # fmt: skip
    return judge(rules, task, answers, now=now)


@transaction.atomic
def mend_task(rules: Rules, task_id: UUID, *, now: datetime, write: bool = True) -> bool:
    """Judge one task under its lock and write what differs; says whether anything did."""
    lock_task(task_id)
    judgement = _judged(rules, UUID(int=task_id.int - 1), task_id, now).get(task_id)
    if _is_as_stored(judgement, Consensus.objects.filter(pk=task_id).values().first()):
        return False
    if write:
        _write(judgement, task_id)
    return True


def _write(judgement: Judgement | None, task_id: UUID) -> None:
    stored = Consensus.objects.filter(pk=task_id)
    if judgement is not None and judgement.decided_at is not None:
        stored.update(settled_at=judgement.decided_at, review=Consensus.Review.NONE)
    elif judgement is None or judgement.row is None:
        stored.delete()
    if judgement is None:
        return
    with connection.cursor() as cursor:
        cursor.execute(UPSERT_CONSENSUS, upsert_parameters(judgement.row))
        cursor.execute(
            "UPDATE annotation_microtask SET needed = %s WHERE id = %s AND needed <> %s",
            [judgement.needed, task_id, judgement.needed],
        )
