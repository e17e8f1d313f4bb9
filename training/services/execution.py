"""One training run from snapshot to a re-ordered queue. Read it from top to bottom.

Every stage can be repeated: a run taken up by another worker finds the snapshot, the checkpoint or the
published model of the first and goes on from there.
"""

import logging
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from uuid import UUID

import psycopg2.errors
from django.db import InterfaceError, OperationalError
from django.utils import timezone

from annotation.errors import Invalid, place_of
from annotation.exchange import minutes_spent
from training import encoder
from training.algorithms.examples import MARKING_HEADS, Examples
from training.algorithms.promotion import wants_trials
from training.config import FineTuneConfig
from training.encoder.refusals import NO_ROOM
from training.errors import RunLost
from training.models import ModelVersion, TrainingRun
from training.services import adaptation, runs
from training.services.gate import try_the_gate
from training.services.heartbeat import kept_alive
from training.services.judging import (
    Bench,
    Opinion,
    bench_of,
    metrics_of,
    opinion_of,
    trial_of,
)
from training.services.learning import VectorsOf, checked_examples, families_of, learn, snapshot_vectors
from training.services.lineage import lineage_of
from training.services.priorities import order_queue
from training.services.promotions import in_charge
from training.services.snapshot import Snapshot, kept_snapshot, share_that_judges, take_snapshot
from training.services.stream_guard import measure_round
from training.services.tidying import tidy

logger = logging.getLogger(__name__)
Watcher = Callable[[str, float], None]
DISK_FULL = "The disk is full. Make room, then start the run again; nothing was lost."


def execute_run(run_id: UUID, *, watch: Watcher = lambda stage, share_done: None) -> bool:
    """Do the run if nobody else does; True when it succeeded. `watch` gets (stage, share done) as it goes."""
    token = runs.start_run(run_id, now=timezone.now())
    succeeded = token is not None and _attempt(run_id, token, watch)
    tidy(TrainingRun.objects.get(pk=run_id).campaign_id)
    return succeeded


def _attempt(run_id: UUID, token: int, watch: Watcher) -> bool:
    try:
        with kept_alive(run_id, token) as check:
            _execute(run_id, token, check, watch)
        return True
    except RunLost:
        logger.warning("run %s was taken over by another worker", run_id)
    except Invalid as refused:  # what a training refuses is one
        runs.fail_run(run_id, token, code=refused.code, sentence=refused.sentence, now=timezone.now())
    except (OperationalError, InterfaceError) as error:
        if not isinstance(error.__cause__, psycopg2.errors.DiskFull):
            raise  # the database is away: the lease runs out, and the run is taken up from its checkpoint
        runs.fail_run(run_id, token, code="disk_full", sentence=DISK_FULL, now=timezone.now())
    except Exception as error:
        logger.error("run %s broke off: %s\n%s", run_id, type(error).__name__, place_of(error))
        code, sentence = _explain(error)
        runs.fail_run(run_id, token, code=code, sentence=sentence, now=timezone.now())
    return False


def _execute(run_id: UUID, token: int, check: Callable[[], None], watch: Watcher) -> None:
    run = TrainingRun.objects.select_related("campaign").get(pk=run_id)
    progress = Progress(run, token, check, watch)
    if run.kind == TrainingRun.Kind.PRETRAIN:
        _adapt(run, token, progress)
    else:
        _learn_and_order(run, token, progress)
    runs.finish_run(run_id, token, now=timezone.now())
    watch("done", 1.0)


def _adapt(run: TrainingRun, token: int, progress: "Progress") -> None:
    """Pretrain the base model on the campaign's texts. No model and no queue changes by that."""
    progress.enter("collecting")
    texts = adaptation.texts_of_run(run, token)
    progress.enter("reading")
    adaptation.adapt_encoder(run, token, texts, on_progress=progress.report)


def _learn_and_order(run: TrainingRun, token: int, progress: "Progress") -> None:
    if run.kind != TrainingRun.Kind.ORDER:
        _learn(run, token, progress)
    progress.enter("scoring")
    ordered_by = None
    # Somebody may put another model in charge while one reads the queue.
    while (version := in_charge(run.campaign_id)) != ordered_by:
        asked = timezone.now()
        order_queue(version, number=run.number, on_progress=progress.share)
        ModelVersion.objects.filter(pk=version.pk).update(ordered_at=timezone.now())
        runs.order_given(run.campaign_id, asked=asked)
        ordered_by = version


