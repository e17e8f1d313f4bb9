"""THE SEAM between people and models: consensus goes out, texts go out, priorities and opinions come back.

`training` uses these functions and nothing else of `annotation`. There is no call back.
"""

import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from uuid import UUID

import orjson
from django.db import connection, transaction
from django.db.models import Count, F

from annotation.kinds import kind_named
from annotation.models import Answer, Campaign, Consensus, Gold, Opinion, Suggestion, User
from annotation.services.export import harmless
from annotation.services.file_texts import texts_in_file
from annotation.services.gold import import_gold
from annotation.services.intake.refusals import SENTENCES, Refusal, Tally
from annotation.services.open_tasks import (
    CrowdSays,
    OpenTasks,
    answer_times,
    crowds_of_open_tasks,
    minutes_spent,
    open_tasks,
    packed_ids,
)
from annotation.services.places import TASK_TEXTS
from annotation.services.simulation import simulate_answers
from annotation.services.staging import copy_json
from annotation.services.suggestions import set_suggestions

__all__ = [
    "SENTENCES",
    "CrowdSays",
    "GoldExample",
    "LabelledExample",
    "OpenTasks",
    "Question",
    "Refusal",
    "Tally",
    "TaskText",
    "answer_times",
    "count_new_labels",
    "crowds_of_open_tasks",
    "gold_examples",
    "harmless",
    "head_of",
    "hears_models",
    "import_gold",
    "is_of_pairs",
    "labelled_examples",
    "minutes_spent",
    "open_tasks",
    "packed_ids",
    "question_of",
    "readable_texts",
    "records_spoken_of",
    "set_opinions",
    "set_priorities",
    "set_suggestions",
    "show_opinion",
    "simulate_answers",
    "take_back",
    "texts_in_file",
    "texts_of",
    "unlabelled_texts",
]

COPIED = 100_000  # rows sent at a time
CHUNK = 2000  # rows locked at a time while volunteers go on claiming


@dataclass(frozen=True, slots=True)
class Question:
    """What a campaign asks: its kind of task and its labels, as the campaign has them."""

    kind: str
    labels: list[dict]


@dataclass(frozen=True, slots=True)
class LabelledExample:
    """`value` is the consensus in the kind's form of an answer, or what a reviewer decided (is_expert)."""

    task_id: UUID
    record_id: UUID
    record_name: str
    text: str
    second: str | None  # of a pair
    value: dict
    votes: dict[str, int]
    posterior: dict[str, float] | None
    certainty: float  # of `value`, by the campaign's method
    n_answers: int
    is_expert: bool
    metadata: dict  # the record's other columns


@dataclass(frozen=True, slots=True)
class TaskText:
    task_id: UUID
    record_id: UUID
    text: str
    second: str | None  # of a pair


@dataclass(frozen=True, slots=True)
class GoldExample:
    """A task whose right answer a file gave."""

    task_id: UUID
    record_id: UUID
    record_name: str  # its external id, the same in every campaign that has the record
    text: str
    second: str | None
    label: str  # empty where the kind's answer is not one label
    value: dict
    metadata: dict


LABELLED = f"""
SELECT t.id, t.record_id, r.external_id, {TASK_TEXTS}, coalesce(g.value, s.value), s.votes, s.posterior,
       coalesce(s.certainty, s.share), s.n_answers, g.task_id IS NOT NULL, r.metadata
FROM annotation_consensus s
JOIN annotation_microtask t ON t.id = s.task_id
JOIN annotation_record r ON r.id = t.record_id
LEFT JOIN annotation_gold g ON g.task_id = t.id AND g.decided_at IS NOT NULL
WHERE s.campaign_id = %s AND s.settled_at <= %s AND coalesce(g.value, s.value) IS NOT NULL AND NOT t.held
  AND t.id > %s
ORDER BY t.id LIMIT %s
"""  # nosec B608 # TASK_TEXTS is a constant

