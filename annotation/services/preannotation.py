"""What the model's marks do to volunteers' answers: time and leaning, between the two arms."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

import numpy as np
import orjson
from django.db import connection

from annotation.algorithms.preannotation import Comparison, compare_f1, compare_kept, compare_times
from annotation.models import Campaign

MOST_ANSWERS = 4000  # read for it, the latest of each volunteer
FEWEST_ANSWERS = 30  # of the smaller arm: with fewer any figure is chance
# With fewer volunteers a draw of them says nothing: then answers are drawn, in so many lots, and the ranges
# speak of these volunteers alone.
FEWEST_VOLUNTEERS = 5
LOTS = 60
SEED = 0  # the same figures each time that the page is read

# A consensus of one answer is that answer.
READ = """
SELECT a.volunteer_id, a.suggested, an.seconds, an.value::text, a.suggestion::text, s.value::text,
       g.value::text
FROM annotation_volunteer v
CROSS JOIN LATERAL (
    SELECT id, task_id, volunteer_id, suggested, suggestion FROM annotation_assignment
    WHERE volunteer_id = v.id AND state = 'answered' AND suggested IS NOT NULL
    ORDER BY closed_at DESC LIMIT %(each)s
) a
JOIN annotation_answer an ON an.assignment_id = a.id
LEFT JOIN annotation_consensus s ON s.task_id = a.task_id AND s.settled_at IS NOT NULL AND s.n_answers > 1
LEFT JOIN annotation_gold g ON g.task_id = a.task_id AND g.origin = 'file'
WHERE v.campaign_id = %(campaign)s
ORDER BY a.id
"""


@dataclass(frozen=True, slots=True)
class Preannotation:
    """Comparisons are None while one of their arms has too few answers."""

    n_shown: int
    n_hidden: int
    n_volunteers: int
    time: Comparison | None  # median seconds from the claim to the answer; effect is their ratio
    kept: Comparison | None  # of the suggested marks, the share that stands in the answer
    likeness: Comparison | None  # F1 of the answer and the suggestion, seen or not
    with_consensus: Comparison | None  # F1 of the answer and the consensus
    with_gold: Comparison | None  # F1 of the answer and the gold of files


@dataclass(frozen=True, slots=True)
class RandomisedAnswer:
    """Spans are (start, end, label). The suggestion is what was shown, or was not."""

    volunteer_id: UUID
    shown: bool
    seconds: float
    answer: set[tuple]
    suggestion: set[tuple]
    consensus: set[tuple] | None
    gold: set[tuple] | None


def preannotation_of(campaign: Campaign) -> Preannotation | None:
    """None where the model does not mark beforehand."""
    if not campaign.preannotates:
        return None
    answers = _read(campaign)
    n_shown, volunteers = sum(one.shown for one in answers), {one.volunteer_id for one in answers}
    in_groups = len(volunteers) >= FEWEST_VOLUNTEERS
    return Preannotation(
        n_shown,
        len(answers) - n_shown,
        len(volunteers),
        time=_compare(compare_times, [(one, one.seconds) for one in answers], in_groups),
        kept=_compare(compare_kept, _overlaps(answers, "suggestion"), in_groups),
        likeness=_compare(compare_f1, _overlaps(answers, "suggestion"), in_groups),
        with_consensus=_compare(compare_f1, _overlaps(answers, "consensus"), in_groups),
        with_gold=_compare(compare_f1, _overlaps(answers, "gold"), in_groups),
    )


def _read(campaign: Campaign) -> list[RandomisedAnswer]:
    each = MOST_ANSWERS // max(1, campaign.volunteers.count()) + 1
    with connection.cursor() as cursor:
        cursor.execute(READ, {"campaign": campaign.pk, "each": each})
        rows = cursor.fetchall()
    keys = set(campaign.label_names)
    return [RandomisedAnswer(*row[:3], *(_spans(cell, keys) for cell in row[3:])) for row in rows]


def _spans(cell: str | None, keys: set[str]) -> set[tuple] | None:
    """Of an answer's JSON or a suggestion's, those whose label the campaign has still."""
    value = orjson.loads(cell) if cell else None
    if value is None:
        return None
    spans = value["spans"] if isinstance(value, dict) else value
    return {(span["start"], span["end"], span["label"]) for span in spans if span["label"] in keys}


def _overlaps(answers: list[RandomisedAnswer], other: str) -> list[tuple[RandomisedAnswer, tuple]]:
    """(answer, (spans in both, in the answer, in the other)) where the other is known."""
    pairs = [(one, getattr(one, other)) for one in answers]
    return [
        (one, (len(one.answer & spans), len(one.answer), len(spans)))
        for one, spans in pairs
        if spans is not None
    ]


def _compare(
    compare: Callable[..., Comparison], figures: Sequence[tuple[RandomisedAnswer, object]], in_groups: bool
) -> Comparison | None:
    shown = np.array([one.shown for one, _ in figures], dtype=bool)
    if min(shown.sum(), (~shown).sum()) < FEWEST_ANSWERS:
        return None
    numbers: dict[UUID, int] = {}
    groups = [numbers.setdefault(one.volunteer_id, len(numbers)) for one, _ in figures]
    groups = np.array(groups) if in_groups else np.arange(len(figures)) * LOTS // len(figures)
    return compare(np.array([figure for _, figure in figures]), shown, groups, seed=SEED)
