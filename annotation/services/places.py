"""A place in a task as the volunteer's page shows it: the text, its context, the question."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import orjson
from django.db import connection
from django.db.models import QuerySet

from annotation.kinds.pairs import BETWEEN
from annotation.models import MicroTask
from annotation.services.suggestions import shown_spans

CONTEXT_LENGTH = 600  # code points shown before and after a sentence

# A task's text, and of a pair its first; then a pair's second text, else null.
TASK_TEXTS = f"""substr(r.text, t.start + 1, coalesce(t.divider - {len(BETWEEN)}, t."end") - t.start),
       substr(r.text, t.divider + 1, t."end" - t.divider)"""

# `{places}` names rows of assignments, or what a statement has just made of one.
READ_PLACES = f"""
SELECT a.id, a.expires_at, t.id, c.kind, c.question, c.labels::text, t.section,
       {TASK_TEXTS},
       substr(r.text, greatest(1, t.start + 1 - {CONTEXT_LENGTH}), least(t.start, {CONTEXT_LENGTH})),
       substr(r.text, t."end" + 1, {CONTEXT_LENGTH}), CASE WHEN a.suggested THEN a.suggestion END::text
FROM {{places}} a
JOIN annotation_microtask t ON t.id = a.task_id
JOIN annotation_record r ON r.id = t.record_id
JOIN annotation_campaign c ON c.id = t.campaign_id
"""  # nosec B608 # constants of this module
READ_ASSIGNMENTS = READ_PLACES.format(places="annotation_assignment") + "WHERE a.id = ANY(%s)"


LOCK_TASKS = "SELECT 1 FROM annotation_microtask WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE"

# Places that are given back go out again, but where nobody else is wanted: hidden gold had made room, the
# task was done before they came back, or a reviewer has decided. What was answered and does not count is
# wanted from somebody else.
TAKE_BACK = """
WITH given_back AS (
    SELECT task_id, count(*) AS n FROM unnest(%s::uuid[]) AS task_id GROUP BY task_id
), wanted AS (
    SELECT b.task_id, b.n,
           CASE WHEN g.decided_at IS NOT NULL THEN 0
                WHEN c.stopping = 'fixed' AND g.origin = 'file' THEN c.needed - coalesce(s.n_answers, 0) + (
                         SELECT count(*) FROM annotation_assignment a
                         WHERE a.task_id = b.task_id AND a.state = 'answered')
                WHEN c.stopping = 'adaptive' AND s.settled_at IS NOT NULL THEN
                         CASE WHEN s.audited THEN t.taken - b.n + 1 ELSE 0 END
                WHEN c.stopping = 'adaptive' AND s.review = 'undecided' THEN 0
                ELSE t.needed END AS needed
    FROM given_back b
    JOIN annotation_microtask t ON t.id = b.task_id
    JOIN annotation_campaign c ON c.id = t.campaign_id
    LEFT JOIN annotation_consensus s ON s.task_id = t.id
    LEFT JOIN annotation_gold g ON g.task_id = t.id
)
UPDATE annotation_microtask t
SET taken = t.taken - w.n, needed = t.needed - least(w.n, greatest(0, t.needed - w.needed))
FROM wanted w WHERE t.id = w.task_id
"""


@dataclass(frozen=True, slots=True)
class Handout:
    """A place in a task: everything that the volunteer's page shows. `second` is a pair's other text.

    `suggestion` holds the spans that the page begins with: {start, end, label}, offsets in code points.
    """

    assignment_id: UUID
    expires_at: datetime
    task_id: UUID
    kind: str
    question: str
    labels: list[dict]
    section: str
    text: str
    second: str | None
    before: str
    after: str
    suggestion: list[dict]


def lock_task(task_id: UUID) -> None:
    """Hold the row that holds the predicate, until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM annotation_microtask WHERE id = %s FOR NO KEY UPDATE", [task_id])


def lock_tasks(task_ids: Iterable[UUID]) -> None:
    """Several of them, by id: the order of everyone who locks several tasks and waits."""
    with connection.cursor() as cursor:
        cursor.execute(LOCK_TASKS, [list(task_ids)])


def take_back(task_ids: list[UUID]) -> None:
    """Take back one place for each of these, in which a task may stand several times.

    The caller has locked the tasks, by a statement of its own, and closed the assignments.
    """
    with connection.cursor() as cursor:
        cursor.execute(TAKE_BACK, [task_ids])


def set_held(records: QuerySet, *, held: bool) -> int:
    """Hold records or let them go, with their tasks, which follow by the database's rule; returns how many.

    The caller has locked the records. Their tasks are locked by id first, the order of everyone who locks
    several tasks and waits: the rule itself would lock them in whatever order it meets them.
    """
    tasks = MicroTask.objects.filter(record__in=records.values("pk")).order_by("pk")
    locked = tasks.select_for_update(no_key=True).values_list("pk", flat=True)
    deque(locked.iterator(chunk_size=10_000), maxlen=0)  # there may be a million: none is kept
    return records.update(held=held)


def read_handouts(assignment_ids: list[UUID]) -> list[Handout]:
    """The caller has made sure that these places are the reader's own."""
    with connection.cursor() as cursor:
        cursor.execute(READ_ASSIGNMENTS, [assignment_ids])
        return [handout_from_row(row) for row in cursor.fetchall()]


def handout_from_row(row: tuple) -> Handout:
    *fields, raw_labels, section, text, second, before, after, raw_spans = row
    labels = orjson.loads(raw_labels)
    spans = shown_spans(orjson.loads(raw_spans), labels, len(text)) if raw_spans else []
    return Handout(*fields, labels, section, text, second, _tail(before), _head(after), spans)


def _tail(before: str) -> str:
    """Context that was cut begins at a word."""
    if len(before) < CONTEXT_LENGTH:
        return before
    return "…" + before[before.find(" ") :] if " " in before[:80] else "…" + before


def _head(after: str) -> str:
    if len(after) < CONTEXT_LENGTH:
        return after
    return after[: after.rfind(" ") + 1] + "…" if " " in after[-80:] else after + "…"
