"""One model of one family from a snapshot: what each family takes beside the examples, and what it gives."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import numpy as np
from django.conf import settings

from annotation.models import Campaign
from training import encoder, linear
from training.algorithms.examples import MARKING_HEADS, Examples
from training.algorithms.rehearsals import held_out_in_turn
from training.algorithms.splits import TEST, TRAIN
from training.config import FineTuneConfig
from training.encoder.refusals import too_few_examples
from training.errors import NothingToLearn
from training.models import ModelVersion, TrainingRun
from training.services.base_models import base_encoder_of, encoder_of
from training.services.embeddings import vectors_of_tasks, vectors_of_texts, write_vectors
from training.services.marks import MARKING
from training.services.snapshot import Snapshot, examples_of

Family = ModelVersion.Family
VectorsOf = Callable[[], tuple[np.ndarray, str]]  # see snapshot_vectors


@dataclass(frozen=True, slots=True)
class Learned:
    """A model's folder, the SHA-256 of its weights and what its manifest says.

    out_of_fold: (rows [M] of the examples, [M, K] what models like it thought of them that had not learned
    from them); None where there is nothing to tell, or where the model itself may be asked.
    """

    path: Path
    sha256: str
    manifest: dict
    out_of_fold: tuple[np.ndarray, np.ndarray] | None = None


def families_of(run: TrainingRun, snapshot: Snapshot) -> list[str]:
    """Which models a run makes, the encoder first: what it refuses, no other model answers for."""
    if snapshot.head in MARKING_HEADS:
        return [Family.ENCODER] if run.kind == TrainingRun.Kind.TRAIN else []
    fast = [Family.EMBEDDING, Family.TFIDF, Family.COMBINED]
    return [Family.ENCODER, *fast] if run.kind == TrainingRun.Kind.TRAIN else fast


def checked_examples(snapshot: Snapshot) -> Examples:
    """The snapshot's examples; or a refusal where nothing could be learned or judged."""
    examples = examples_of(snapshot)
    if not len(examples.rows(TRAIN)) and any(row["origin"] == "gold" for row in snapshot.rows):
        raise NothingToLearn(
            "Nearly all that people decided is gold, which only judges models: nothing is left to learn. "
            "Lower the share of gold that judges under “When and how”, or wait for more answers.",
            code="all_is_gold",
        )
    if not len(examples.rows(TEST)) or not len(examples.rows(TRAIN)):
        raise too_few_examples()
    if examples.head in ("single", "ordinal") and len(np.unique(examples.labels[examples.rows(TRAIN)])) < 2:
        raise NothingToLearn(
            "All examples to train on have the same label, so there is nothing to tell apart. "
            "Collect examples of at least two labels.",
            code="one_class",
        )
    return examples


def learn(
    family: str,
    vectors_of: VectorsOf,
    examples: Examples,
    config: FineTuneConfig,
    *,
    output_dir: Path,
    checkpoint_dir: Path | None = None,
    on_progress: Callable[[encoder.Progress], None] | None = None,
) -> Learned:
    """Equal arguments give equal models on one machine; vectors_of is asked by those that take vectors."""
    if family == Family.ENCODER:
        fine_tune = MARKING[examples.head].fine_tune if examples.head in MARKING else encoder.fine_tune
        tuned = encoder.shared(
            fine_tune,
            examples,
            config,
            output_dir=output_dir,
            checkpoint_dir=checkpoint_dir,
            n_processes=settings.TRAINING_PROCESSES,
            on_progress=on_progress,
        )
        return Learned(tuned.path, tuned.sha256, tuned.manifest, tuned.out_of_fold)
    n_train = len(examples.counting(TRAIN))
    same = {"seed": config.seed, "held_out": None}
    if n_train < config.enough_examples:  # else what chooses C is what an encoder's own parts hold out
        same["held_out"] = held_out_in_turn(examples, config.n_rehearsals(n_train), seed=config.seed)
    if family == Family.TFIDF:
        made = linear.fit_tfidf(examples, output_dir=output_dir, **same)
    else:
        vectors, sha256 = vectors_of()
        fit = linear.fit_embedding if family == Family.EMBEDDING else linear.fit_combined
        made = fit(examples, vectors, output_dir=output_dir, base_model_sha256=sha256, **same)
    return Learned(made.path, made.sha256, made.manifest, made.out_of_fold)


def snapshot_vectors(campaign: Campaign, snapshot: Snapshot) -> tuple[np.ndarray, str]:
    """(float16 [N, D] of the snapshot's texts, SHA-256 of the encoder); what is not read yet is read now."""
    folder, sha256 = base_encoder_of(campaign)
    tasks = [UUID(row["task"]) for row in snapshot.rows]
    has_one, known = vectors_of_tasks(tasks, sha256)
    missing = np.flatnonzero(~has_one)
    if not len(missing):
        return known, sha256
    rows = [snapshot.rows[place] for place in missing]
    seconds = [row["second"] for row in rows] if rows[0]["second"] is not None else None
    read = vectors_of_texts(folder, [row["text"] for row in rows], seconds)
    if sha256 == encoder_of(campaign)[1]:  # what the model in charge takes stays
        write_vectors([tasks[place] for place in missing], read, sha256)
    vectors = np.empty((len(tasks), read.shape[1]), dtype=np.float16)
    vectors[missing] = read
    if len(known):
        vectors[has_one] = known
    return vectors, sha256
