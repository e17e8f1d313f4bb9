"""Open, start, beat, finish, fail one run. Each is a compare-and-set on the run's row.

A run lives by its lease: whoever starts it gets a fencing token, every later write shows it, and a worker
that was thought dead finds its token outdated. Messages only wake workers; any may come twice or never.
"""

from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import F, Max, Q

from annotation.exchange import count_new_labels
from annotation.models import Campaign, TrailEntry, User
from training.errors import RunAlreadyOpen, RunLost, TooFewLabels
from training.models import ModelVersion, TrainingPolicy, TrainingRun
from training.services.base_models import refuse_folder_without_model, refuse_model_not_offered

State = TrainingRun.State
LEASE = timedelta(seconds=30)
BEAT_SECONDS = 5.0
MAX_ATTEMPTS = 5
MIN_LABELS = 10
KEPT_MODELS = 2


def policy_of(campaign: Campaign) -> TrainingPolicy:
    return TrainingPolicy.objects.get_or_create(campaign=campaign)[0]


def change_policy(policy: TrainingPolicy, *, by: User | None, **fields) -> TrainingPolicy:
    """Change when and how a campaign is trained. `by` is None on the command line: the operator."""
    base_model = fields.get("base_model", "")
    if base_model not in ("", policy.base_model):
        refuse = refuse_folder_without_model if by is None else refuse_model_not_offered
        refuse(base_model)
    for name, value in fields.items():
        setattr(policy, name, value)
    with transaction.atomic():
        policy.save(update_fields=list(fields) or None)
        TrailEntry.objects.create(
            user=by, campaign=policy.campaign, verb="change_policy", detail={"fields": sorted(fields)}
        )
    return policy


def open_due_runs(*, now: datetime) -> list[UUID]:
    """Open a run for each open campaign whose policy says so. Two beats at once open one."""
    opened = []
    for campaign in Campaign.objects.filter(state=Campaign.State.OPEN):
        if is_due(policy_of(campaign), now=now):
            with suppress(RunAlreadyOpen, TooFewLabels):
                opened.append(open_run(campaign, now=now).pk)
    return opened


def is_due(policy: TrainingPolicy, *, now: datetime) -> bool:
    """Enough new consensus labels since the last snapshot, and long enough since the last run opened."""
    if not policy.enabled:
        return False
    runs = TrainingRun.objects.filter(campaign=policy.campaign_id)
    if runs.open().exists():
        return False
    last = runs.aggregate(opened_at=Max("opened_at"), snapshot_at=Max("snapshot_at"))
    if last["opened_at"] and now - last["opened_at"] < timedelta(seconds=policy.min_interval_seconds):
        return False
    return count_new_labels(policy.campaign_id, since=last["snapshot_at"]) >= policy.min_new_labels


def open_run(campaign: Campaign, *, now: datetime) -> TrainingRun:
    """Make a waiting run. At most one is open per campaign: the database says so."""
    n_labels = count_new_labels(campaign.pk, since=None)
    if n_labels < MIN_LABELS:
        raise TooFewLabels(
            f"There are {n_labels} consensus labels so far; a model needs at least {MIN_LABELS}."
        )
    last = TrainingRun.objects.filter(campaign=campaign).aggregate(n=Max("number"))["n"] or 0
    try:
        with transaction.atomic():
            return TrainingRun.objects.create(campaign=campaign, number=last + 1, opened_at=now)
    except IntegrityError as error:
        raise RunAlreadyOpen() from error


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
def publish_model(
    run_id: UUID, token: int, *, path: Path, sha256: str, label_keys: list[str], metrics: dict
) -> ModelVersion:
    """Put the run's model in charge, if the run is still ours. One swap in one transaction."""
    run = _own_run(run_id, token)
    versions = ModelVersion.objects.filter(campaign=run.campaign_id)
    number = (versions.aggregate(n=Max("number"))["n"] or 0) + 1
    versions.filter(in_charge=True).update(in_charge=False)
    return ModelVersion.objects.create(
        campaign_id=run.campaign_id,
        run=run,
        number=number,
        path=str(path),
        sha256=sha256,
        label_keys=label_keys,
        metrics=metrics,
        in_charge=True,
    )


@transaction.atomic
def finish_run(run_id: UUID, token: int, *, now: datetime) -> None:
    run = _own_run(run_id, token)
    run.state, run.finished_at, run.share_done, run.stage = State.SUCCEEDED, now, 1.0, "done"
    run.save(update_fields=["state", "finished_at", "share_done", "stage"])
    ModelVersion.objects.filter(run=run).update(ordered_at=now)


def fail_run(run_id: UUID, token: int, *, code: str, sentence: str, now: datetime) -> None:
    """End the run with the reason in plain words; a run that is no longer ours is left alone."""
    TrainingRun.objects.filter(pk=run_id, fencing_token=token, state=State.RUNNING).update(
        state=State.FAILED, finished_at=now, failure_code=code, failure=sentence[:500]
    )


def superseded_models(campaign_id: UUID) -> list[ModelVersion]:
    """Models whose weights may go: all but the newest few. Their rows and figures stay."""
    versions = ModelVersion.objects.filter(campaign=campaign_id).order_by("-number")
    return [version for version in versions[KEPT_MODELS:] if version.path and not version.in_charge]


def run_directory(run: TrainingRun) -> Path:
    return settings.MODEL_DIR / str(run.campaign_id) / f"run-{run.number}"


def _own_run(run_id: UUID, token: int) -> TrainingRun:
    """The run under lock, if the token is still the run's."""
    run = TrainingRun.objects.select_for_update(no_key=True).get(pk=run_id)
    if run.fencing_token != token or run.state != State.RUNNING:
        raise RunLost()
    return run
