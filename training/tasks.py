"""Celery entry points: messages carry ids, rows carry the truth, every task may run twice or never."""

from uuid import UUID

from celery import shared_task
from django.utils import timezone

from training.services import runs

WAKE_SECONDS = 30  # a message that nobody took by then is worthless: the next tick sends another


@shared_task
def tick() -> None:
    """Beat's look at all campaigns: open the runs that are due, wake a worker for each that waits."""
    now = timezone.now()
    runs.open_due_runs(now=now)
    for run_id in runs.runs_to_execute(now=now):
        execute_run.apply_async([str(run_id)], expires=WAKE_SECONDS)


@shared_task
def execute_run(run_id: str) -> None:
    if not runs.is_free(UUID(run_id), now=timezone.now()):
        return
    # Imported here because it brings torch, which the web process must never load.
    from training.services.execution import execute_run as execute

    execute(UUID(run_id))
