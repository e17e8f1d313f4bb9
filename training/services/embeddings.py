"""Each task's text as a vector of the frozen encoder: made once after import, kept in PostgreSQL."""

import io
import time
from collections.abc import Callable, Iterator, Sequence
from uuid import UUID

import numpy as np
from django.db import connection, transaction
from psycopg2 import sql

from annotation.exchange import packed_ids, texts_of
from annotation.models import Campaign
from training import encoder
from training.half_vectors import packed, unpacked
from training.services.base_models import encoder_of
from training.services.unread import N_DIGITS, tasks_without_vector

BATCH = 1000  # texts whose vectors are written together: what a killed worker loses
PAGE = 50_000  # vectors that one query reads: 40 MB of them at 384 numbers

WRITE = """
INSERT INTO training_embedding (task_id, campaign_id, encoder, vector)
SELECT s.task_id, t.campaign_id, %s, s.vector
FROM staged_embedding s JOIN annotation_microtask t ON t.id = s.task_id
ORDER BY t.id
ON CONFLICT (task_id) DO UPDATE SET encoder = excluded.encoder, vector = excluded.vector
"""
READ_PAGE = """
COPY (SELECT task_id, vector FROM training_embedding
      WHERE campaign_id = {campaign} AND encoder = {encoder} AND task_id > {last}
      ORDER BY task_id LIMIT {page})
TO STDOUT (FORMAT binary)
"""
READ_THESE = """
COPY (SELECT task_id, vector FROM training_embedding
      WHERE encoder = {encoder} AND task_id = ANY({tasks}::uuid[]) ORDER BY task_id)
TO STDOUT (FORMAT binary)
"""


def embed_new_tasks(campaign: Campaign, *, max_seconds: float = float("inf")) -> int:
    """Read what the encoder in use has not read; returns how many tasks are left when the time is over."""
    return embed_tasks(campaign, *encoder_of(campaign), max_seconds=max_seconds)


def embed_tasks(
    campaign: Campaign,
    folder: str,
    sha256: str,
    *,
    max_seconds: float = float("inf"),
    on_progress: Callable[[float], None] = lambda share_done: None,
) -> int:
    """Give every task that lacks one a vector of this encoder, batch after batch; returns how many are left.

    Stops after the batch in which max_seconds are over. Each batch is kept: whoever comes next goes on there,
    and two at once do some work twice and no harm.
    """
    ids = list(tasks_without_vector(campaign, sha256).order_by("pk").values_list("pk", flat=True))
    began_at = time.monotonic()
    for first in range(0, len(ids), BATCH):
        tasks = texts_of(ids[first : first + BATCH])
        is_pair = bool(tasks) and tasks[0].second is not None
        vectors = vectors_of_texts(
            folder, [task.text for task in tasks], [task.second or "" for task in tasks] if is_pair else None
        )
        write_vectors([task.task_id for task in tasks], vectors, sha256)
        n_left = max(len(ids) - first - BATCH, 0)
        on_progress(1 - n_left / len(ids))
        if time.monotonic() - began_at > max_seconds:
            return n_left
    return 0


def vectors_of_texts(folder: str, texts: Sequence[str], seconds: Sequence[str] | None = None) -> np.ndarray:
    """float16 [N, D]; of pairs, both texts' vectors end to end."""
    vectors = encoder.embed(folder, texts)
    return vectors if seconds is None else np.hstack([vectors, encoder.embed(folder, seconds)])


@transaction.atomic
def write_vectors(task_ids: Sequence[UUID], vectors: np.ndarray, sha256: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TEMPORARY TABLE staged_embedding (task_id uuid, vector halfvec) ON COMMIT DROP"
        )
        cursor.copy_expert(
            "COPY staged_embedding FROM STDIN (FORMAT binary)", packed(packed_ids(task_ids), vectors)
        )
        cursor.execute(WRITE, [sha256[:N_DIGITS]])
        cursor.execute("DROP TABLE staged_embedding")


def vector_pages(campaign_id: UUID, sha256: str) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """(ids V16 [M], vectors float16 [M, D]) by task id, in pages: all of them may not fit the memory."""
    last = UUID(int=0)
    while True:
        ids, vectors = _read(
            READ_PAGE, campaign=str(campaign_id), encoder=sha256[:N_DIGITS], last=str(last), page=PAGE
        )
        if len(ids):
            yield ids, vectors
        if len(ids) < PAGE:
            return
        last = UUID(bytes=ids[-1].tobytes())


def vectors_of_tasks(task_ids: Sequence[UUID], sha256: str) -> tuple[np.ndarray, np.ndarray]:
    """(bool [N], which of the tasks have a vector; the vectors, float16 [n, D], in the order of those)."""
    ids, vectors = _read(READ_THESE, encoder=sha256[:N_DIGITS], tasks=[str(one) for one in task_ids])
    place = {task_id.tobytes(): number for number, task_id in enumerate(ids)}
    rows = [place.get(task_id.bytes) for task_id in task_ids]
    has_one = np.array([row is not None for row in rows], dtype=bool)
    return has_one, vectors[[row for row in rows if row is not None]]


def _read(statement: str, **values) -> tuple[np.ndarray, np.ndarray]:
    content = io.BytesIO()
    with connection.cursor() as cursor:
        literals = {name: sql.Literal(value) for name, value in values.items()}
        cursor.copy_expert(sql.SQL(statement).format(**literals), content)
    return unpacked(content.getbuffer())
