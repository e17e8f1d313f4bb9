"""Rows on their way into a table, in a temporary one: thousands at once, and whole or not at all."""

import io
from collections.abc import Iterable
from itertools import islice
from uuid import UUID

import orjson

COPIED = 10_000  # rows sent at a time


def copy_json(cursor, table: str, rows: Iterable[tuple[UUID, object]]) -> None:
    """COPY (task, JSON value) into a table of these two columns; `table` is a name in our own code."""
    left = iter(rows)
    while lines := "".join(_line(*row) for row in islice(left, COPIED)):
        cursor.copy_expert(f"COPY {table} FROM STDIN", io.StringIO(lines))


def _line(task_id: UUID, value: object) -> str:
    # COPY reads a backslash as an escape.
    return f"{task_id}\t{orjson.dumps(value).decode().replace(chr(92), chr(92) * 2)}\n"
