"""A prediction that somebody asked for: a row that waits for a worker, and is forgotten soon after.

Nothing here loads a model: the web process asks and waits. What a worker does is in services.prediction.
"""

import select
import threading
import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from django.db import connection, transaction
from django.db.models import F, Q, QuerySet

from annotation.errors import Invalid, TooMany
from annotation.exchange import SENTENCES, head_of, is_of_pairs
from annotation.models import Campaign, User
from training.errors import NoModel
from training.models import PredictionJob
from training.services.promotions import in_charge

State = PredictionJob.State
LEASE = timedelta(seconds=60)  # kept about every second while a model reads; loading one takes seconds
MAX_ATTEMPTS = 3
MAX_SPANS = 200  # given with a text
MAX_UNFINISHED = 4  # of one person
MAX_A_MINUTE = 60  # of one person
KEPT = timedelta(hours=1)  # whatever becomes of it
KEPT_ONCE_FETCHED = timedelta(minutes=5)  # a reply may be lost on its way
# Of a web process's threads, those that may wait for a worker at a time: the others serve the pages.
_may_wait = threading.BoundedSemaphore(1)


class AskedText(NamedTuple):
    """As a job's row holds it; spans are {start, end, label}, where whoever asks knows them."""

    text: str
    second: str | None = None  # of a pair
    spans: list[dict] | None = None


def ask(campaign: Campaign, texts: Sequence[AskedText], *, by: User, now: datetime) -> PredictionJob:
    """Make a job for the model that is in charge now."""
    refuse_halves(campaign, texts)
    refuse_spans(campaign, texts)
    version = in_charge(campaign.pk)
    if version is None:
        raise NoModel()
    with transaction.atomic():
        _refuse_too_many(by, now)
        return PredictionJob.objects.create(
            campaign=campaign,
            asked_by=by,
            model_version=version,
            texts=texts,
            asked_at=now,
        )


def refuse_halves(campaign: Campaign, texts: Sequence[AskedText]) -> None:
    """Texts come in pairs where the campaign's do, and only there."""
    of_pairs = is_of_pairs(campaign)
    if of_pairs and any(one.second is None for one in texts):
        raise Invalid("This campaign compares pairs: every text needs a second one.", code="second_missing")
    if not of_pairs and any(one.second is not None for one in texts):
        raise Invalid("This campaign's texts stand alone: leave the second one out.", code="second_not_asked")


def refuse_spans(campaign: Campaign, texts: Sequence[AskedText]) -> None:
    """Spans are given where a model relates them, once each, within the text and under labels for spans."""
    marked = [one for one in texts if one.spans is not None]
    if marked and head_of(campaign) != "relations":
        raise Invalid("This campaign's models relate no spans: leave them out.", code="spans_not_asked")
    for one in marked:
        if fault := fault_of_spans(campaign, one):
            raise Invalid(SENTENCES[fault], code=fault)


def fault_of_spans(campaign: Campaign, asked: AskedText) -> str:
    """The code of what is wrong with a text's spans; empty where nothing is."""
    spans = asked.spans or []
    keys = {label["key"] for label in campaign.labels if label.get("role") == "span"}
    if any(not span["start"] < span["end"] <= len(asked.text) for span in spans):
        return "span_outside_text"
    if any(span["label"] not in keys for span in spans):
        return "span_label_unknown"
    if len({(span["start"], span["end"], span["label"]) for span in spans}) < len(spans):
        return "span_twice"
    return ""


def _refuse_too_many(user: User, now: datetime) -> None:
    User.objects.select_for_update(no_key=True).get(pk=user.pk)  # so that two requests count each other
    own = PredictionJob.objects.filter(asked_by=user)
    if own.unfinished().count() >= MAX_UNFINISHED:
        raise TooMany(
            f"{MAX_UNFINISHED} of your requests are not done yet. Wait for one of them.",
            code="too_many_unfinished",
        )
    if own.filter(asked_at__gt=now - timedelta(minutes=1)).count() >= MAX_A_MINUTE:
        raise TooMany(f"That is more than {MAX_A_MINUTE} requests in a minute. Send more texts with each.")


