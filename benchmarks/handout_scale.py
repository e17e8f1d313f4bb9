"""How the hand-out grows: with the open tasks, and with what one volunteer has had. Prints JSON.

Services only, without a web server: claim and answer, as the API calls them. Small and large campaign take
turns, so that whatever else the machine does disturbs both alike.

    ./hc bench handout_scale --tasks 1000000
"""

import argparse
import json
import re
import statistics
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from uuid import uuid4

import _fixtures as fixtures
import _stack as stack

ANSWER = {"label": "yes"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=1_000_000, help="of the large campaign")
    parser.add_argument("--turns", type=int, default=2000, help="claims with answers in each campaign")
    parser.add_argument("--claims", type=int, default=10_000, help="of one volunteer alone")
    arguments = parser.parse_args()
    with stack.data_directory():
        small, large = fixtures.make_campaign(10_000), fixtures.make_campaign(arguments.tasks)
        results = {
            "open_tasks": compare_sizes(small, large, arguments.turns),
            "one_volunteer": one_volunteer(large, arguments.claims),
            "plans": plans(large),
            "statements_ms": time_statements(small),
            "pairs_per_s": {str(n): pairs_per_second(small, n) for n in (1, 8)},
            "heap_only_update_share": heap_only_updates(),
        }
    print(json.dumps(results, indent=2))


def compare_sizes(small, large, n_turns: int) -> dict:
    seconds = {small.pk: [], large.pk: []}
    volunteers = {campaign.pk: users_of(campaign, 8) for campaign in (small, large)}
    for turn in range(n_turns):
        for campaign in (small, large):
            users = volunteers[campaign.pk]
            seconds[campaign.pk].append(claim_and_answer(campaign, users[turn % len(users)]))
    few, many = (figures(seconds[campaign.pk][16:]) for campaign in (small, large))
    return {
        f"{small.n_tasks}": few,
        f"{large.n_tasks}": many,
        "p95_ratio": round(many["p95_ms"] / few["p95_ms"], 2),
    }


def one_volunteer(campaign, n_claims: int) -> dict:
    """Median around the 100th and the last claim; then the first claim after the queue was ordered anew."""
    from django.db.models import F

    from annotation.models import Campaign

    [user] = users_of(campaign, 1)
    seconds = [claim_and_answer(campaign, user) for _ in range(n_claims)]
    early, last = statistics.median(seconds[50:150]), statistics.median(seconds[-100:])
    Campaign.objects.filter(pk=campaign.pk).update(queue_epoch=F("queue_epoch") + 1)
    return {
        "claim_100_ms": round(1000 * early, 2),
        f"claim_{n_claims}_ms": round(1000 * last, 2),
        "ratio": round(last / early, 2),
        "first_claim_after_a_new_order_ms": round(1000 * claim_and_answer(campaign, user), 2),
    }


def plans(campaign) -> dict:
    """Time and buffers of the statement that finds the best task, for who is new and for who has had many."""
    from annotation.models import Volunteer
    from annotation.services.handout import FIRST

    [newcomer] = users_of(campaign, 1)
    by_answers = Volunteer.objects.filter(campaign=campaign).order_by("-days__n_answers")
    veteran = by_answers.exclude(days=None).first()
    cursor = (-veteran.cursor_priority, veteran.cursor_task)
    return {
        "newcomer": explain(newcomer.volunteers.get(), FIRST),
        "veteran_with_cursor": explain(veteran, cursor),
        "veteran_without_cursor": explain(veteran, FIRST),
    }


def explain(volunteer, cursor: tuple) -> dict:
    from django.db import connection, transaction
    from django.utils import timezone

    from annotation.services.handout import CLAIM_BEST

    parameters = {
        "campaign": volunteer.campaign_id, "volunteer": volunteer.pk, "queue_epoch": 0,
        "cursor_priority": cursor[0], "cursor_task": cursor[1], "now": timezone.now(),
        "expires_at": timezone.now(),
    }  # fmt: skip
    with transaction.atomic(), connection.cursor() as database:
        database.execute("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) " + CLAIM_BEST.sql, parameters)
        [report] = database.fetchone()[0]
        transaction.set_rollback(True)
    scan = node(report["Plan"], lambda n: n.get("Index Name") == "task_queue")
    return {
        "execution_ms": round(report["Execution Time"], 2),
        "planning_ms": round(report["Planning Time"], 2),
        "buffers": report["Plan"]["Shared Hit Blocks"] + report["Plan"]["Shared Read Blocks"],
        "passed_over": scan and scan.get("Rows Removed by Filter", 0),
        "index_condition": scan and scan.get("Index Cond"),
        "sorts": node(report["Plan"], lambda n: n["Node Type"] == "Sort") is not None,
    }


def node(plan: dict, wanted: Callable[[dict], bool]) -> dict | None:
    if wanted(plan):
        return plan
    return next((found for child in plan.get("Plans", ()) if (found := node(child, wanted))), None)


def time_statements(campaign) -> dict:
    """Median milliseconds of each statement of a claim with its answer, as the client sees it."""
    from django.db import connection

    seconds = defaultdict(list)

    def timed(execute, sql, params, many, context):
        began = time.perf_counter()
        try:
            return execute(sql, params, many, context)
        finally:
            seconds[re.sub(r"\s+", " ", sql)[:60].strip()].append(time.perf_counter() - began)

    [user] = users_of(campaign, 1)
    with connection.execute_wrapper(timed):
        for _ in range(500):
            claim_and_answer(campaign, user)
    return {
        sql: round(1000 * statistics.median(times), 2) for sql, times in seconds.items() if len(times) > 100
    }


def pairs_per_second(campaign, n_threads: int, seconds: float = 8) -> float:
    from django.db import connection

    counts = []

    def work(user) -> None:
        n, end = 0, time.monotonic() + seconds
        while time.monotonic() < end:
            claim_and_answer(campaign, user)
            n += 1
        counts.append(n)
        connection.close()

    threads = [threading.Thread(target=work, args=[user]) for user in users_of(campaign, n_threads)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return round(sum(counts) / seconds, 1)


def heap_only_updates() -> dict:
    """The share of updates that touched no index: what keeps the queue's index small under load."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_force_next_flush()")
        cursor.execute(
            """SELECT relname, n_tup_upd, n_tup_hot_upd, n_dead_tup, autovacuum_count
            FROM pg_stat_user_tables WHERE n_tup_upd > 1000 ORDER BY relname"""
        )
        return {
            table: {"updates": n, "heap_only": round(hot / n, 3), "dead": dead, "autovacuums": vacuums}
            for table, n, hot, dead, vacuums in cursor.fetchall()
        }


def users_of(campaign, n: int) -> list:
    from annotation.models import User

    return list(User.objects.filter(username__in=fixtures.make_volunteers(campaign, n, uuid4().hex)))


def claim_and_answer(campaign, user) -> float:
    """Seconds for both."""
    from django.utils import timezone

    from annotation.services.answers import submit_answer
    from annotation.services.handout import claim_task

    began = time.perf_counter()
    place = claim_task(campaign.pk, user, now=timezone.now())
    submit_answer(place.assignment_id, user, ANSWER, key=uuid4(), now=timezone.now())
    return time.perf_counter() - began


def figures(seconds: list[float]) -> dict:
    ordered = sorted(seconds)
    return {
        "p50_ms": round(1000 * statistics.median(ordered), 2),
        "p95_ms": round(1000 * ordered[int(0.95 * len(ordered))], 2),
    }


if __name__ == "__main__":
    main()