GOLD = f"""
SELECT t.id, t.record_id, r.external_id, {TASK_TEXTS}, g.label, g.value, r.metadata
FROM annotation_gold g
JOIN annotation_microtask t ON t.id = g.task_id
JOIN annotation_record r ON r.id = t.record_id
WHERE g.campaign_id = %s AND g.origin = %s AND NOT t.held AND t.id > %s
ORDER BY t.id LIMIT %s
"""  # nosec B608 # TASK_TEXTS is a constant

UNLABELLED = f"""
SELECT t.id, t.record_id, {TASK_TEXTS}
FROM annotation_microtask t JOIN annotation_record r ON r.id = t.record_id
WHERE t.campaign_id = %s AND t.is_open AND t.id > %s ORDER BY t.id LIMIT %s
"""  # nosec B608 # TASK_TEXTS is a constant

READABLE = f"""
SELECT t.id, t.record_id, {TASK_TEXTS}
FROM annotation_microtask t JOIN annotation_record r ON r.id = t.record_id
WHERE t.campaign_id = %s AND NOT t.held AND t.id > %s ORDER BY t.id LIMIT %s
"""  # nosec B608 # TASK_TEXTS is a constant

TEXTS_OF = f"""
SELECT t.id, t.record_id, {TASK_TEXTS}
FROM annotation_microtask t JOIN annotation_record r ON r.id = t.record_id
WHERE t.id = ANY(%s) ORDER BY t.id
"""  # nosec B608 # TASK_TEXTS is a constant


def labelled_examples(
    campaign_id: UUID, *, settled_by: datetime, batch: int = 2000
) -> Iterator[LabelledExample]:
    """Settled, untied consensus of records that are not held, by task id; a reviewer's word goes before it.

    Read in pages: one long query would keep dead rows of the hot tables from being cleaned.
    """
    campaign = Campaign.objects.get(pk=campaign_id)
    kind = kind_named(campaign.kind)
    for row in _pages(LABELLED, [campaign_id, settled_by], batch):
        example = LabelledExample(*map(_parsed, row, LABELLED_JSON))
        # A reviewer may have decided for a label that was taken out of the campaign since.
        if kind.counts(example.value, campaign.labels):
            yield example


JSON_COLUMNS = ("value", "votes", "posterior", "metadata")
LABELLED_JSON = [name in JSON_COLUMNS for name in LabelledExample.__slots__]
GOLD_JSON = [name in JSON_COLUMNS for name in GoldExample.__slots__]


def _parsed(column: object, is_json: bool) -> object:
    """Django leaves JSON columns of a plain cursor as they are written."""
    return orjson.loads(column) if is_json and column is not None else column


def head_of(campaign: Campaign) -> str | None:
    """How models learn answers of the campaign's kind, by the name of their head; None where none does."""
    return kind_named(campaign.kind).head


def is_of_pairs(campaign: Campaign) -> bool:
    """Whether a task has two texts, which are compared."""
    return kind_named(campaign.kind).of_pairs


def question_of(campaign_id: UUID) -> Question:
    campaign = Campaign.objects.get(pk=campaign_id)
    return Question(campaign.kind, campaign.labels)


def count_new_labels(campaign_id: UUID, *, since: datetime | None) -> int:
    """Consensus labels settled after `since` (all of them if None). Ties and labels that were taken out teach
    nothing and don't count."""
    campaign = Campaign.objects.get(pk=campaign_id)
    settled = Consensus.objects.filter(campaign=campaign).settled()
    settled = settled.filter(settled_at__gt=since) if since else settled
    by_answers = settled.exclude(task__gold__decided_at__isnull=False).filter(value__isnull=False)
    # The label is empty where an answer is not one; what answers add up to is judged again without the label.
    n_by_answers = by_answers.filter(label__in=[*campaign.label_names, ""]).count()
    decided = settled.filter(task__gold__decided_at__isnull=False).values_list("task__gold__value")
    kind = kind_named(campaign.kind)
    return n_by_answers + sum(
        n for value, n in decided.annotate(n=Count("pk")) if kind.counts(value, campaign.labels)
    )


