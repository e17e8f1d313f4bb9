"""What a task is called in files: its record's id, and for one of several sentences `recordid#ordinal`."""

from collections.abc import Collection
from uuid import UUID

from django.db import connection

SEVERAL = UUID(int=0)

# A record's tasks are numbered from 0 without gaps, so ordinal 1 tells whether there are several.
BY_RECORD = """
SELECT r.external_id, t.id, EXISTS (
    SELECT 1 FROM annotation_microtask other WHERE other.record_id = r.id AND other.ordinal = 1)
FROM annotation_record r JOIN annotation_microtask t ON t.record_id = r.id AND t.ordinal = 0
WHERE r.campaign_id = %s AND r.external_id = ANY(%s)
"""

BY_ORDINAL = """
SELECT r.external_id || '#' || t.ordinal, t.id
FROM unnest(%s::text[], %s::int[]) AS wanted (external_id, ordinal)
JOIN annotation_record r ON r.campaign_id = %s AND r.external_id = wanted.external_id
JOIN annotation_microtask t ON t.record_id = r.id AND t.ordinal = wanted.ordinal
"""


def find_tasks(campaign_id: UUID, names: Collection[str]) -> dict[str, UUID]:
    """The tasks of these names; SEVERAL for a record with more than one. Unknown names are left out.

    A record whose own id looks like `a#1` is found first.
    """
    numbered = [parts for name in names if (parts := _split(name))]
    with connection.cursor() as cursor:
        cursor.execute(BY_ORDINAL, [[i for i, _ in numbered], [n for _, n in numbered], campaign_id])
        found = dict(cursor.fetchall())
        cursor.execute(BY_RECORD, [campaign_id, list(names)])
        for name, task_id, has_several in cursor.fetchall():
            found[name] = SEVERAL if has_several else task_id
    return found


def _split(name: str) -> tuple[str, int] | None:
    external_id, _, ordinal = name.rpartition("#")
    if external_id and ordinal.isascii() and ordinal.isdigit() and len(ordinal) < 10:
        return external_id, int(ordinal)
    return None
