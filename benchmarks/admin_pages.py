"""How long an admin's pages take in a large campaign, and which statements that is. Prints JSON.

No web server and no browser: each page as Django answers it, its statements counted and timed. The first time
is left out; figures are medians, and of processor time, this process's and its database session's, means.

    ./hc bench admin_pages --answers 200000 --runs 20
"""

import argparse
import json
import os
import statistics
import time
from pathlib import Path

import _fixtures as fixtures
import _stack as stack

WITH_ALL = {"gold": 2000, "reviews": 300, "ties": 400, "doubts": 60, "held": 50, "trail": 20_000}

# As many answers a task as asked for; who gives them goes round, so that every two volunteers share tasks.
INSERT_ASSIGNMENTS = """
WITH person AS (
    SELECT id, row_number() OVER (ORDER BY id) - 1 AS n FROM annotation_volunteer WHERE campaign_id = %s
), task AS (
    SELECT id, row_number() OVER (ORDER BY id) AS n FROM annotation_microtask WHERE campaign_id = %s
    ORDER BY id LIMIT %s
)
INSERT INTO annotation_assignment
    (id, task_id, volunteer_id, state, claimed_at, expires_at, closed_at, skip_reason)
SELECT gen_random_uuid(), task.id, person.id, 'answered', at, at, at, ''
FROM task CROSS JOIN generate_series(1, %s) place
JOIN person ON person.n = (task.n * (1 + task.n / 997) + place * (7 + task.n %% 13)) %% %s
CROSS JOIN LATERAL (
    SELECT now() - interval '50 days' * (1 - task.n::float / %s) - place * interval '1 hour' AS at
) moment
ON CONFLICT DO NOTHING
"""
INSERT_ANSWERS = """
INSERT INTO annotation_answer (assignment_id, key, value, answered_at, seconds, n_revisions)
SELECT a.id, a.id,
       jsonb_build_object('label', (ARRAY['yes', 'yes', 'yes', 'no', 'unclear'])[
           CASE WHEN random() < 0.8 THEN 1 + abs(hashtext(t.id::text)) %% 5 ELSE ceil(5 * random()) END]),
       a.closed_at, 3 + 20 * random(), 0
FROM annotation_assignment a JOIN annotation_microtask t ON t.id = a.task_id WHERE t.campaign_id = %s
"""
INSERT_CONSENSUS = """
WITH vote AS (
    SELECT a.task_id, an.value->>'label' AS label, count(*) AS n, max(an.answered_at) AS at
    FROM annotation_assignment a JOIN annotation_answer an ON an.assignment_id = a.id
    JOIN annotation_microtask t ON t.id = a.task_id WHERE t.campaign_id = %s GROUP BY 1, 2
), found AS (
    SELECT task_id, jsonb_object_agg(label, n) AS votes, sum(n) AS n_answers, max(n) AS most, max(at) AS at,
           (array_agg(label ORDER BY n DESC))[1] AS label, count(*) AS n_labels
    FROM vote GROUP BY task_id
)
INSERT INTO annotation_consensus
    (task_id, campaign_id, method, label, value, share, votes, n_answers, settled_at, certainty, entropy,
     posterior)
SELECT task_id, %s, 'one_coin', CASE WHEN most = 1 THEN '' ELSE label END,
       CASE WHEN most > 1 THEN jsonb_build_object('label', label) END,
       most::float / n_answers, votes, n_answers, at, 0.6 + 0.4 * random(), random(), votes
FROM found
"""
INSERT_DAYS = """
INSERT INTO annotation_volunteerday (volunteer_id, day, n_answers)
SELECT a.volunteer_id, a.closed_at::date, count(*) FROM annotation_assignment a
JOIN annotation_volunteer v ON v.id = a.volunteer_id WHERE v.campaign_id = %s GROUP BY 1, 2
"""
INSERT_GOLD = """
INSERT INTO annotation_gold (task_id, campaign_id, label, value, origin, created_at)
SELECT task_id, campaign_id, 'yes', '{"label": "yes"}', 'file', now() FROM annotation_consensus
WHERE campaign_id = %s AND value IS NOT NULL ORDER BY md5(task_id::text) LIMIT %s
"""
MARK_REVIEWS = """
UPDATE annotation_consensus SET review = 'undecided' WHERE task_id IN (
    SELECT task_id FROM annotation_consensus WHERE campaign_id = %s ORDER BY md5(task_id::text) DESC LIMIT %s)
"""
INSERT_DOUBTS = """
INSERT INTO annotation_guidelinedoubt (campaign_id, task_id, note, at)
SELECT campaign_id, task_id, '', now() FROM annotation_consensus
WHERE campaign_id = %s AND value IS NULL LIMIT %s
"""
INSERT_SKILLS = """
INSERT INTO annotation_skill
    (volunteer_id, version, parameters, accuracy, low, high, n_answers, confusion, evidence)
SELECT id, 1, '{}', 0.8, 0.75, 0.85, 1000, '[[9, 1, 0], [1, 8, 1], [1, 1, 4]]', '{}' FROM annotation_volunteer
WHERE campaign_id = %s
"""
HOLD_RECORDS = """
UPDATE annotation_record SET held = true WHERE id IN (
    SELECT t.record_id FROM annotation_microtask t WHERE t.campaign_id = %s AND t.taken = 0 LIMIT %s)
"""
INSERT_TRAIL = """
INSERT INTO annotation_trailentry (user_id, campaign_id, verb, detail, at)
SELECT %s, %s, 'read_queue_head', '{"tasks": []}', now() - n * interval '1 minute'
FROM generate_series(1, %s) n
"""
PLACES = (
    "UPDATE annotation_microtask SET taken = needed WHERE id IN (SELECT task_id FROM annotation_consensus)"
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--answers", type=int, default=200_000)
    parser.add_argument("--each", type=int, default=3, help="answers a task")
    parser.add_argument("--runs", type=int, default=20, help="of training, four models each")
    parser.add_argument("--volunteers", type=int, default=200)
    parser.add_argument("--times", type=int, default=7, help="that each page is asked for")
    parser.add_argument("--pages", nargs="*", help="only these")
    parser.add_argument("--explain", type=float, help="plans of statements that take as many milliseconds")
    arguments = parser.parse_args()
    with stack.data_directory():
        campaign, admin = make(arguments)
        report = {"agreement, by a worker": processor_seconds_of_agreement(campaign)}
        for name, page in pages(campaign).items():
            if not arguments.pages or name in arguments.pages:
                report[name] = measure(admin, *page, arguments)
    print(json.dumps(report, indent=2, ensure_ascii=False))


def make(arguments):
    from django.db import connection

    from annotation.models import Membership, Role, User

    n_volunteers, n_runs = arguments.volunteers, arguments.runs
    n_done = arguments.answers // arguments.each
    campaign = fixtures.make_campaign(n_done * 3 // 2, needed=arguments.each)
    admin = User.objects.create_user("admin")
    Membership.objects.create(user=admin, campaign=campaign, role=Role.CAMPAIGN_ADMIN)
    fixtures.make_volunteers(campaign, n_volunteers, "unused")
    pk = campaign.pk
    with connection.cursor() as cursor:
        cursor.execute(INSERT_ASSIGNMENTS, [pk, pk, n_done, arguments.each, n_volunteers, n_done])
        for statement in (INSERT_ANSWERS, INSERT_DAYS, INSERT_SKILLS):
            cursor.execute(statement, [pk])
        cursor.execute(INSERT_CONSENSUS, [pk, pk])
        cursor.execute(PLACES)
        cursor.execute(INSERT_GOLD, [pk, WITH_ALL["gold"]])
        cursor.execute(MARK_REVIEWS, [pk, WITH_ALL["reviews"]])
        cursor.execute(INSERT_DOUBTS, [pk, WITH_ALL["doubts"]])
        cursor.execute(HOLD_RECORDS, [pk, WITH_ALL["held"]])
        cursor.execute(INSERT_TRAIL, [admin.pk, pk, WITH_ALL["trail"]])
    fit_crowd(campaign)
    campaign.ordered_by_run = n_runs
    campaign.save()
    make_runs(campaign, n_runs)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
    return campaign, admin


def fit_crowd(campaign) -> None:
    """The engine's fit to these answers, kept as a worker keeps it; the consensus stays as it was written."""
    from annotation.kinds import kind_named
    from annotation.models import CrowdFit, Skill
    from annotation.services.crowd import read_table

    table, _, volunteers = read_table(campaign)
    fitted = kind_named(campaign.kind).fit(table, campaign.labels, method="engine")
    fit = CrowdFit.objects.create(
        campaign=campaign, number=1, method="engine", parameters=fitted.crowd, n_answers=len(table.task),
        n_given=len(table.task), n_tasks=table.n_tasks, seconds=9, fitted_at=campaign.created_at,
    )  # fmt: skip
    for volunteer, row in zip(volunteers, fitted.skills, strict=True):
        Skill.objects.filter(pk=volunteer).update(parameters=row.parameters)
    campaign.aggregation, campaign.crowd_version = "engine", fit.number


def processor_seconds_of_agreement(campaign) -> float:
    from django.utils import timezone

    from annotation.services.agreement import store_agreement

    began = processor_seconds()
    store_agreement(campaign, now=timezone.now())
    return round(processor_seconds() - began, 2)


def processor_seconds() -> float:
    """Of this process, and of the database session that works for it alone."""
    from django.db import connection

    connection.ensure_connection()
    fields = (
        Path(f"/proc/{connection.connection.info.backend_pid}/stat").read_text().rpartition(")")[2].split()
    )
    ticks = int(fields[11]) + int(fields[12])  # user and system time
    return time.process_time() + ticks / os.sysconf("SC_CLK_TCK")


def make_runs(campaign, n_runs: int) -> None:
    """Each with four models, whose figures are as large as real ones; the last run is still open."""
    from datetime import timedelta

    from django.utils import timezone

    from annotation.models import Consensus
    from training.models import ModelVersion, Promotion, TrainingRun

    judged = Consensus.objects.filter(campaign=campaign, value__isnull=False)[:50]
    metrics = metrics_like_real_ones([str(one.pk) for one in judged])
    number = 0
    for run_number in range(1, n_runs + 1):
        at = timezone.now() - timedelta(days=n_runs - run_number)
        run = TrainingRun.objects.create(
            campaign=campaign, number=run_number, opened_at=at, started_at=at, snapshot_at=at,
            state="running" if run_number == n_runs else "succeeded", n_examples=500 * run_number,
            minutes_spent=60.0 * run_number,
            history=[{"epoch": e, "step": e, "train_loss": 0.5, "validation_loss": 0.6} for e in range(200)],
        )  # fmt: skip
        for family in ("encoder", "embedding", "tfidf", "combined"):
            number += 1
            version = ModelVersion.objects.create(
                campaign=campaign, run=run, number=number, family=family, path="", sha256="0" * 64,
                label_keys=list(campaign.label_names), metrics=metrics, ordered_at=at,
                in_charge=family == "encoder" and run_number == n_runs,
            )  # fmt: skip
            Promotion.objects.create(campaign=campaign, version=version, cause="gate", at=at)


def metrics_like_real_ones(task_ids: list[str]) -> dict:
    """As training.services.judging.metrics_of keeps them."""
    import numpy as np

    from training.algorithms.metrics import evaluate, reliability
    from training.algorithms.outcomes import outcomes_of_classes
    from training.algorithms.slices import slice_report, slices_of

    rng = np.random.default_rng(0)
    right, opinion = rng.integers(3, size=400), rng.dirichlet(np.ones(3), size=400)
    found, sureness = opinion.argmax(axis=1), opinion.max(axis=1)
    slices = slices_of([{"site": f"site {site}"} for site in rng.integers(12, size=400)])
    figures = evaluate(right, opinion)
    return {
        "test": figures | {"reliability": reliability(sureness, found == right)},
        "slices": slice_report(slices, outcomes_of_classes(right, found, 3)),
        "mistakes": [{"task": pk, "right": ["no"], "found": ["yes"], "sureness": 0.99} for pk in task_ids],
        "gold": figures,
        "volunteers": figures,
    }


def pages(campaign) -> dict[str, tuple[str, dict]]:
    """Name: (path, headers)."""
    from django.urls import reverse

    from training.models import TrainingRun

    def of(name, *more):
        return reverse(name, args=[campaign.pk, *more])

    volunteer = campaign.volunteers.first()
    task = campaign.tasks.filter(consensus__isnull=False).first()
    run = TrainingRun.objects.filter(campaign=campaign, state="succeeded").first()
    shown = {"HTTP_HC_QUEUE_SHOWN": str(campaign.queue_epoch)}
    found = {
        "campaign list": reverse("campaign_list"),
        "dashboard": of("campaign_dashboard"),
        "people": of("campaign_people"),
        "records": of("campaign_upload"),
        "held records": of("campaign_held"),
        "rules": of("campaign_edit"),
        "stopping rule": of("campaign_rule"),
        "review": of("campaign_review"),
        "one task": of("campaign_task", task.pk),
        "ties": of("campaign_ties"),
        "unclear cases": of("campaign_unclear"),
        "volunteers": of("campaign_volunteers"),
        "one volunteer": of("campaign_volunteer", volunteer.pk),
        "agreement": of("campaign_agreement"),
        "training policy": of("training_policy"),
        "training run": reverse("training_run", args=[run.pk]),
    }
    return {"live poll of the dashboard": (found["dashboard"], shown)} | {
        name: (path, {}) for name, path in found.items()
    }


def measure(admin, path: str, headers: dict, arguments) -> dict:
    from django.db import connection
    from django.test import Client

    client = Client(HTTP_HOST="localhost")
    client.force_login(admin, backend="hc_platform.sessions.AccountBackend")
    took: list[tuple[float, str, object]] = []

    def timed(execute, sql, params, many, context):
        began = time.perf_counter()
        try:
            return execute(sql, params, many, context)
        finally:
            took.append((1000 * (time.perf_counter() - began), sql, params))

    whole, of_database = [], []
    processor = 0.0
    for n in range(arguments.times + 1):
        took.clear()
        if n == 1:
            processor = processor_seconds()
        began = time.perf_counter()
        with connection.execute_wrapper(timed):
            status = client.get(path, **headers).status_code
        whole.append(1000 * (time.perf_counter() - began))
        of_database.append(sum(one[0] for one in took))
    slowest = sorted(took, key=lambda one: -one[0])[:3]
    report = {
        "status": status,
        "ms": round(statistics.median(whole[1:]), 1),
        "processor_ms": round(1000 * (processor_seconds() - processor) / arguments.times, 1),
        "database_ms": round(statistics.median(of_database[1:]), 1),
        "statements": len(took),
        "slowest": [f"{ms:.1f} ms: {' '.join(sql.split())[:160]}" for ms, sql, _ in slowest],
    }
    if arguments.explain is not None:
        report["plans"] = [explained(sql, params) for ms, sql, params in slowest if ms >= arguments.explain]
    return report


def explained(sql: str, params) -> list[str]:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN (ANALYZE, BUFFERS) " + sql, params)
        return [sql, *(row[0] for row in cursor.fetchall())]


if __name__ == "__main__":
    main()
