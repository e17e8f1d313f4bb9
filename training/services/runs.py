"""Open, start, beat, finish, fail one run. Each is a compare-and-set on the run's row.

A run lives by its lease: whoever starts it gets a fencing token, every later write shows it, and a worker
that was thought dead finds its token outdated. Messages only wake workers; any may come twice or never.
"""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import F, Max, Q

from annotation.exchange import count_new_labels, head_of
from annotation.models import Campaign
from training.algorithms.examples import WHOLE_TEXT_HEADS
from training.errors import RunAlreadyOpen, RunLost, TooFewLabels
from training.models import AdaptedEncoder, ModelVersion, Promotion, TrainingPolicy, TrainingRun

State, Kind = TrainingRun.State, TrainingRun.Kind
LEASE = timedelta(seconds=30)
BEAT_SECONDS = 5.0
MAX_ATTEMPTS = 5
MIN_LABELS = 10
KEPT_RUNS = 1


def policy_of(campaign: Campaign) -> TrainingPolicy:
    return TrainingPolicy.objects.get_or_create(campaign=campaign)[0]


def open_due_runs(*, now: datetime) -> list[UUID]:
    """Open a run for each open campaign whose policy says so. Two beats at once open one."""
    opened = []
    for campaign in Campaign.objects.filter(state=Campaign.State.OPEN):
        kind = due_kind(policy_of(campaign), now=now)
        if kind is not None:
            with suppress(RunAlreadyOpen, TooFewLabels):
                opened.append(open_run(campaign, kind=kind, now=now).pk)
    return opened


def due_kind(policy: TrainingPolicy, *, now: datetime) -> str | None:
    """Which run is due: all models after enough new consensus labels and long enough after the last such run;
    else the fast ones, each few labels, once there is a model to stand beside."""
    if not policy.enabled:
        return None
    runs = TrainingRun.objects.filter(campaign=policy.campaign_id)
    if runs.open().exists():
        return None
    last = runs.filter(kind=Kind.TRAIN).aggregate(opened_at=Max("opened_at"), snapshot_at=Max("snapshot_at"))
    too_early = last["opened_at"] and now - last["opened_at"] < timedelta(seconds=policy.min_interval_seconds)
    n_new = count_new_labels(policy.campaign_id, since=last["snapshot_at"])
    if n_new >= policy.min_new_labels and not too_early:
        return Kind.TRAIN
    if last["snapshot_at"] is None or not _can_refit(policy):
        return None
    newest = runs.aggregate(snapshot_at=Max("snapshot_at"))["snapshot_at"]
    return Kind.REFIT if count_new_labels(policy.campaign_id, since=newest) >= policy.refit_labels else None


def _can_refit(policy: TrainingPolicy) -> bool:
    """What is marked has no fast model; and where the last refit failed, the next full run will say why."""
    if head_of(policy.campaign) not in WHOLE_TEXT_HEADS:
        return False
    runs = TrainingRun.objects.filter(campaign=policy.campaign_id).exclude(kind=Kind.PRETRAIN)
    last = runs.order_by("-number").first()
    return last is None or last.state != State.FAILED


def open_run(campaign: Campaign, *, now: datetime, kind: str = Kind.TRAIN) -> TrainingRun:
    """Make a waiting run. At most one is open per campaign: the database says so."""
    n_labels = count_new_labels(campaign.pk, since=None)
    if n_labels < MIN_LABELS and kind in (Kind.TRAIN, Kind.REFIT):
        raise TooFewLabels(
            f"There are {n_labels} consensus labels so far; a model needs at least {MIN_LABELS}."
        )
    last = TrainingRun.objects.filter(campaign=campaign).aggregate(n=Max("number"))["n"] or 0
    try:
        with transaction.atomic():
            return TrainingRun.objects.create(campaign=campaign, number=last + 1, kind=kind, opened_at=now)
    except IntegrityError as error:
        raise RunAlreadyOpen() from error


def want_order(campaign_id: UUID, *, now: datetime) -> None:
    """Have the model in charge, if there is one, order the queue as soon as no run is open."""
    if ModelVersion.objects.filter(campaign=campaign_id, in_charge=True).exists():
        TrainingPolicy.objects.update_or_create(campaign_id=campaign_id, defaults={"order_wanted_at": now})


def open_wanted_orders(*, now: datetime) -> None:
    """Open a run for each queue that waits to be ordered and whose campaign has none open.

    A wish is asked for once: a run that fails says why, and is not opened again by itself.
    """
    for policy in TrainingPolicy.objects.filter(order_wanted_at__isnull=False).select_related("campaign"):
        with suppress(RunAlreadyOpen), transaction.atomic():
            open_run(policy.campaign, kind=Kind.ORDER, now=now)
            order_given(policy.campaign_id, asked=policy.order_wanted_at)


def order_given(campaign_id: UUID, *, asked: datetime) -> None:
    """Nobody waits any more who did so by then."""
    wished = TrainingPolicy.objects.filter(campaign=campaign_id, order_wanted_at__lte=asked)
    wished.update(order_wanted_at=None)


