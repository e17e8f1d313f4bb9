"""Order a queue anew from cached embeddings: read, score with a linear head, write priorities. Prints JSON.

The vectors are made up (384 numbers, as MiniLM's, of length 1); rows, queries and writes are the
product's own.

    ./hc bench rescoring_embeddings --tasks 1000000
"""

import argparse
import json
import os
import resource
import tempfile
import time
from pathlib import Path

import _fixtures as fixtures
import _stack as stack
import numpy as np

WIDTH = 384
ROWS = 50_000  # written at a time


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tasks", type=int, default=1_000_000)
    arguments = parser.parse_args()
    with stack.data_directory(), tempfile.TemporaryDirectory() as folder:
        campaign = fixtures.make_campaign(arguments.tasks)
        print(json.dumps(measure(campaign, arguments.tasks, Path(folder)), indent=1))


def measure(campaign, n_tasks: int, folder: Path) -> dict:
    from training.services.base_models import encoder_of
    from training.services.priorities import order_queue

    _, sha256 = encoder_of(campaign)
    embedding_seconds = timed(lambda: write_embeddings(campaign, sha256))
    version = make_version(campaign, sha256, folder)
    marks: list[tuple[float, float]] = []
    began_at = time.monotonic()
    seconds = timed(
        lambda: order_queue(
            version, number=1, on_progress=lambda share: marks.append((share, time.monotonic() - began_at))
        )
    )
    scored_at = max(at for share, at in marks if share <= 0.8)
    campaign.refresh_from_db()
    return {
        "benchmark": "rescoring_embeddings",
        "tasks": n_tasks,
        "seconds_in_all": round(seconds, 1),
        "seconds_to_read_and_score": round(scored_at, 1),
        "seconds_to_choose_and_write": round(seconds - scored_at, 1),
        "tasks_per_second": round(n_tasks / seconds),
        "seconds_to_store_vectors": round(embedding_seconds, 1),
        "ordered_by": campaign.ordered_by_run,
        "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "load_average": os.getloadavg()[0],
    }


def timed(work) -> float:
    began_at = time.monotonic()
    work()
    return time.monotonic() - began_at


def write_embeddings(campaign, sha256: str) -> None:
    from annotation.exchange import open_tasks
    from training.services.embeddings import write_vectors

    tasks, rng = open_tasks(campaign.pk), np.random.default_rng(0)
    for first in range(0, len(tasks), ROWS):
        rows = np.arange(first, min(first + ROWS, len(tasks)))
        vectors = rng.normal(size=(len(rows), WIDTH)).astype(np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        write_vectors(tasks.uuids(rows), vectors.astype(np.float16), sha256)


def make_version(campaign, sha256: str, folder: Path):
    from django.utils import timezone

    from training.algorithms.examples import Examples
    from training.algorithms.splits import TRAIN
    from training.linear import fit_embedding
    from training.models import ModelVersion, TrainingRun

    rng = np.random.default_rng(1)
    examples = Examples(
        head="single",
        class_names=("yes", "no", "unclear"),
        texts=[str(i) for i in range(300)],
        targets=np.eye(3, dtype=np.float32)[rng.integers(3, size=300)],
        weights=np.ones(300, dtype=np.float32),
        parts=np.full(300, TRAIN, dtype=np.int8),
    )
    vectors = rng.normal(size=(300, WIDTH)).astype(np.float16) / WIDTH**0.5
    fitted = fit_embedding(examples, vectors, output_dir=folder / "m", seed=0, base_model_sha256=sha256)
    run = TrainingRun.objects.create(campaign=campaign, number=1, opened_at=timezone.now())
    return ModelVersion.objects.create(
        campaign=campaign, run=run, number=1, family="embedding", path=str(fitted.path),
        sha256=fitted.sha256, label_keys=["yes", "no", "unclear"], lineage={"base_model_sha256": sha256},
    )  # fmt: skip


if __name__ == "__main__":
    main()
