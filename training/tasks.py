"""Celery entry points: messages carry ids, rows carry the truth, every task may run twice or never."""

import logging
from uuid import UUID

from celery import shared_task
from django.utils import timezone
from kombu.exceptions import OperationalError

from annotation.errors import Invalid
from annotation.models import Campaign
from training.services import prediction_jobs, runs
from training.services.agreement_guard import return_where_agreement_fell
from training.services.explanations import forget_explanations, tasks_to_explain
from training.services.unread import campaigns_to_read

logger = logging.getLogger(__name__)
WAKE_SECONDS = 30  # a message that nobody took by then is worthless: the next tick sends another
EXPLAINING_SECONDS = 2  # somebody looks at a page and waits
READING_SECONDS = 60  # a worker reads that long at a stretch: a training that is due goes between


@shared_task
def tick() -> None:
    """Beat's look at all campaigns: open the runs that are due, wake a worker for whatever waits."""
    now = timezone.now()
    prediction_jobs.forget_old_jobs(now=now)
    for job_id in prediction_jobs.jobs_to_do(now=now):
        predict.apply_async([str(job_id)], expires=WAKE_SECONDS)
    return_where_agreement_fell(now=now)
    runs.open_wanted_orders(now=now)
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


@shared_task
def reading_tick() -> None:
    """Beat's look at what was imported: whose texts has the encoder not read yet?"""
    for campaign_id in campaigns_to_read():
        read_texts.apply_async([str(campaign_id)], expires=READING_SECONDS)


@shared_task
def read_texts(campaign_id: str) -> None:
    """Give new texts their vectors for a while. The last to be read starts the queue, if no model has yet."""
    # Imported here because it brings torch.
    from training.services.embeddings import embed_new_tasks
    from training.services.priorities import order_start

    campaign = Campaign.objects.get(pk=campaign_id)
    try:
        n_left = embed_new_tasks(campaign, max_seconds=READING_SECONDS)
    except Invalid as refused:
        logger.warning("campaign %s cannot be read: %s", campaign_id, refused.code)
        return
    if n_left:
        read_texts.apply_async([campaign_id], expires=WAKE_SECONDS)
    elif not campaign.ordered_by_run:
        order_start(campaign, seed=0)


def wake_for_prediction(job_id: UUID) -> None:
    """For the pages: without Redis the next tick does it, once Redis is back."""
    try:
        predict.apply_async([str(job_id)], expires=WAKE_SECONDS, retry=False)
    except OperationalError as error:
        logger.warning("no worker could be woken for prediction %s: %s", job_id, type(error).__name__)


@shared_task
def predict(job_id: str) -> None:
    if not prediction_jobs.is_free(UUID(job_id), now=timezone.now()):
        return
    # Imported here because it brings torch.
    from training.services.prediction import answer_job

    answer_job(UUID(job_id))


@shared_task
def explaining_tick() -> None:
    """Beat's look at who waits to see what a model looked at, and at what can go."""
    forget_explanations()
    for task_id in tasks_to_explain(now=timezone.now()):
        explain_task.apply_async([str(task_id)], expires=EXPLAINING_SECONDS)


@shared_task
def explain_task(task_id: str) -> None:
    # Imported here because it brings torch.
    from training.services.explaining import explain_task as explain

    explain(UUID(task_id))