def gold_examples(campaign_id: UUID) -> list[GoldExample]:
    """Tasks whose right answer a file gave, by task id: for measuring. What a reviewer decided is a label."""
    campaign = Campaign.objects.get(pk=campaign_id)
    kind = kind_named(campaign.kind)
    rows = _pages(GOLD, [campaign_id, Gold.Origin.FILE], 2000)
    examples = (GoldExample(*map(_parsed, row, GOLD_JSON)) for row in rows)
    return [example for example in examples if kind.counts(example.value, campaign.labels)]


def unlabelled_texts(campaign_id: UUID, *, batch: int = 2000) -> Iterator[TaskText]:
    """Texts of the tasks that still want answers, by task id, in pages."""
    for row in _pages(UNLABELLED, [campaign_id], batch):
        yield TaskText(*row)


def readable_texts(campaign_id: UUID, *, batch: int = 2000) -> Iterator[TaskText]:
    """Texts of all tasks, answered or not, of records that are not held, by task id, in pages."""
    for row in _pages(READABLE, [campaign_id], batch):
        yield TaskText(*row)


def texts_of(task_ids: Sequence[UUID]) -> list[TaskText]:
    """Texts of these tasks, by task id; of a task that is gone, none."""
    with connection.cursor() as cursor:
        cursor.execute(TEXTS_OF, [list(task_ids)])
        return [TaskText(*row) for row in cursor.fetchall()]


def show_opinion(task_id: UUID, user: User, *, now: datetime) -> None:
    """Note that a volunteer sees what a model makes of a text they have answered: the answer stands."""
    own = Answer.objects.filter(assignment__task=task_id, assignment__volunteer__user=user)
    own.filter(opinion_shown_at__isnull=True).update(opinion_shown_at=now)


def _pages(sql: str, parameters: list, batch: int) -> Iterator[tuple]:
    last = UUID(int=0)
    while True:
        with connection.cursor() as cursor:
            cursor.execute(sql, [*parameters, last, batch])
            rows = cursor.fetchall()
        yield from rows
        if len(rows) < batch:
            return
        last = rows[-1][0]


def set_priorities(
    campaign_id: UUID, priorities: Iterable[tuple[UUID, float]], *, run: int, now: datetime
) -> int:
    """Write the priorities that run number `run` gave (0: no model yet); returns how many tasks took them.

    COPY into a staging table, then UPDATE a few thousand rows at a time: one statement over a million
    rows would hold them all locked, and volunteers would find an empty queue until it ended. What a later
    run gave is never overwritten. At the end volunteers' cursors start again at the queue's head.
    """
    with connection.cursor() as cursor:
        n_staged = _stage(cursor, priorities)
        n_written = sum(_write_chunk(cursor, campaign_id, run, first) for first in range(0, n_staged, CHUNK))
        cursor.execute("DROP TABLE staged_priority")
    Campaign.objects.filter(pk=campaign_id, ordered_by_run__lte=run).update(
        ordered_by_run=run, ordered_at=now, queue_epoch=F("queue_epoch") + 1
    )
    return n_written


def _stage(cursor, priorities: Iterable[tuple[UUID, float]]) -> int:
    cursor.execute("DROP TABLE IF EXISTS staged_priority")
    cursor.execute(
        "CREATE TEMPORARY TABLE staged_priority (n serial PRIMARY KEY, task_id uuid, priority float8)"
    )
    left = iter(priorities)
    while lines := "".join(f"{task_id}\t{priority!r}\n" for task_id, priority in islice(left, COPIED)):
        cursor.copy_expert("COPY staged_priority (task_id, priority) FROM STDIN", io.StringIO(lines))
    cursor.execute("ANALYZE staged_priority")
    cursor.execute("SELECT count(*) FROM staged_priority")
    return cursor.fetchone()[0]