def _learn(run: TrainingRun, token: int, progress: "Progress") -> None:
    """Make the run's models, judge them, and let the best of them try the gate."""
    progress.enter("snapshot")
    config = config_of(run)
    snapshot = _snapshot(run, token, config, runs.run_directory(run))
    examples = checked_examples(snapshot)
    bench = bench_of(snapshot, examples)
    progress.enter("training")
    made = {version.family: version for version in run.versions.all()}
    opinions: dict[ModelVersion, Opinion] = {}  # on the bench: what was read once need not be read again
    vectors_of = cache(partial(snapshot_vectors, run.campaign, snapshot))
    for family in families_of(run, snapshot):
        if family not in made:
            version, opinion = _make(
                run, token, family, vectors_of, snapshot, examples, config, bench, progress
            )
            made[family], opinions[version] = version, opinion
    progress.enter("judging")
    try_the_gate(run, token, list(made.values()), bench, opinions, on_progress=progress.share)
    if run.kind == TrainingRun.Kind.TRAIN:  # refits come so often that their rounds would be one and the same
        measure_round(run, now=timezone.now())


def _make(
    run: TrainingRun,
    token: int,
    family: str,
    vectors_of: VectorsOf,
    snapshot: Snapshot,
    examples: Examples,
    config: FineTuneConfig,
    bench: Bench,
    progress: "Progress",
) -> tuple[ModelVersion, Opinion]:
    """Train a model and keep it with its figures; no model is in charge for having been made."""
    directory = runs.run_directory(run)
    learned = learn(
        family,
        vectors_of,
        examples,
        config,
        output_dir=directory / family,
        checkpoint_dir=directory / "checkpoint",
        on_progress=progress.report,
    )
    version = ModelVersion(
        campaign=run.campaign,
        run=run,
        family=family,
        path=str(learned.path),
        sha256=learned.sha256,
        label_keys=list(snapshot.class_names),
        lineage=lineage_of(learned.manifest, snapshot),
    )
    progress.check()
    opinion = opinion_of(version, bench)
    version.metrics = metrics_of(version, bench, opinion)
    if wants_trials(len(bench)) and snapshot.head not in MARKING_HEADS:  # of these there is one model a run
        version.metrics["trial"] = trial_of(version, snapshot, examples, learned.out_of_fold).to_dict()
    return runs.keep_model(run.pk, token, version), opinion


def _snapshot(run: TrainingRun, token: int, config: FineTuneConfig, directory: Path) -> Snapshot:
    """The run's own snapshot; taken once, however often the run is taken up."""
    if run.snapshot_sha256:
        return kept_snapshot(run)
    now = timezone.now()
    # An attempt that was thought lost may still write: to a file of its own, and the row names one of them.
    snapshot = take_snapshot(run, directory / f"snapshot-{token}.jsonl", config, settled_by=now)
    runs.beat_run(
        run.pk,
        token,
        now=now,
        snapshot_path=str(snapshot.path),
        snapshot_sha256=snapshot.sha256,
        snapshot_at=now,
        minutes_spent=minutes_spent(run.campaign_id, until=now),
        n_examples=snapshot.n_labels,
        n_left_out=snapshot.n_left_out,
        n_aside=snapshot.n_aside,
        config=config.to_dict(),
    )
    # What is measured after it is of these labels too, and the gate asks what the models learned.
    run.snapshot_at, run.snapshot_path = now, str(snapshot.path)
    return snapshot


def config_of(run: TrainingRun) -> FineTuneConfig:
    if run.config:
        return FineTuneConfig.from_dict(run.config)
    policy = runs.policy_of(run.campaign)
    return FineTuneConfig(
        base_model_path=adaptation.folder_to_start_from(policy), test_share=share_that_judges(policy)
    )


def _explain(error: Exception) -> tuple[str, str]:
    if isinstance(error, OSError):
        if error.errno in NO_ROOM:
            return "disk_full", DISK_FULL
        reason = error.strerror or type(error).__name__
        return "file_error", f"A file could not be read or written ({reason})."
    return (
        "unforeseen",
        f"Something unforeseen stopped the run ({type(error).__name__}); the worker's log has it.",
    )


class Progress:
    """Carries how far the run is to its row and to whoever watches; stops the work once the run is lost."""

    SHARES = {
        "collecting": (0.0, 0.02),
        "reading": (0.02, 1.0),
        "snapshot": (0.0, 0.02),
        "training": (0.02, 0.65),
        "judging": (0.65, 0.7),
        "scoring": (0.7, 1.0),
    }

    def __init__(self, run: TrainingRun, token: int, check: Callable[[], None], watch: Watcher):
        self.run, self.token, self.check, self.watch = run, token, check, watch
        self.stage = "snapshot"

    def enter(self, stage: str) -> None:
        self.stage = stage
        self.share(0.0)

    def share(self, share_of_stage: float, **more) -> None:
        self.check()
        low, high = self.SHARES[self.stage]
        share_done = low + (high - low) * share_of_stage
        self.watch(self.stage, share_done)
        runs.beat_run(
            self.run.pk, self.token, now=timezone.now(), stage=self.stage, share_done=share_done, **more
        )

    def report(self, progress: "encoder.Progress") -> None:
        self.share(progress.share_done, history=progress.history)
