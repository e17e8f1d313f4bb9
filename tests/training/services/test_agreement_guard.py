"""How often volunteers agree with the model in charge is asked every few seconds."""

from datetime import timedelta

import numpy as np
import pytest
from django.db import connection

from annotation.models import Campaign, Consensus, MicroTask
from tests.factories import NOW, make_campaign, make_tasks
from training.models import ModelVersion, Prediction, TrainingRun
from training.services.agreement_guard import SETTLED_SINCE, agreement_of
from training.services.priorities import write_predictions

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


def test_marks_are_held_against_a_level_of_texts_f1_and_without_one_nothing_is_said(campaign):
    version = predicted(campaign, 200)
    here, there = {"start": 0, "end": 4, "label": "yes"}, {"start": 5, "end": 9, "label": "yes"}
    Prediction.objects.update(
        probabilities=None, answer={"spans": [here | {"probability": 0.9}]}, explored=True
    )
    Consensus.objects.update(value={"spans": [here, there]})
    assert agreement_of(version, since=BEFORE) is None, "judged before texts had an F1 of their own"
    version.metrics["volunteers"] |= {"task_f1": 0.8, "task_f1_deviation": 0.1}
    agreement = agreement_of(version, since=BEFORE)
    assert agreement.now == pytest.approx(2 / 3)
    assert agreement.has_fallen, "although none agreed wholly, as few may have then"
    version.metrics["volunteers"] |= {"task_f1": 0.8, "task_f1_deviation": 0.4}
    assert not agreement_of(version, since=BEFORE).has_fallen


def test_a_label_with_quotation_marks_and_backslashes_is_kept_as_it_is(campaign):
    version = predicted(campaign, 1)
    [task] = MicroTask.objects.all()
    answer = {"spans": [{"start": 0, "end": 4, "label": 'the "n\\a"', "probability": 0.9}]}
    write_predictions(version, [task.pk], [answer], np.array([True]), number=2)
    assert Prediction.objects.get().answer == answer


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
