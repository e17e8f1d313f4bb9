"""Is it alive, is it ready, how is it doing: for the people and programs that run it."""

import secrets

from django.conf import settings
from django.db import DatabaseError, connection
from django.http import Http404, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe
from prometheus_client import CollectorRegistry, Gauge, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

COUNTS = {
    "hc_open_assignments": (
        "Tasks that volunteers hold now",
        "SELECT count(*) FROM annotation_assignment WHERE state = 'open'",
    ),
    "hc_answers_today": (
        "Answers given today (UTC)",
        "SELECT coalesce(sum(n_answers), 0) FROM annotation_volunteerday"
        " WHERE day = (now() AT TIME ZONE 'UTC')::date",
    ),
    "hc_answers": ("Answers given", "SELECT coalesce(sum(n_answers), 0) FROM annotation_volunteerday"),
    "hc_tasks": ("Micro-tasks", "SELECT coalesce(sum(n_tasks), 0) FROM annotation_campaign"),
    "hc_open_campaigns": (
        "Campaigns that hand out tasks",
        "SELECT count(*) FROM annotation_campaign WHERE state = 'open'",
    ),
    "hc_open_training_runs": (
        "Training runs waiting or running",
        "SELECT count(*) FROM training_trainingrun WHERE state IN ('waiting', 'running')",
    ),
    "hc_failed_training_runs": (
        "Training runs that failed",
        "SELECT count(*) FROM training_trainingrun WHERE state = 'failed'",
    ),
}


@require_safe
def livez(request):
    """The process answers. Asks nothing else, so that a broken database restarts no web server."""
    return HttpResponse("ok\n", content_type="text/plain")


@require_safe
def readyz(request):
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        detail = "The database does not answer."
        return JsonResponse({"code": "database_unreachable", "detail": detail}, status=503)
    return HttpResponse("ready\n", content_type="text/plain")


@require_safe
def metrics(request):
    """Prometheus text for whoever has METRICS_TOKEN; to everyone else the page does not exist."""
    sent = request.headers.get("Authorization", "").removeprefix("Bearer ")
    expected = settings.METRICS_TOKEN
    if not expected or not secrets.compare_digest(sent.encode(), expected.encode()):
        raise Http404
    registry = CollectorRegistry()
    with connection.cursor() as cursor:
        for name, (meaning, sql) in COUNTS.items():
            cursor.execute(sql)
            Gauge(name, meaning, registry=registry).set(cursor.fetchone()[0])
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)
