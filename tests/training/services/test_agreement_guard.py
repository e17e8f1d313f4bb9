"""How often volunteers agree with the model in charge is asked every few seconds."""

from datetime import timedelta

import numpy as np
import pytest
from django.db import connection

from annotation.models import Campaign, Consensus, MicroTask
from tests.factories import NOW, make_campaign, make_gold, make_tasks
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
        metrics={"agreement": {"mean": 0.9, "deviation": 0.3, "n_texts": 100.0}},
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
            votes={"yes": 2}, certainty=1.0, n_answers=2, settled_at=NOW,
        )
        for task in tasks
    )  # fmt: skip
    return version


def test_marks_are_held_against_a_level_of_texts_f1(campaign):
    version = predicted(campaign, 200)
    here, there = {"start": 0, "end": 4, "label": "yes"}, {"start": 5, "end": 9, "label": "yes"}
    Prediction.objects.update(
        probabilities=None, answer={"spans": [here | {"probability": 0.9}]}, explored=True
    )
    Consensus.objects.update(value={"spans": [here, there]})
    version.metrics["agreement"] |= {"mean": 0.8, "deviation": 0.1}
    agreement = agreement_of(version, since=BEFORE)
    assert agreement.now == pytest.approx(2 / 3)
    assert agreement.has_fallen, "although none agreed wholly, as few may have then"
    version.metrics["agreement"] |= {"mean": 0.8, "deviation": 0.4}
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


def test_without_a_level_or_with_few_texts_nothing_is_said(campaign):
    version = predicted(campaign, 200)
    assert agreement_of(version, since=BEFORE).n_now == 40
    version.metrics = {}
    assert agreement_of(version, since=BEFORE) is None, "an earlier version of the software judged it"


def test_only_what_volunteers_are_sure_enough_of_counts_as_in_the_labels_that_judge(campaign):
    version = predicted(campaign, 250)
    of_stream = list(Consensus.objects.filter(task__prediction__explored=True).order_by("task_id"))
    unsure, decided = of_stream[:5], of_stream[5:10]
    for one in unsure:
        one.value, one.certainty = {"label": "no"}, 0.39
        one.save()
    for one in decided:
        Consensus.objects.filter(pk=one.pk).update(value={"label": "no"})
        make_gold(one.task, "no")
    agreement = agreement_of(version, since=BEFORE)
    assert (agreement.n_now, agreement.now) == (40, 1.0)


def test_of_one_record_the_tasks_that_all_fell_out_alike_are_one_piece_of_evidence(campaign):
    version = predicted(campaign, 300)
    version.metrics["agreement"] |= {"mean": 0.95, "deviation": 0.2}
    of_stream = list(Consensus.objects.filter(task__prediction__explored=True).order_by("task_id"))
    Consensus.objects.filter(pk__in=[one.pk for one in of_stream[:15]]).update(value={"label": "no"})
    alone = agreement_of(version, since=BEFORE)
    assert (alone.now, alone.n_now) == (0.75, 60)
    assert alone.has_fallen
    for first in range(0, 60, 15):  # four records, one of which is all otherwise
        for ordinal, one in enumerate(of_stream[first : first + 15]):
            record = of_stream[first].task.record_id
            MicroTask.objects.filter(pk=one.task_id).update(record=record, ordinal=ordinal)
    together = agreement_of(version, since=BEFORE)
    assert together.n_now == pytest.approx(4)
    assert not together.has_fallen
