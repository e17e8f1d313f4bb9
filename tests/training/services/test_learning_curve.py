"""Models by labels and by minutes, and what the newest labels brought."""

from datetime import timedelta
from importlib import import_module

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from annotation import exchange
from annotation.models import Answer, Assignment, Campaign
from tests.factories import NOW, make_tasks, make_volunteer
from training.models import ModelVersion, TrainingRun
from training.services.learning_curve import CurvePoint, learning_points, returns_sentence

pytestmark = pytest.mark.django_db


def answer(campaign: Campaign, seconds: list[float]) -> None:
    """One answer an hour, which took so long; the first at NOW."""
    volunteer = make_volunteer(campaign)
    for hour, (task, took) in enumerate(zip(make_tasks(campaign, len(seconds)), seconds, strict=True)):
        at = NOW + timedelta(hours=hour)
        assignment = Assignment.objects.create(
            task=task, volunteer=volunteer, state="answered", claimed_at=at, expires_at=at, closed_at=at
        )
        Answer.objects.create(
            assignment=assignment, key=assignment.pk, value={"label": "no"}, answered_at=at, seconds=took
        )


def train(campaign: Campaign, number: int, n_examples: int, scores: dict, in_charge: str = "") -> TrainingRun:
    """A run whose snapshot was taken as many hours after NOW as its number says."""
    run = TrainingRun.objects.create(
        campaign=campaign, number=number, opened_at=NOW, state="succeeded", n_examples=n_examples,
        snapshot_at=NOW + timedelta(hours=number), minutes_spent=number + 0.25,
    )  # fmt: skip
    for place, (family, score) in enumerate(scores.items()):
        ModelVersion.objects.create(
            campaign=campaign, run=run, number=10 * number + place, family=family, path="/nowhere", sha256="",
            label_keys=["no", "yes"], metrics={"test": {"macro_f1": score}}, in_charge=family == in_charge,
        )  # fmt: skip
    return run


def test_minutes_are_those_of_the_answers_so_far_without_long_pauses(campaign):
    answer(campaign, [60.0, 60.0, 30.0, 7200.0])  # the last went out for two hours
    assert exchange.minutes_spent(campaign.pk, until=NOW - timedelta(hours=1)) == 0
    assert exchange.minutes_spent(campaign.pk, until=NOW + timedelta(hours=1)) == 2.0
    assert exchange.minutes_spent(campaign.pk, until=NOW + timedelta(hours=3)) == 12.5


def test_minutes_of_past_runs_are_as_they_would_have_been_counted(campaign):
    answer(campaign, [60.0, 60.0, 30.0, 7200.0])
    train(campaign, 1, 50, {})
    train(campaign, 3, 450, {})
    TrainingRun.objects.create(campaign=campaign, number=4, opened_at=NOW)
    TrainingRun.objects.update(minutes_spent=None)
    with connection.cursor() as cursor:
        cursor.execute(import_module("training.migrations.0013_minutes_of_past_runs").MINUTES)
    counted = TrainingRun.objects.order_by("number").values_list("minutes_spent", flat=True)
    assert list(counted) == [2.0, 12.5, None]


def test_each_run_is_a_point_by_labels_and_by_minutes(campaign):
    train(campaign, 1, 50, {"tfidf": 0.5, "embedding": 0.5, "encoder": 0.4})
    train(campaign, 3, 450, {"tfidf": 0.8, "embedding": 0.6, "encoder": 0.7}, in_charge="embedding")
    TrainingRun.objects.create(campaign=campaign, number=4, opened_at=NOW)
    assert learning_points(campaign) == [CurvePoint(10, 50, 1.2, 0.5), CurvePoint(31, 450, 3.2, 0.6)]


def test_the_curve_of_any_length_is_one_query_that_looks_at_no_answer(campaign):
    for number in range(1, 21):
        train(campaign, number, 50 * number, {"tfidf": 0.5, "encoder": 0.6})
    with CaptureQueriesContext(connection) as queries:
        assert len(learning_points(campaign)) == 20
    assert len(queries) == 1
    asked = queries[0]["sql"]
    assert "annotation_" not in asked
    assert '"metrics",' not in asked and '"history"' not in asked, "kilobytes a row"


def test_diminishing_returns_are_told():
    def points(*scores):
        return [CurvePoint(i, 200 * i, 0.0, score) for i, score in enumerate(scores, 1)]

    assert returns_sentence(points(0.7, 0.8)) == ""
    assert returns_sentence(points(0.7, 0.8, 0.81, 0.802)) == "The last 400 labels gained 0.2 points."
    assert returns_sentence(points(0.7, 0.8, 0.8, 0.79)) == "The last 400 labels gained nothing."
    assert returns_sentence([]) == ""
