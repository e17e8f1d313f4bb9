"""Volunteers asked to read the guideline once more: kindly, and never silently dropped."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import orjson
from django.db import connection, transaction

from annotation.kinds import kind_named
from annotation.models import Answer, Campaign, TrailEntry, User, Volunteer

EXAMPLES = 5
ANSWERS_BETWEEN = 50  # that somebody gives after a training before they may be asked again

# Only what they have answered themselves: nobody is shown a text that was not handed to them, and no gold
# that may still come. Those they got wrong come first.
READ_EXAMPLES = """
SELECT t.id, substr(r.text, t.start + 1, t."end" - t.start), an.value::text, g.value::text
FROM annotation_assignment a
JOIN annotation_answer an ON an.assignment_id = a.id
JOIN annotation_gold g ON g.task_id = a.task_id
JOIN annotation_microtask t ON t.id = a.task_id AND NOT t.held
JOIN annotation_record r ON r.id = t.record_id
WHERE a.volunteer_id = %s AND a.state = 'answered'
ORDER BY an.value = g.value, a.closed_at DESC LIMIT %s
"""


@dataclass(frozen=True, slots=True)
class SolvedExample:
    task_id: UUID
    text: str
    given: list[str]
    right: list[str]
    is_right: bool


@transaction.atomic
def ask_to_train(volunteer: Volunteer, *, by: User | None, now: datetime) -> bool:
    """Ask a volunteer to read the guideline before the next text; says whether they were asked now."""
    volunteer = Volunteer.objects.select_for_update(no_key=True).get(pk=volunteer.pk)
    if volunteer.is_to_train:
        return False
    volunteer.asked_to_train_at = now
    volunteer.save(update_fields=["asked_to_train_at"])
    _note(volunteer, by, "ask_to_train")
    return True


@transaction.atomic
def finish_training(volunteer: Volunteer, *, now: datetime) -> None:
    """They have read it and go on."""
    volunteer = Volunteer.objects.select_for_update(no_key=True).get(pk=volunteer.pk)
    if volunteer.is_to_train:
        volunteer.trained_at = now
        volunteer.save(update_fields=["trained_at"])
        _note(volunteer, volunteer.user, "finish_training")


def may_be_asked(volunteer: Volunteer) -> bool:
    """Not while they are asked, nor before they had a chance to do better."""
    if volunteer.is_to_train:
        return False
    if volunteer.trained_at is None:
        return True
    since = Answer.objects.filter(assignment__volunteer=volunteer, answered_at__gt=volunteer.trained_at)
    return since[:ANSWERS_BETWEEN].count() == ANSWERS_BETWEEN


def solved_examples(campaign: Campaign, volunteer: Volunteer) -> list[SolvedExample]:
    """A few tasks of known answer that this volunteer has answered, those with another answer first."""
    kind, names = kind_named(campaign.kind), campaign.label_names
    with connection.cursor() as cursor:
        cursor.execute(READ_EXAMPLES, [volunteer.pk, EXAMPLES])
        rows = cursor.fetchall()
    examples = []
    for task_id, text, raw_given, raw_right in rows:
        given, right = orjson.loads(raw_given), orjson.loads(raw_right)
        words = kind.lines(given, names, text), kind.lines(right, names, text)
        examples.append(SolvedExample(task_id, text, *words, kind.score(given, right) == 1))
    return examples


def _note(volunteer: Volunteer, by: User | None, verb: str) -> None:
    detail = {"volunteer": str(volunteer.pk)}
    TrailEntry.objects.create(user=by, campaign_id=volunteer.campaign_id, verb=verb, detail=detail)
