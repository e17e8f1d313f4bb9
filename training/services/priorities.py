"""A model's opinion of every open task, turned into the order in which they are asked."""

import io
from collections.abc import Callable, Sequence
from uuid import UUID

import numpy as np
import orjson
from django.db import connection
from django.utils import timezone

from annotation import exchange
from training import encoder
from training.algorithms.acquisition import ACQUISITIONS, queue_priorities
from training.models import ModelVersion
from training.services.runs import policy_of
from training.services.snapshot import learned_tasks

WRITE_PREDICTIONS = """
INSERT INTO training_prediction (task_id, model_version_id, version_number, probabilities, explored)
SELECT task_id, %(model)s, %(number)s, probabilities, explored FROM staged_prediction
WHERE n > %(first)s AND n <= %(first)s + %(chunk)s
ON CONFLICT (task_id) DO UPDATE SET model_version_id = excluded.model_version_id,
    version_number = excluded.version_number, probabilities = excluded.probabilities,
    explored = excluded.explored
WHERE training_prediction.version_number <= excluded.version_number
"""
CHUNK = 5000


def order_queue(version: ModelVersion, *, seed: int, on_progress: Callable[[float], None]) -> int:
    """Score all open tasks, least certain first with the policy's share at random; returns how many."""
    policy = policy_of(version.campaign)
    tasks = list(exchange.unlabelled_texts(version.campaign_id))
    if not tasks:
        return 0
    probabilities = encoder.predict_proba(
        version.path, [task.text for task in tasks], on_progress=lambda share: on_progress(0.8 * share)
    )
    priority, explored = queue_priorities(
        ACQUISITIONS[policy.acquisition](probabilities),
        exploration_share=policy.exploration_share,
        rng=np.random.default_rng(seed),
    )
    ids = [task.task_id for task in tasks]
    write_predictions(version, ids, probabilities, explored)
    on_progress(0.9)
    exchange.set_priorities(
        version.campaign_id,
        zip(ids, priority.tolist(), strict=True),
        version=version.number,
        now=timezone.now(),
    )
    if exchange.hears_models(version.campaign_id):
        learned = learned_tasks(version.run)
        exchange.set_opinions(
            version.campaign_id,
            (
                (task_id, dict(zip(version.label_keys, row, strict=True)))
                for task_id, row in zip(ids, probabilities.round(5).tolist(), strict=True)
                if str(task_id) not in learned
            ),
            version=version.number,
        )
    return len(tasks)


def write_predictions(
    version: ModelVersion, task_ids: Sequence[UUID], probabilities: np.ndarray, explored: np.ndarray
) -> None:
    """Store one opinion a task: probabilities [N, K] float, explored [N] bool. A newer model's stay."""
    rows = io.StringIO()
    for task_id, row, at_random in zip(
        task_ids, probabilities.round(5).tolist(), explored.tolist(), strict=True
    ):
        rows.write(f"{task_id}\t{orjson.dumps(row).decode()}\t{at_random}\n")
    rows.seek(0)
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS staged_prediction")
        cursor.execute(
            """CREATE TEMPORARY TABLE staged_prediction
            (n serial PRIMARY KEY, task_id uuid, probabilities jsonb, explored boolean)"""
        )
        cursor.copy_expert("COPY staged_prediction (task_id, probabilities, explored) FROM STDIN", rows)
        for first in range(0, len(task_ids), CHUNK):
            cursor.execute(
                WRITE_PREDICTIONS,
                {"model": version.pk, "number": version.number, "first": first, "chunk": CHUNK},
            )
        cursor.execute("DROP TABLE staged_prediction")
