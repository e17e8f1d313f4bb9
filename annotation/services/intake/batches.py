"""Write a batch of records and their tasks: all of it or nothing, in one transaction, by COPY.

The campaign's row is locked first, so imports into one campaign take turns a batch at a time. What is
there already can then be looked up once, and the rest copied straight into the final tables.
"""

import hashlib
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.db import connection

from annotation.algorithms.checksum import text_checksum
from annotation.algorithms.splitting import Span, split_sentences, whole_document
from annotation.models import Campaign, Import, uuid7
from annotation.services.intake.readers import Item, Row
from annotation.services.intake.refusals import Refusal

MAX_SECTION_LENGTH = 120
COPY_BYTES = 1 << 20
NULL = "\\N"  # in COPY's text format

SPLITTERS: dict[str, Callable[[str], list[Span]]] = {
    Campaign.Unit.DOCUMENT: whole_document,
    Campaign.Unit.SENTENCE: split_sentences,
}

LOCK_CAMPAIGN = "SELECT unit, needed FROM annotation_campaign WHERE id = %s FOR NO KEY UPDATE"

KNOWN = """
SELECT external_id, sha256(convert_to(text, 'UTF8')), batch_id FROM annotation_record
WHERE campaign_id = %s AND external_id = ANY(%s)
"""

COPY_RECORDS = """
COPY annotation_record (id, campaign_id, external_id, text, metadata, held, batch_id, created_at) FROM STDIN
"""

# Without the priority, which the database draws at random.
COPY_TASKS = """
COPY annotation_microtask (id, campaign_id, record_id, ordinal, start, "end", section, checksum, needed,
                           taken, held, priority_run, divider) FROM STDIN
"""

COUNT_TASKS = "UPDATE annotation_campaign SET n_tasks = n_tasks + %s WHERE id = %s"


@dataclass
class Outcome:
    """What became of a batch's rows."""

    n_rows: int
    n_imported: int = 0
    n_unchanged: int = 0
    n_tasks: int = 0
    refusals: list[Refusal] = field(default_factory=list)


def write_batch(batch: Import, items: Sequence[Item], *, now: datetime) -> Outcome:
    """Write what is new; the caller's transaction makes it whole."""
    outcome = Outcome(n_rows=len(items), refusals=[item for item in items if isinstance(item, Refusal)])
    rows = [item for item in items if isinstance(item, Row)]
    with connection.cursor() as cursor:
        cursor.execute(LOCK_CAMPAIGN, [batch.campaign_id])
        unit, needed = cursor.fetchone()
        new = _new_rows(cursor, batch, rows, outcome)
        if new:
            records, tasks = io.StringIO(), io.StringIO()
            outcome.n_tasks = _compose(batch, new, SPLITTERS[unit], needed, now, records, tasks)
            outcome.n_imported = len(new)
            _copy(cursor, COPY_RECORDS, records)
            _copy(cursor, COPY_TASKS, tasks)
            cursor.execute(COUNT_TASKS, [outcome.n_tasks, batch.campaign_id])
    return outcome


def _new_rows(cursor, batch: Import, rows: list[Row], outcome: Outcome) -> list[Row]:
    """Those whose id is neither in the campaign nor earlier in the file."""
    cursor.execute(KNOWN, [batch.campaign_id, [row.external_id for row in rows]])
    known = {name: (bytes(digest), origin) for name, digest, origin in cursor.fetchall()}
    new: dict[str, Row] = {}
    for row in rows:
        digest, origin = known.get(row.external_id, (None, None))
        if row.external_id in new or origin == batch.pk:
            outcome.refusals.append(Refusal(row.line, row.external_id, "duplicate_id"))
        elif digest is None:
            new[row.external_id] = row
        elif digest == hashlib.sha256(row.text.encode()).digest():
            outcome.n_unchanged += 1
        else:
            outcome.refusals.append(Refusal(row.line, row.external_id, "id_taken_by_other_text"))
    return list(new.values())


def _compose(
    batch: Import,
    rows: list[Row],
    split: Callable[[str], list[Span]],
    needed: int,
    now: datetime,
    records: io.StringIO,
    tasks: io.StringIO,
) -> int:
    """Write both tables' lines in COPY's text format; returns the number of tasks."""
    campaign, origin, at = batch.campaign_id, batch.pk, now.isoformat()
    held = "f" if batch.deidentified else "t"
    n_tasks = 0
    for row in rows:
        record, text = uuid7().hex, row.text
        records.write(
            f"{record}\t{campaign}\t{_escaped(row.external_id)}\t{_escaped(text)}\t{_escaped(row.metadata)}"
            f"\t{held}\t{origin}\t{at}\n"
        )
        is_pair = row.divider is not None  # which is compared whole
        for ordinal, span in enumerate([Span(0, len(text), "")] if is_pair else split(text)):
            start, end = span.start, span.end
            section = _escaped(span.section[:MAX_SECTION_LENGTH])
            tasks.write(
                f"{uuid7().hex}\t{campaign}\t{record}\t{ordinal}\t{start}\t{end}\t{section}"
                f"\t{text_checksum(text[start:end])}\t{needed}\t0\t{held}\t0"
                f"\t{row.divider if is_pair else NULL}\n"
            )
            n_tasks += 1
    return n_tasks


def _escaped(value: str) -> str:
    """A value in COPY's text format."""
    if "\\" in value:
        value = value.replace("\\", "\\\\")
    if not value.isprintable():
        value = value.replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")
    return value


def _copy(cursor, sql: str, lines: io.StringIO) -> None:
    lines.seek(0)
    cursor.copy_expert(sql, lines, COPY_BYTES)
