"""What a model thinks becomes the order of the queue; the newest model has the last word."""

import threading
import time
from datetime import timedelta

import numpy as np
import pytest
from django.db import connection, transaction

from annotation import exchange
from annotation.exchange import set_priorities
from annotation.models import Campaign, MicroTask
from annotation.services.handout import claim_task, skip_task
from tests.factories import NOW, make_campaign, make_sentences, make_tasks, make_volunteers, queue_of
from training.models import ModelVersion, Prediction, TrainingPolicy, TrainingRun
from training.services import priorities
from training.services.priorities import order_queue, write_predictions

pytestmark = pytest.mark.django_db


def make_version(campaign: Campaign, number: int) -> ModelVersion:
    run = TrainingRun.objects.create(campaign=campaign, number=number, opened_at=NOW, state="succeeded")
    return ModelVersion.objects.create(
        campaign=campaign, run=run, number=number, path="/nowhere", sha256="", label_keys=["no", "yes"]
    )


def falling(tasks: list[MicroTask]) -> list[tuple]:
    return [(task.pk, 1 - place / len(tasks)) for place, task in enumerate(tasks)]


def test_priorities_become_the_queues_order_and_are_signed_by_their_model(campaign):
    tasks = make_tasks(campaign, 5)
    wanted = [tasks[i] for i in (3, 0, 4, 2, 1)]
    assert set_priorities(campaign.pk, falling(wanted), version=1, now=NOW) == 5
    assert queue_of(campaign) == [task.pk for task in wanted]
    assert set(MicroTask.objects.values_list("priority_version", flat=True)) == {1}
    campaign.refresh_from_db()
    assert (campaign.ordered_by_version, campaign.ordered_at, campaign.queue_epoch) == (1, NOW, 1)


def test_an_older_models_priorities_never_overwrite_a_newer_ones(campaign):
    tasks = make_tasks(campaign, 4)
    set_priorities(campaign.pk, falling(tasks), version=2, now=NOW)
    later = NOW + timedelta(minutes=1)
    assert set_priorities(campaign.pk, falling(tasks[::-1]), version=1, now=later) == 0
    assert queue_of(campaign) == [task.pk for task in tasks]
    campaign.refresh_from_db()
    assert (campaign.ordered_by_version, campaign.ordered_at, campaign.queue_epoch) == (2, NOW, 1)
    assert set_priorities(campaign.pk, falling(tasks[::-1]), version=2, now=later) == 4, (
        "a run taken up again"
    )


def test_tasks_of_another_campaign_are_left_alone(campaign):
    make_tasks(campaign, 1)
    elsewhere = make_tasks(make_campaign(), 3)
    assert set_priorities(campaign.pk, falling(elsewhere[::-1]), version=1, now=NOW) == 0
    assert queue_of(elsewhere[0].campaign) == [task.pk for task in elsewhere]


def test_a_volunteer_in_the_middle_of_the_queue_starts_again_at_its_new_head(campaign, bob):
    make_volunteers(campaign, [bob])
    tasks = make_tasks(campaign, 4)
    for task in tasks[:2]:
        place = claim_task(campaign.pk, bob, now=NOW)
        assert place.task_id == task.pk
        skip_task(place.assignment_id, bob, "other", now=NOW)
    set_priorities(campaign.pk, falling([tasks[3], tasks[0], tasks[1], tasks[2]]), version=1, now=NOW)
    assert claim_task(campaign.pk, bob, now=NOW).task_id == tasks[3].pk


def test_an_older_models_predictions_never_overwrite_a_newer_ones(campaign):
    ids = [task.pk for task in make_tasks(campaign, 3)]
    old, new = make_version(campaign, 1), make_version(campaign, 2)
    sure, unsure = np.array([[0.1, 0.9]] * 3), np.array([[0.5, 0.5]] * 3)
    explored = np.array([True, False, False])
    write_predictions(old, ids[:1], unsure[:1], explored[:1])
    write_predictions(new, ids, sure, explored)
    write_predictions(old, ids, unsure, ~explored)
    stored = Prediction.objects.in_bulk(ids)
    assert [stored[pk].probabilities for pk in ids] == [[0.1, 0.9]] * 3
    assert [stored[pk].explored for pk in ids] == [True, False, False]
    assert {(p.version_number, p.model_version) for p in stored.values()} == {(2, new)}


