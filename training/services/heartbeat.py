"""A thread that keeps a run's lease while the worker computes."""

import threading
from contextlib import contextmanager
from uuid import UUID

from django.db import Error, connection
from django.utils import timezone

from training.errors import RunLost
from training.services.runs import BEAT_SECONDS, beat_run


@contextmanager
def kept_alive(run_id: UUID, token: int):
    """Beat every few seconds; yields a function that raises RunLost once the run is no longer ours."""
    lost, over = threading.Event(), threading.Event()
    thread = threading.Thread(target=_beat, args=(run_id, token, lost, over), daemon=True)
    thread.start()

    def check() -> None:
        if lost.is_set():
            raise RunLost()

    try:
        yield check
    finally:
        over.set()
        thread.join()


def _beat(run_id: UUID, token: int, lost: threading.Event, over: threading.Event) -> None:
    try:
        while not over.wait(BEAT_SECONDS):
            try:
                beat_run(run_id, token, now=timezone.now())
            except RunLost:
                lost.set()
                return
            except Error:
                # The database may come back before the lease ends; if not, somebody else takes the run.
                connection.close()
    finally:
        connection.close()
