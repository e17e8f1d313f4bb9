"""How often volunteers agree with the model in charge is asked every few seconds."""

from datetime import timedelta

import pytest
from django.db import connection

from annotation.models import Campaign, Consensus
from tests.factories import NOW, make_campaign, make_tasks
from training.models import ModelVersion, Prediction, TrainingRun
from training.services.agreement_guard import SETTLED_SINCE, agreement_of

pytestmark = pytest.mark.django_db
BEFORE = NOW - timedelta(days=1)


def predicted(campaign: Campaign, n: int) -> ModelVersion:
    """A model that has read n tasks, a fifth of them of the stream, all settled since as it says."""
    run = TrainingRun.objects.create(campaign=campaign, number=1, opened_at=NOW, state="succeeded")
    version = ModelVersion.objects.create(
        campaign=campaign, run=run, number=1, path="x", sha256="0" * 64, label_keys=["yes", "no"],
        metrics={"volunteers": {"accuracy": 0.9, "n_examples": 100}},
    )  # fmt: skip
    tasks = make_tasks(campaign, n)
    Prediction.objects.bulk_create(
        Prediction(
            task=task, model_version=version, version_number=1, probabilities=[1, 0], explored=not i % 5
        )
        for i, task in enumerate(tasks)
    )
    Consensus.objects.bulk_create(
        Consensus(
            task=task, campaign=campaign, method="majority", label="yes", value={"label": "yes"}, share=1.0,
            votes={"yes": 2}, n_answers=2, settled_at=NOW,
        )
        for task in tasks
    )  # fmt: skip
    return version


def test_of_all_predictions_of_the_site_only_the_models_own_on_the_stream_are_read(campaign):
    predicted(make_campaign(), 3000)
    version = predicted(campaign, 200)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE training_prediction, annotation_consensus")
        cursor.execute(f"EXPLAIN {SETTLED_SINCE}", [version.pk, version.campaign_id, BEFORE, 2000])
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert "predictions_of_stream" in plan
    assert "Seq Scan" not in plan
    agreement = agreement_of(version, since=BEFORE)
    assert (agreement.n_now, agreement.now) == (40, 1.0)