@pytest.fixture
def ordered(campaign, monkeypatch):
    """Order 100 tasks by probabilities that rise with the task's id; gives the version and the ids."""
    ids = sorted(task.pk for task in make_tasks(campaign, 100))
    p_yes = np.linspace(0.5, 1.0, 100)  # the first task is the least certain
    probabilities = np.column_stack([1 - p_yes, p_yes]).astype(np.float32)
    monkeypatch.setattr(
        priorities.encoder, "predict_proba", lambda path, texts, on_progress: probabilities[: len(texts)]
    )
    return make_version(campaign, 1), ids


def order(version: ModelVersion, seed: int = 1) -> int:
    return order_queue(version, seed=seed, on_progress=lambda share: None)


def test_the_least_certain_are_asked_first_and_a_share_stands_anywhere(campaign, ordered):
    version, ids = ordered
    TrainingPolicy.objects.update(exploration_share=0.2)
    assert order(version) == 100
    explored = {p.task_id for p in Prediction.objects.filter(explored=True)}
    assert len(explored) == 20
    queue = queue_of(campaign)
    assert [pk for pk in queue if pk not in explored] == [pk for pk in ids if pk not in explored]
    ranks = [rank for rank, pk in enumerate(queue) if pk in explored]
    assert 25 < np.mean(ranks) < 75, "by lot over the whole queue"
    assert order(version, seed=2) == 100
    assert {p.task_id for p in Prediction.objects.filter(explored=True)} != explored


def test_without_exploration_the_order_is_the_models_alone(campaign, ordered):
    version, ids = ordered
    TrainingPolicy.objects.update(exploration_share=0.0)
    order(version)
    assert queue_of(campaign) == ids


def test_a_campaign_without_open_tasks_keeps_its_order(campaign, ordered):
    version, _ = ordered
    MicroTask.objects.update(taken=campaign.needed)
    assert order(version) == 0
    campaign.refresh_from_db()
    assert (campaign.queue_epoch, campaign.ordered_by_version) == (0, 0)


def waiting_for_a_lock() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
        return cursor.fetchone()[0] > 0


def until(condition, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


class InThread(threading.Thread):
    def __init__(self, call):
        super().__init__(daemon=True)
        self.call, self.result = call, None
        self.start()

    def run(self):
        try:
            self.result = self.call()
        except Exception as error:
            self.result = error
        finally:
            connection.close()


@pytest.mark.django_db(transaction=True)
def test_chunks_are_free_again_before_the_last_one_is_written(campaign, monkeypatch):
    monkeypatch.setattr(exchange, "CHUNK", 4)
    tasks = make_tasks(campaign, 10)
    with transaction.atomic():
        MicroTask.objects.select_for_update(no_key=True).get(pk=tasks[9].pk)
        writing = InThread(lambda: set_priorities(campaign.pk, falling(tasks), version=1, now=NOW))
        until(waiting_for_a_lock)
        written = MicroTask.objects.filter(priority_version=1)
        assert set(written.values_list("pk", flat=True)) == {task.pk for task in tasks[:8]}
        free = MicroTask.objects.select_for_update(no_key=True, skip_locked=True).filter(pk__in=written)
        assert len(free) == 8
    writing.join()
    assert writing.result == 10


@pytest.mark.django_db(transaction=True)
def test_writing_priorities_and_holding_a_record_wait_for_each_other_without_deadlock(campaign):
    """Whoever locks several tasks does so by id, also when the queue's order is another one."""
    tasks = sorted(make_sentences(campaign, "abcdef", [(i, i + 1) for i in range(6)]), key=lambda t: t.pk)
    with transaction.atomic():
        MicroTask.objects.select_for_update(no_key=True).get(pk=tasks[0].pk)
        writing = InThread(lambda: set_priorities(campaign.pk, falling(tasks[::-1]), version=1, now=NOW))
        until(waiting_for_a_lock)
        for task in tasks[1:]:
            MicroTask.objects.select_for_update(no_key=True).get(pk=task.pk)
    writing.join()
    assert writing.result == 6
