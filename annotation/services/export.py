"""Consensus out: one line a task that has answers, streamed in pages."""

import csv
import io
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import orjson
from django.db import connection

from annotation.kinds import kind_named
from annotation.models import Campaign
from annotation.services.doubts import Case

FORMATS = ("csv", "jsonl")
PAGE = 2000
# What a spreadsheet would take for a formula.
RISKY = ("=", "+", "-", "@", "\t", "\r")

READ_PAGE = """
SELECT r.external_id, t.ordinal, (CASE WHEN %(decisions)s AND g.decided_at IS NOT NULL THEN g.value
                                        ELSE s.value END)::text,
       s.share, s.votes::text, s.n_answers, g.value::text
FROM annotation_record r
JOIN annotation_microtask t ON t.record_id = r.id
JOIN annotation_consensus s ON s.task_id = t.id
LEFT JOIN annotation_gold g ON g.task_id = t.id
WHERE r.campaign_id = %(campaign)s AND r.external_id >= %(name)s
  AND (r.external_id, t.ordinal) > (%(name)s, %(ordinal)s)
ORDER BY r.external_id, t.ordinal LIMIT %(limit)s
"""

COUNT_VOTES = """
SELECT vote.key, sum(vote.value::int) FROM annotation_consensus s, jsonb_each_text(s.votes) vote
WHERE s.campaign_id = %s GROUP BY vote.key
"""


class ExportedConsensus(NamedTuple):
    task: str
    label: str
    share: float
    n_answers: int
    gold: str | None


def read_consensus(campaign: Campaign, *, with_decisions: bool = True) -> Iterator[ExportedConsensus]:
    """By record id, then by the task's place in the record. Where a reviewer has decided, that is the label;
    `with_decisions=False` gives what the answers alone add up to.

    A tie is stored without a value; where an answer is one label it goes here to the tied label that the
    whole campaign's answers hold most often, and between equals to the first in the campaign's order.
    """
    kind = kind_named(campaign.kind)
    preference = _labels_by_frequency(campaign)
    name, ordinal = "", -1
    while True:
        parameters = {
            "campaign": campaign.pk, "name": name, "ordinal": ordinal, "limit": PAGE,
            "decisions": with_decisions,
        }  # fmt: skip
        with connection.cursor() as cursor:
            cursor.execute(READ_PAGE, parameters)
            rows = cursor.fetchall()
        for name, ordinal, value, share, votes, n_answers, gold in rows:
            task = campaign.task_name(name, ordinal)
            label = kind.cell(orjson.loads(value)) if value else ""
            if kind.one_label and not value:
                label = _break_tie(orjson.loads(votes), preference)
            yield ExportedConsensus(task, label, share, n_answers, gold and kind.cell(orjson.loads(gold)))
        if len(rows) < PAGE:
            return


def _labels_by_frequency(campaign: Campaign) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(COUNT_VOTES, [campaign.pk])
        n_votes = dict(cursor.fetchall())
    return sorted(campaign.label_names, key=lambda key: -n_votes.get(key, 0))


def _break_tie(votes: dict[str, int], preference: list[str]) -> str:
    most = max(votes.values())
    return next((key for key in [*preference, *votes] if votes.get(key) == most), "")


def export_lines(campaign: Campaign, file_format: str) -> Iterator[str]:
    """The lines of the file, with their ends."""
    if file_format == "jsonl":
        for row in read_consensus(campaign):
            yield orjson.dumps(row._asdict(), option=orjson.OPT_APPEND_NEWLINE).decode()
        return
    yield _csv_line(ExportedConsensus._fields)
    for row in read_consensus(campaign):
        task, label, gold = map(harmless, (row.task, row.label, row.gold or ""))
        yield _csv_line((task, label, row.share, row.n_answers, gold))


def case_lines(cases: Iterable[Case], file_format: str) -> Iterator[str]:
    """One line a case that the guideline does not decide, with all that was noted on it."""
    if file_format == "csv":
        yield _csv_line(("task", "text", "reviewers", "notes"))
    for case in cases:
        notes = [mark.note for mark in case.marks if mark.note]
        if file_format == "jsonl":
            line = {"task": case.name, "text": case.text, "reviewers": case.n_reviewers, "notes": notes}
            yield orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE).decode()
        else:
            name, text, words = map(harmless, (case.name, case.text, "\n".join(notes)))
            yield _csv_line((name, text, case.n_reviewers, words))


def harmless(cell: str) -> str:
    return f"'{cell}" if cell.startswith(RISKY) else cell


def _csv_line(cells: tuple) -> str:
    # The csv module quotes a carriage return only where it is part of its own line end.
    line = io.StringIO()
    csv.writer(line, lineterminator="\r\n").writerow(cells)
    return line.getvalue().removesuffix("\r\n") + "\n"
