"""Consensus rows: written with every answer, recomputable from the answers at any time."""

from collections.abc import Iterator
from datetime import datetime
from itertools import groupby
from uuid import UUID

import orjson
from django.db import connection, transaction

from annotation.kinds import kind_named
from annotation.kinds.choice import Consensus as Decision
from annotation.models import Campaign, Consensus
from annotation.services.places import lock_task

# The caller holds the task's row.
UPSERT_CONSENSUS = """
INSERT INTO annotation_consensus (task_id, campaign_id, method, label, share, votes, n_answers, settled_at)
VALUES (%(task_id)s, %(campaign_id)s, %(method)s, %(label)s, %(share)s, %(votes)s, %(n_answers)s,
        %(settled_at)s)
ON CONFLICT (task_id) DO UPDATE
SET method = excluded.method, label = excluded.label, share = excluded.share, votes = excluded.votes,
    n_answers = excluded.n_answers, settled_at = excluded.settled_at
"""

READ_ANSWERS = """
SELECT a.task_id, t.needed, an.value::text, an.answered_at
FROM annotation_microtask t
JOIN annotation_assignment a ON a.task_id = t.id
JOIN annotation_answer an ON an.assignment_id = a.id
WHERE t.campaign_id = %s AND t.id > %s AND t.id <= %s ORDER BY a.task_id
"""


def consensus_row(
    task_id: UUID, campaign_id: UUID, decision: Decision, n_answers: int, settled_at: datetime | None
) -> dict:
    """What is stored of a task whose n_answers add up to `decision`."""
    return {
        "task_id": task_id,
        "campaign_id": campaign_id,
        "method": decision.method,
        "label": decision.label,
        "share": decision.share,
        "votes": decision.votes,
        "n_answers": n_answers,
        "settled_at": settled_at,
    }


def upsert_parameters(row: dict) -> dict:
    return row | {"votes": orjson.dumps(row["votes"]).decode()}


def recompute_consensus(campaign: Campaign, *, check: bool = False) -> Iterator[tuple[int, int]]:
    """Compute every consensus row again from the answers, in batches; yields (tasks seen, differences).

    With `check` nothing is written. Each task that seems to differ is locked and computed afresh: answers
    which arrive meanwhile are neither lost nor taken for differences.
    """
    kind = kind_named(campaign.kind)
    for first, last in _task_ranges(campaign):
        differences = 0
        expected = _expected(campaign, kind, first, last)
        stored = {
            row["task_id"]: row
            for row in Consensus.objects.filter(
                campaign=campaign, task_id__gt=first, task_id__lte=last
            ).values()
        }
        for task_id in expected.keys() | stored.keys():
            if expected.get(task_id) != stored.get(task_id):
                differences += _differs(campaign, kind, task_id, mend=not check)
        yield len(expected), differences


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


def _expected(campaign: Campaign, kind, first: UUID, last: UUID) -> dict[UUID, dict]:
    with connection.cursor() as cursor:
        cursor.execute(READ_ANSWERS, [campaign.pk, first, last])
        rows = cursor.fetchall()
    return {
        task_id: _expected_row(campaign, kind, task_id, list(group))
        for task_id, group in groupby(rows, key=lambda row: row[0])
    }


def _expected_row(campaign: Campaign, kind, task_id: UUID, answers: list[tuple]) -> dict:
    decision = kind.consensus([orjson.loads(value) for _, _, value, _ in answers], campaign.labels)
    needed, n_answers = answers[0][1], len(answers)
    settled_at = max(at for *_, at in answers) if n_answers >= needed else None
    return consensus_row(task_id, campaign.pk, decision, n_answers, settled_at)


@transaction.atomic
def _differs(campaign: Campaign, kind, task_id: UUID, *, mend: bool) -> bool:
    with connection.cursor() as cursor:
        lock_task(task_id)
        row = _expected(campaign, kind, UUID(int=task_id.int - 1), task_id).get(task_id)
        stored = Consensus.objects.filter(pk=task_id)
        if row == stored.values().first():
            return False
        if mend and row is None:
            stored.delete()
        elif mend:
            cursor.execute(UPSERT_CONSENSUS, upsert_parameters(row))
        return True