WRITE_OPINIONS = """
INSERT INTO annotation_opinion (task_id, campaign_id, version, probabilities)
SELECT t.id, t.campaign_id, %(version)s, s.probabilities
FROM staged_opinion s JOIN annotation_microtask t ON t.id = s.task_id AND t.campaign_id = %(campaign)s
ON CONFLICT (task_id) DO UPDATE SET version = excluded.version, probabilities = excluded.probabilities
WHERE annotation_opinion.version <= excluded.version
"""


def hears_models(campaign_id: UUID) -> bool:
    """Whether a model's opinions are of use: answers are weighed, the kind knows how to weigh a model, and
    people do not begin with what one marked: with them it would be heard twice."""
    campaign = Campaign.objects.get(pk=campaign_id)
    is_weighed = campaign.weighs_volunteers and kind_named(campaign.kind).hears_models
    return is_weighed and not campaign.preannotates


@transaction.atomic
def set_opinions(campaign_id: UUID, opinions: Iterable[tuple[UUID, dict]], *, version: int) -> int:
    """Keep what a model thinks of tasks that it was not trained on; returns how many it kept.

    opinions: by task, as Kind.decide takes them. The caller leaves out what the model has learned from: the
    engine weighs a model by tasks that it never saw. `version` is the number of the run that asked it; what
    an earlier run asked never overwrites what a later one did.
    """
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE staged_opinion (task_id uuid, probabilities jsonb)")
        copy_json(cursor, "staged_opinion", opinions)
        cursor.execute(WRITE_OPINIONS, {"campaign": campaign_id, "version": version})
        n_kept = cursor.rowcount
        cursor.execute("DROP TABLE staged_opinion")
    Campaign.objects.filter(pk=campaign_id).update(is_to_be_judged=True)
    return n_kept


def records_spoken_of(campaign_id: UUID) -> list[UUID]:
    """The records in whose tasks an opinion or marks of a model are kept, each once."""
    kept = (model.objects.filter(campaign=campaign_id) for model in (Opinion, Suggestion))
    opinions, suggestions = (rows.values_list("task__record", flat=True) for rows in kept)
    return list(opinions.union(suggestions))


@transaction.atomic
def take_back(campaign_id: UUID, record_ids: Sequence[UUID]) -> int:
    """Forget what any model said of tasks of these records; returns how many opinions and suggestions went.

    What was on whose page when they answered stays on their assignment.
    """
    said = {"campaign": campaign_id, "task__record__in": record_ids}
    n_opinions, _ = Opinion.objects.filter(**said).delete()
    n_suggestions, _ = Suggestion.objects.filter(**said).delete()
    if n_opinions:
        Campaign.objects.filter(pk=campaign_id).update(is_to_be_judged=True)
    return n_opinions + n_suggestions


# Locked by task id, the order of everyone who locks several tasks and waits: no deadlock with them.
WRITE_CHUNK = """
WITH locked AS MATERIALIZED (
    SELECT t.id, s.priority FROM staged_priority s JOIN annotation_microtask t ON t.id = s.task_id
    WHERE s.n > %(first)s AND s.n <= %(first)s + %(chunk)s
      AND t.campaign_id = %(campaign)s AND t.priority_run <= %(run)s
    ORDER BY t.id
    FOR NO KEY UPDATE OF t
)
UPDATE annotation_microtask t SET priority = locked.priority, priority_run = %(run)s
FROM locked WHERE t.id = locked.id
"""


def _write_chunk(cursor, campaign_id: UUID, run: int, first: int) -> int:
    """A transaction of its own: the rows are free again after some tens of milliseconds."""
    cursor.execute(WRITE_CHUNK, {"run": run, "first": first, "chunk": CHUNK, "campaign": campaign_id})
    return cursor.rowcount