def wait_until_over(job_id: UUID, *, seconds: float) -> None:
    """Return when the job is over or the time is; at once where enough threads wait already."""
    # Nobody sees a job of an open transaction, nor would its LISTEN count yet.
    if seconds <= 0 or connection.in_atomic_block or not _may_wait.acquire(blocking=False):
        return
    try:
        with connection.cursor() as cursor:
            connection.connection.notifies.clear()
            cursor.execute(f'LISTEN "{_channel(job_id)}"')
            try:
                if PredictionJob.objects.unfinished().filter(pk=job_id).exists():
                    _hear(seconds)
            finally:
                cursor.execute("UNLISTEN *")
    finally:
        _may_wait.release()


def _hear(seconds: float) -> None:
    """Return at the first notification on this thread's connection, or after so many seconds."""
    heard, until = connection.connection, time.monotonic() + seconds
    while not heard.notifies and (left := until - time.monotonic()) > 0:
        select.select([heard], [], [], left)
        heard.poll()


def _channel(job_id: UUID) -> str:
    return f"prediction_{job_id.hex}"


def fetch(job_id: UUID, *, by: User, now: datetime) -> PredictionJob | None:
    """Their own job as it stands, or None. One that is over is forgotten minutes after the first fetch."""
    found = PredictionJob.objects.asked_by(by).filter(pk=job_id)
    found.exclude(done_at=None).filter(fetched_at=None).update(fetched_at=now)
    return found.select_related("model_version").defer("texts").first()


# --- What a worker does to the row ---


def jobs_to_do(*, now: datetime) -> list[UUID]:
    """Jobs that wait for a worker, or whose worker was lost."""
    return list(_free(now).order_by("asked_at").values_list("pk", flat=True))


def is_free(job_id: UUID, *, now: datetime) -> bool:
    return _free(now).filter(pk=job_id).exists()


def _free(now: datetime) -> QuerySet[PredictionJob]:
    return PredictionJob.objects.filter(
        Q(state=State.WAITING) | Q(state=State.RUNNING, lease_expires_at__lt=now)
    )


def take(job_id: UUID, *, now: datetime) -> PredictionJob | None:
    """Take the job if nobody holds it. One that was the end of so many workers is given up."""
    free = _free(now).filter(pk=job_id)
    worn = free.filter(n_attempts__gte=MAX_ATTEMPTS).first()
    if worn:
        sentence = f"The worker was lost {MAX_ATTEMPTS} times over these texts; is there enough memory?"
        end(worn, now=now, failure_code="worker_lost", failure=sentence)
        return None
    taken = free.filter(n_attempts__lt=MAX_ATTEMPTS).update(
        state=State.RUNNING, n_attempts=F("n_attempts") + 1, lease_expires_at=now + LEASE
    )
    jobs = PredictionJob.objects.select_related("model_version__campaign")
    return jobs.get(pk=job_id) if taken else None


def keep(job: PredictionJob, *, now: datetime) -> None:
    _own(job).update(lease_expires_at=now + LEASE)


@transaction.atomic
def end(
    job: PredictionJob,
    *,
    now: datetime,
    result: list[dict] | None = None,
    failure_code: str = "",
    failure: str = "",
) -> None:
    """Store the result or why there is none, drop the texts, and wake whoever waits.

    A job that another worker has taken since is left to it.
    """
    changed = _own(job).update(
        state=State.FAILED if failure_code else State.DONE,
        result=result,
        failure_code=failure_code,
        failure=failure[:500],
        texts=[],
        done_at=now,
    )
    if changed:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_notify(%s, '')", [_channel(job.pk)])


def _own(job: PredictionJob) -> QuerySet[PredictionJob]:
    return PredictionJob.objects.unfinished().filter(pk=job.pk, n_attempts=job.n_attempts)


def forget_old_jobs(*, now: datetime) -> None:
    PredictionJob.objects.filter(
        Q(asked_at__lt=now - KEPT) | Q(fetched_at__lt=now - KEPT_ONCE_FETCHED)
    ).delete()
