"""Spans that a model marks beforehand: kept as they come, drawn for or against at the claim.

Nine of ten claims show them, one in ten does not, by a draw that is fixed for the pair of task and volunteer;
both keep the spans on the assignment, so that what pre-annotation does can be measured as a trial.
"""

from collections.abc import Iterable
from uuid import UUID

from django.db import connection, transaction

from annotation.services.staging import copy_json

SHOWN_SHARE = 0.9

# Beside each row of `best`, the task that is claimed: its suggestion, if there is anything to suggest. Behind
# OFFSET 0 the parameter is tested before the index is looked into, so other campaigns' claims never look.
DRAW_ARM = """
    LEFT JOIN LATERAL (
        SELECT spans, version, sha256(uuid_send(task_id) || uuid_send(%(volunteer)s::uuid)) AS draw
        FROM annotation_suggestion
        WHERE task_id = best.id AND %(preannotates)s AND spans <> '[]' OFFSET 0
    ) s ON true
"""
ARM = f"""get_byte(s.draw, 0) * 256 + get_byte(s.draw, 1) < {SHOWN_SHARE} * 65536,
           s.spans, s.version"""

WRITE = """
INSERT INTO annotation_suggestion (task_id, campaign_id, version, spans)
SELECT DISTINCT ON (t.id) t.id, t.campaign_id, %(version)s, s.spans
FROM staged_suggestion s JOIN annotation_microtask t ON t.id = s.task_id AND t.campaign_id = %(campaign)s
ORDER BY t.id
ON CONFLICT (task_id) DO UPDATE SET version = excluded.version, spans = excluded.spans
WHERE annotation_suggestion.version <= excluded.version
"""


@transaction.atomic
def set_suggestions(
    campaign_id: UUID, suggestions: Iterable[tuple[UUID, list[dict]]], *, version: int
) -> int:
    """Keep the spans that a model would mark in tasks; returns how many tasks took them.

    suggestions: by task a list of {start, end, label, probability}, offsets in the task's code points. An
    empty list takes back what was suggested before. `version` is the number of the run that asked the model;
    what an earlier run asked never overwrites what a later one did. A task that comes twice takes one of the
    two.
    """
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE staged_suggestion (task_id uuid, spans jsonb) ON COMMIT DROP")
        copy_json(cursor, "staged_suggestion", suggestions)
        cursor.execute(WRITE, {"campaign": campaign_id, "version": version})
        n_kept = cursor.rowcount
        cursor.execute("DROP TABLE staged_suggestion")
    return n_kept


def shown_spans(spans: list[dict], labels: list[dict], length: int) -> list[dict]:
    """What of a suggestion can stand in an answer: nothing under labels that were taken out since.

    Without probabilities, which would lead the eye.
    """
    keys = {label["key"] for label in labels}
    return [
        {"start": span["start"], "end": span["end"], "label": span["label"]}
        for span in spans
        if span["label"] in keys and 0 <= span["start"] < span["end"] <= length
    ]
