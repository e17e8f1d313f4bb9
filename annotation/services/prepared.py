"""Statements of the busiest routes, planned once a connection instead of once a call.

Planning took PostgreSQL longer than running them: they find single rows by their keys.
"""

import re
from collections import defaultdict
from weakref import WeakKeyDictionary

from django.db import connection

PARAMETER = re.compile(r"%\((\w+)\)s")


class PreparedStatement:
    """SQL with %(name)s parameters, prepared on each connection that uses it; rollbacks do not undo that."""

    # {psycopg2's connection: names prepared on it}
    _prepared: WeakKeyDictionary = WeakKeyDictionary()

    def __init__(self, name: str, sql: str):
        numbers: dict[str, str] = defaultdict(lambda: f"${len(numbers) + 1}")
        numbered = PARAMETER.sub(lambda match: numbers[match[1]], sql)
        self.name, self.sql = name, sql
        self._parameters = list(numbers)
        self._prepare = f"PREPARE {name} AS {numbered}"
        self._execute = f"EXECUTE {name} ({', '.join('%s' for _ in numbers)})"

    def first_row(self, parameters: dict) -> tuple | None:
        """Run it; None when it has no row, or returns none."""
        with connection.cursor() as cursor:
            known = self._prepared.setdefault(connection.connection, set())
            if self.name not in known:
                cursor.execute(self._prepare)
                known.add(self.name)
            cursor.execute(self._execute, [parameters[name] for name in self._parameters])
            return cursor.fetchone() if cursor.description else None
