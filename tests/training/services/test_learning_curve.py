"""Models by labels and by minutes, and what the newest labels brought."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from annotation.models import Answer, Assignment, Campaign
from tests.factories import NOW, make_tasks, make_volunteer
from training.models import ModelVersion, TrainingRun
from training.services.learning_curve import CurvePoint, learning_points, returns_sentence

pytestmark = pytest.mark.django_db


def answer(campaign: Campaign, seconds: list[float]) -> None:
    """One answer an hour, which took so long."""
    volunteer = make_volunteer(campaign)
    for hour, (task, took) in enumerate(zip(make_tasks(campaign, len(seconds)), seconds, strict=True)):
        at = NOW + timedelta(hours=hour)
        assignment = Assignment.objects.create(
            task=task, volunteer=volunteer, state="answered", claimed_at=at, expires_at=at, closed_at=at
        )
        Answer.objects.create(
            assignment=assignment, key=assignment.pk, value={"label": "no"}, answered_at=at, seconds=took
        )


def train(campaign: Campaign, number: int, n_examples: int, scores: dict[str, float]) -> None:
    run = TrainingRun.objects.create(
        campaign=campaign, number=number, opened_at=NOW, state="succeeded", n_examples=n_examples,
        snapshot_at=NOW + timedelta(hours=number),
    )  # fmt: skip
    for place, (family, score) in enumerate(scores.items()):
        ModelVersion.objects.create(
            campaign=campaign, run=run, number=10 * number + place, family=family, path="/nowhere", sha256="",
            label_keys=["no", "yes"], metrics={"test": {"macro_f1": score}},
        )  # fmt: skip


def test_each_run_is_a_point_by_labels_and_by_minutes(campaign):
    answer(campaign, [60.0, 60.0, 30.0, 7200.0])  # the last went out for two hours
    train(campaign, 1, 50, {"tfidf": 0.5, "encoder": 0.4})
    train(campaign, 3, 450, {"tfidf": 0.6})
    with CaptureQueriesContext(
        connection,
    ) as queries:
        points = learning_points(campaign)
    assert points == [CurvePoint(10, 50, 2.0, 0.5), CurvePoint(30, 450, 12.5, 0.6)]
    assert len(queries) == 2


def test_diminishing_returns_are_told():
    def points(*scores):
        return [CurvePoint(i, 200 * i, 0.0, score) for i, score in enumerate(scores, 1)]

    assert returns_sentence(points(0.7, 0.8)) == ""
    assert returns_sentence(points(0.7, 0.8, 0.81, 0.802)) == "The last 400 labels gained 0.2 points."
    assert returns_sentence(points(0.7, 0.8, 0.8, 0.79)) == "The last 400 labels gained nothing."
    assert returns_sentence([]) == ""
