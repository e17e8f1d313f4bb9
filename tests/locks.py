"""For tests of what goes on at once."""

from django.db import connection


def wait_until_somebody_waits_for_a_lock() -> None:
    with connection.cursor() as cursor:
        for _ in range(2000):
            cursor.execute("SELECT pg_sleep(0.005) FROM pg_locks WHERE NOT granted LIMIT 1")
            if cursor.fetchone():
                return
            cursor.execute("SELECT pg_sleep(0.005)")
    raise AssertionError("nobody waited within ten seconds")
