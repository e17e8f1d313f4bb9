"""An encoder that has read a campaign's texts before it learns from labels: one run makes it, others use it.

Fine-tuning alone starts from it. The frozen encoder, whose vectors of all texts are kept, stays the base
model: to find masked words is not what makes vectors of like texts alike.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import orjson
from django.conf import settings
from django.utils import timezone

from annotation.exchange import readable_texts
from annotation.models import Campaign
from training import encoder
from training.algorithms.splits import families_of
from training.config import PretrainConfig
from training.model_folders import weights_sha256
from training.models import AdaptedEncoder, TrainingPolicy, TrainingRun
from training.services import runs
from training.services.base_models import folder_of
from training.services.base_origin import base_origin
from training.services.snapshot import judges_models, write_lines

MOST_TEXTS = 100_000  # read of a campaign; more would take a processor days and teach few words more
TextOfRecord = tuple[str, str]


def texts_of_run(run: TrainingRun, token: int) -> list[TextOfRecord]:
    """(record, text) of what the run reads; written down once, however often the run is taken up."""
    if not run.snapshot_path:
        path = runs.run_directory(run) / f"texts-{token}.jsonl"
        texts = drawn_texts(run.campaign)
        write_lines(path, [{"record": record, "text": text} for record, text in texts])
        runs.beat_run(run.pk, token, now=timezone.now(), n_examples=len(texts), snapshot_path=str(path))
        return texts
    rows = [orjson.loads(line) for line in Path(run.snapshot_path).read_bytes().splitlines()]
    return [(row["record"], row["text"]) for row in rows]


def drawn_texts(campaign: Campaign, *, at_most: int = MOST_TEXTS) -> list[TextOfRecord]:
    """(record, text) of each different text, or, as good as drawn by lot, those with the lowest hashes.

    Not what judges models, nor what is nearly equal to it: who had read it would be judged too well.
    """
    drawn: dict[bytes, TextOfRecord] = {}
    judging: set[str] = set()
    judges = judges_models(campaign)
    for task in readable_texts(campaign.pk):
        texts = filter(None, (task.text, task.second))
        if judges(task):
            judging.update(texts)
            continue
        for text in texts:
            drawn.setdefault(hashlib.sha256(text.encode()).digest(), (str(task.record_id), text))
        if len(drawn) > 2 * at_most:
            drawn = dict(sorted(drawn.items())[:at_most])
    rows = [row for _, row in sorted(drawn.items())[:at_most]]
    of_judging, of_rows = np.split(families_of([*judging, *(text for _, text in rows)]), [len(judging)])
    return [row for row, near in zip(rows, np.isin(of_rows, of_judging), strict=True) if not near]


def adapt_encoder(
    run: TrainingRun,
    token: int,
    texts: list[TextOfRecord],
    *,
    on_progress: Callable[[encoder.Progress], None],
) -> AdaptedEncoder:
    """Pretrain the campaign's base model on the texts and register the encoder, once for a run."""
    known = AdaptedEncoder.objects.filter(run=run).first()
    if known is not None:
        return known
    config = PretrainConfig(base_model_path=folder_of(runs.policy_of(run.campaign).base_model))
    runs.beat_run(run.pk, token, now=timezone.now(), config=config.to_dict())
    directory = runs.run_directory(run)
    base = base_origin(config.base_model_path, weights_sha256(encoder.checked_folder(config.base_model_path)))
    adapted = encoder.shared(
        encoder.pretrain,
        [text for _, text in texts],
        [record for record, _ in texts],
        config,
        output_dir=directory / "encoder",
        origin={"name": base.name, "licence": base.licence},
        checkpoint_dir=directory / "checkpoint",
        n_processes=settings.TRAINING_PROCESSES,
        on_progress=on_progress,
    )
    row = AdaptedEncoder(
        campaign_id=run.campaign_id,
        run=run,
        path=str(adapted.path),
        sha256=adapted.sha256,
        base_sha256=adapted.manifest["base_model_sha256"],
        n_texts=len(texts),
        created_at=timezone.now(),
    )
    return runs.keep_encoder(run.pk, token, row)


def folder_to_start_from(policy: TrainingPolicy) -> str:
    """Return the folder of the encoder that has read the texts, if the policy wants it and it is one of the
    base model as it is now; else the base model's."""
    base = folder_of(policy.base_model)
    adapted = AdaptedEncoder.objects.filter(campaign=policy.campaign_id, in_use=True).first()
    if not policy.adapts_encoder or adapted is None:
        return base
    is_of_base = adapted.base_sha256 == weights_sha256(encoder.checked_folder(base))
    return adapted.path if is_of_base else base
