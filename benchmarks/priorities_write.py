"""Write priorities for a million tasks while 16 annotators go on labelling. Prints JSON.

First the annotators work alone, then again while a model's priorities are written; p95 before and during.

    ./hc bench priorities_write --tasks 1000000
"""

import argparse
import json
import threading
import time

import _fixtures as fixtures
import _stack as stack
import numpy as np
from labels_per_second import check, work


def p95_ms(annotators, during: tuple[float, float] | None = None) -> float:
    low, high = during or (0.0, float("inf"))
    latencies = sorted(
        seconds
        for a in annotators
        for seconds, ended in zip(a.latencies, a.ended_at, strict=True)
        if low <= ended <= high
    )
    return round(1000 * latencies[int(0.95 * len(latencies))], 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=1_000_000)
    parser.add_argument("--annotators", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=30, help="of labelling alone, before")
    arguments = parser.parse_args()
    with stack.data_directory():
        campaign = fixtures.make_campaign(arguments.tasks)
        with stack.web_server() as port:
            alone = work(port, campaign, arguments.annotators, arguments.seconds)
            writer = PriorityWriter(campaign)
            threading.Timer(3, writer.start).start()
            beside = work(port, campaign, arguments.annotators, 120, until=writer.over)
            writer.join()
        figures = {
            "tasks": arguments.tasks,
            "written": writer.n_written,
            "seconds": round(writer.ended_at - writer.began_at, 1),
            "p95_ms_before": p95_ms(alone),
            "p95_ms_during": p95_ms(beside, (writer.began_at, writer.ended_at)),
            "labels_per_s_before": round(sum(len(a.latencies) for a in alone) / arguments.seconds, 1),
            "labels_during": sum(writer.began_at <= t <= writer.ended_at for a in beside for t in a.ended_at),
            "errors": sum(a.n_errors for a in [*alone, *beside]),
            **check(campaign),
        }
    print(json.dumps(figures, indent=2))


class PriorityWriter(threading.Thread):
    """A model's priorities for all open tasks, in the order in which a scorer gives them."""

    def __init__(self, campaign):
        super().__init__(daemon=True)
        from annotation.models import MicroTask

        self.campaign = campaign
        self.over = threading.Event()
        ids = MicroTask.objects.filter(campaign=campaign, is_open=True).order_by("pk")
        self.task_ids = list(ids.values_list("pk", flat=True).iterator())
        self.n_written, self.began_at, self.ended_at = 0, 0.0, 0.0

    def run(self) -> None:
        from django.db import connection
        from django.utils import timezone

        from annotation.exchange import set_priorities

        priorities = np.random.default_rng(0).random(len(self.task_ids)).tolist()
        self.began_at = time.monotonic()
        self.n_written = set_priorities(
            self.campaign.pk,
            zip(self.task_ids, priorities, strict=True),
            run=1,
            now=timezone.now(),
        )
        self.ended_at = time.monotonic()
        connection.close()
        self.over.set()


if __name__ == "__main__":
    main()
