"""Labels a second over real HTTP: session, CSRF, permission, consensus in the transaction, one trip a label.

16 annotators with a session each, 3 answers a task, the load generator on the same machine. Prints JSON.

    ./hc bench labels_per_second --tasks 10000 --seconds 60
"""

import argparse
import json
import statistics
import threading
import time
import uuid
from collections import Counter
from datetime import UTC, datetime

import _fixtures as fixtures
import _stack as stack

PASSWORD = "a-long-bench-passphrase"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, nargs="+", default=[10_000])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--annotators", type=int, default=16)
    parser.add_argument("--server", nargs="+", default=["granian:2"], help="granian:2 gunicorn:4 …")
    arguments = parser.parse_args()
    results = []
    with stack.data_directory():
        for server in arguments.server:
            name, n_workers = server.split(":")
            with stack.web_server(name, int(n_workers)) as port:
                for n_tasks in arguments.tasks:
                    figures = sustained(port, n_tasks, arguments.annotators, arguments.seconds)
                    results.append({"server": server, **figures})
                exhausted = exhaustion(port, arguments.annotators)
            results[-1]["exhaustion_40_x_3"] = exhausted
    print(json.dumps(results, indent=2))


def sustained(port: int, n_tasks: int, n_annotators: int, seconds: float) -> dict:
    campaign = fixtures.make_campaign(n_tasks)
    annotators = work(port, campaign, n_annotators, seconds)
    latencies = sorted(t for a in annotators for t in a.latencies)
    return {
        "tasks": n_tasks,
        "annotators": n_annotators,
        "labels": len(latencies),
        "labels_per_s": round(len(latencies) / seconds, 1),
        "labels_per_s_by_minute": by_minute([t for a in annotators for t in a.ended_at]),
        "p50_ms": round(1000 * statistics.median(latencies), 1),
        "p95_ms": round(1000 * latencies[int(0.95 * len(latencies))], 1),
        "p99_ms": round(1000 * latencies[int(0.99 * len(latencies))], 1),
        "errors": sum(a.n_errors for a in annotators),
        **check(campaign),
    }


def by_minute(ended_at: list[float]) -> list[float]:
    """The rate in each whole minute: does it hold?"""
    first, last = min(ended_at), max(ended_at)
    minutes = Counter(int((at - first) // 60) for at in ended_at)
    return [round(minutes[minute] / 60, 1) for minute in range(int((last - first) // 60))]


def exhaustion(port: int, n_annotators: int) -> dict:
    """40 tasks with a need of 3, worked by everybody until nothing is left: exactly 120 answers."""
    campaign = fixtures.make_campaign(40)
    annotators = work(port, campaign, n_annotators, 60)
    return {"answers": sum(len(a.latencies) for a in annotators), **check(campaign)}


def check(campaign) -> dict:
    from django.db.models import F

    from annotation.models import Answer, MicroTask
    from annotation.services.consensus import recompute_consensus

    tasks = MicroTask.objects.filter(campaign=campaign)
    answers = Answer.objects.filter(assignment__task__campaign=campaign)
    judged = recompute_consensus(campaign, now=datetime.now(UTC), check=True)
    return {
        "answers_stored": answers.count(),
        "tasks_over_their_need": tasks.filter(taken__gt=F("needed")).count(),
        "consensus_differences": sum(d for _, d in judged),
    }


class Annotator(threading.Thread):
    def __init__(self, port, campaign, username, seconds, start: threading.Barrier, until: threading.Event):
        super().__init__(daemon=True)
        self.browser = fixtures.Browser(port)
        self.claim_path = f"/api/v1/campaigns/{campaign.pk}/claim/"
        self.seconds, self.starting, self.stop_at = seconds, start, until
        self.latencies: list[float] = []
        self.ended_at: list[float] = []
        self.n_errors = 0
        self.browser.sign_in(username, PASSWORD)

    def run(self) -> None:
        self.starting.wait()
        until = time.monotonic() + self.seconds
        status, assignment = self.browser.post(self.claim_path, {})
        self.n_errors += status not in (200, 204)
        while assignment and time.monotonic() < until and not self.stop_at.is_set():
            labels = assignment["task"]["labels"]
            body = {
                "key": str(uuid.uuid4()),
                "answer": {"label": labels[len(self.latencies) % len(labels)]["key"]},
                "next": True,
            }
            began = time.monotonic()
            status, reply = self.browser.post(f"/api/v1/assignments/{assignment['id']}/answer/", body)
            if status != 200:
                self.n_errors += 1
                return
            self.ended_at.append(time.monotonic())
            self.latencies.append(self.ended_at[-1] - began)
            assignment = reply["next"]


def work(
    port: int, campaign, n_annotators: int, seconds: float, until: threading.Event | None = None
) -> list[Annotator]:
    """All annotators label for so many seconds, or until the event, or until nothing is left."""
    start, until = threading.Barrier(n_annotators), until or threading.Event()
    names = fixtures.make_volunteers(campaign, n_annotators, PASSWORD)
    annotators = [Annotator(port, campaign, name, seconds, start, until) for name in names]
    for annotator in annotators:
        annotator.start()
    for annotator in annotators:
        annotator.join()
    return annotators


if __name__ == "__main__":
    main()