def runs_to_execute(*, now: datetime) -> list[UUID]:
    """Runs that wait for a worker, or whose worker was lost."""
    return list(TrainingRun.objects.filter(_free(now)).order_by("opened_at").values_list("pk", flat=True))


def is_free(run_id: UUID, *, now: datetime) -> bool:
    """Does this run wait for a worker? Asked before a worker loads torch for a message that came twice."""
    return TrainingRun.objects.filter(_free(now), pk=run_id).exists()


def _free(now: datetime) -> Q:
    return Q(state=State.WAITING) | Q(state=State.RUNNING, lease_expires_at__lt=now)


def start_run(run_id: UUID, *, now: datetime) -> int | None:
    """Take the run if nobody holds it; returns the fencing token, or None when there is nothing to do."""
    free = TrainingRun.objects.filter(_free(now), pk=run_id)
    if free.filter(n_attempts__gte=MAX_ATTEMPTS).update(
        state=State.FAILED,
        finished_at=now,
        failure_code="worker_lost",
        failure=f"The worker was lost {MAX_ATTEMPTS} times during this run; is there enough memory?",
    ):
        return None
    changed = free.filter(n_attempts__lt=MAX_ATTEMPTS).update(
        state=State.RUNNING,
        fencing_token=F("fencing_token") + 1,
        n_attempts=F("n_attempts") + 1,
        started_at=now,
        heartbeat_at=now,
        lease_expires_at=now + LEASE,
    )
    return TrainingRun.objects.get(pk=run_id).fencing_token if changed else None


def beat_run(run_id: UUID, token: int, *, now: datetime, **progress) -> None:
    """Keep the lease and store how far the run is; RunLost if the token is no longer the run's."""
    changed = TrainingRun.objects.filter(pk=run_id, fencing_token=token, state=State.RUNNING).update(
        heartbeat_at=now, lease_expires_at=now + LEASE, **progress
    )
    if not changed:
        raise RunLost()


@transaction.atomic
def keep_model(run_id: UUID, token: int, version: ModelVersion) -> ModelVersion:
    """Give a model of the run its number and its row, if the run is still ours. It is not in charge."""
    run = _own_run(run_id, token)
    # Runs of a campaign are one after the other, so nobody else takes this number.
    versions = ModelVersion.objects.filter(campaign=run.campaign_id)
    version.number = (versions.aggregate(n=Max("number"))["n"] or 0) + 1
    version.save(force_insert=True)
    return version


@transaction.atomic
def keep_encoder(run_id: UUID, token: int, adapted: AdaptedEncoder) -> AdaptedEncoder:
    """Give the run's encoder its row, in use instead of the one before, if the run is still ours."""
    run = _own_run(run_id, token)
    AdaptedEncoder.objects.filter(campaign=run.campaign_id, in_use=True).update(in_use=False)
    adapted.save(force_insert=True)
    return adapted


@transaction.atomic
def keep_verdict(
    run_id: UUID, token: int, verdict: dict, promotion: Callable[[], object] | None = None
) -> None:
    """Store what the gate said, and in the same transaction promote, if the run is still ours."""
    run = _own_run(run_id, token)
    run.verdict = verdict
    run.save(update_fields=["verdict"])
    if promotion is not None:
        promotion()


@transaction.atomic
def finish_run(run_id: UUID, token: int, *, now: datetime) -> None:
    run = _own_run(run_id, token)
    run.state, run.finished_at, run.share_done, run.stage = State.SUCCEEDED, now, 1.0, "done"
    run.save(update_fields=["state", "finished_at", "share_done", "stage"])


@transaction.atomic
def fail_run(run_id: UUID, token: int, *, code: str, sentence: str, now: datetime) -> None:
    """End the run with the reason in plain words; a run that is no longer ours is left alone."""
    ours = TrainingRun.objects.filter(pk=run_id, fencing_token=token, state=State.RUNNING)
    changed = ours.update(state=State.FAILED, finished_at=now, failure_code=code, failure=sentence[:500])
    promoted = TrainingRun.objects.filter(pk=run_id, verdict__promoted=True).first()
    if changed and promoted:  # and failed before its model had ordered the queue
        want_order(promoted.campaign_id, now=now)


def superseded_models(campaign_id: UUID) -> list[ModelVersion]:
    """Models whose weights may go: all but the one in charge, the one to go back to, and the newest run's.

    Their rows and figures stay.
    """
    versions = ModelVersion.objects.filter(campaign=campaign_id)
    last = Promotion.objects.filter(campaign=campaign_id, version__in_charge=True).first()
    newest = versions.order_by("-run__number").values_list("run", flat=True).distinct()[:KEPT_RUNS]
    kept = Q(in_charge=True) | Q(run__in=list(newest)) | Q(pk=last and last.previous_id)
    return list(versions.exclude(path="").exclude(kept))


def run_directory(run: TrainingRun) -> Path:
    return settings.MODEL_DIR / str(run.campaign_id) / f"run-{run.number}"


def _own_run(run_id: UUID, token: int) -> TrainingRun:
    """The run under lock, if the token is still the run's."""
    run = TrainingRun.objects.select_for_update(no_key=True).get(pk=run_id)
    if run.fencing_token != token or run.state != State.RUNNING:
        raise RunLost()
    return run
