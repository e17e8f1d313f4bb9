"""How long it takes to find the three settled texts that look most like one, among 100,000. Prints JSON.

The vectors are made up (384 numbers, as MiniLM's, of length 1); rows and query are the product's own, an
exact scan in PostgreSQL. Beside it the same in numpy, once the vectors are in the process's memory, and the
reading of them.

    ./hc bench neighbours --tasks 100000
"""

import argparse
import json
import os
import statistics
import time

import _fixtures as fixtures
import _stack as stack
import numpy as np
from rescoring_embeddings import write_embeddings

SHA256 = "e" * 64
SETTLE = """
INSERT INTO annotation_consensus
    (task_id, campaign_id, method, label, value, share, votes, n_answers, settled_at)
SELECT id, campaign_id, 'majority', 'yes', '{"label": "yes"}', 1, '{"yes": 3}', 3, now()
FROM annotation_microtask WHERE campaign_id = %s
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tasks", type=int, default=100_000)
    parser.add_argument("--times", type=int, default=10)
    arguments = parser.parse_args()
    with stack.data_directory():
        campaign = fixtures.make_campaign(arguments.tasks)
        write_embeddings(campaign, SHA256)
        settle(campaign)
        print(json.dumps(measure(campaign, arguments.tasks, arguments.times), indent=1))


def settle(campaign) -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(SETTLE, [campaign.pk])
        cursor.execute("VACUUM ANALYZE annotation_consensus, training_embedding")


def measure(campaign, n_tasks: int, n_times: int) -> dict:
    from annotation.models import MicroTask
    from training.services.embeddings import vector_pages
    from training.services.neighbours import settled_neighbours

    tasks = list(MicroTask.objects.filter(campaign=campaign)[:n_times])
    scans = [timed(lambda task=task: settled_neighbours(task)) for task in tasks]
    began_at = time.perf_counter()
    vectors = np.concatenate([page for _, page in vector_pages(campaign.pk, SHA256)])
    reading = time.perf_counter() - began_at
    in_memory = vectors.astype(np.float32)
    numpy_scans = [
        timed(lambda row=row: np.argpartition(-(in_memory @ in_memory[row]), 3)[:3]) for row in range(n_times)
    ]
    return {
        "benchmark": "neighbours",
        "tasks": n_tasks,
        "seconds_in_postgresql": {
            "median": round(statistics.median(scans), 3), "largest": round(max(scans), 3)
        },
        "seconds_to_read_for_numpy": round(reading, 3),
        "seconds_in_numpy_median": round(statistics.median(numpy_scans), 3),
        "load_average": os.getloadavg()[0],
    }  # fmt: skip


def timed(work) -> float:
    began_at = time.perf_counter()
    work()
    return time.perf_counter() - began_at


if __name__ == "__main__":
    main()
