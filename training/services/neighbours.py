"""Settled texts that are most like a task's, by the frozen encoder's vectors."""

from dataclasses import dataclass
from uuid import UUID

import orjson
from django.db import connection

from annotation.exchange import texts_of
from annotation.models import MicroTask, User

SHOWN = 3

# An exact scan of this campaign alone. What is held is left out; a reviewer's word goes before the answers'.
# A volunteer gets tasks that they have answered, with what they said themselves: the texts are theirs to
# see, and nothing tells them what others made of them.
NEAREST = """
SELECT e.task_id, 1 - (e.vector <=> own.vector), {value}
FROM training_embedding own
JOIN training_embedding e ON e.campaign_id = own.campaign_id AND e.encoder = own.encoder
JOIN annotation_consensus s ON s.task_id = e.task_id
JOIN annotation_microtask t ON t.id = e.task_id
{join}
WHERE own.task_id = %(task)s AND e.task_id <> own.task_id AND s.settled_at IS NOT NULL AND NOT t.held
  AND {value} IS NOT NULL
ORDER BY e.vector <=> own.vector, e.task_id LIMIT %(limit)s
"""
BY_CONSENSUS = NEAREST.format(
    value="coalesce(g.value, s.value)::text",
    join="LEFT JOIN annotation_gold g ON g.task_id = e.task_id AND g.decided_at IS NOT NULL",
)
BY_OWN_ANSWERS = NEAREST.format(
    value="an.value::text",
    join="""JOIN annotation_assignment a ON a.task_id = e.task_id AND a.state = 'answered'
JOIN annotation_answer an ON an.assignment_id = a.id
JOIN annotation_volunteer v ON v.id = a.volunteer_id AND v.user_id = %(user)s""",
)


@dataclass(frozen=True, slots=True)
class Neighbour:
    """`similarity`: the cosine of the vectors, at most 1. `words`: the consensus, or the own answer."""

    task_id: UUID
    similarity: float
    words: str
    text: str
    second: str | None


def settled_neighbours(task: MicroTask, *, answered_by: User | None = None) -> list[Neighbour]:
    """The nearest settled tasks of the same campaign, nearest first; none while the text has no vector."""
    parameters = {"task": task.pk, "limit": SHOWN, "user": answered_by and answered_by.pk}
    with connection.cursor() as cursor:
        cursor.execute(BY_OWN_ANSWERS if answered_by else BY_CONSENSUS, parameters)
        rows = cursor.fetchall()
    texts = {text.task_id: text for text in texts_of([task_id for task_id, *_ in rows])}
    names = task.campaign.label_names
    return [
        Neighbour(task_id, similarity, _words(orjson.loads(value), names), text.text, text.second)
        for task_id, similarity, value in rows
        if (text := texts.get(task_id))
    ]


def _words(value: dict, names: dict[str, str]) -> str:
    """A label's name, or those of several."""
    keys = [value["label"]] if "label" in value else value["labels"]
    return ", ".join(names.get(key, key) for key in keys) or "none of the labels"
