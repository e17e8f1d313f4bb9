"""What a model thinks becomes the order of the queue; the newest model has the last word."""

import threading
import time
from datetime import timedelta

import numpy as np
import pytest
from django.db import connection, transaction

from annotation import exchange
from annotation.exchange import set_priorities
from annotation.models import Campaign, Consensus, MicroTask, Opinion, Suggestion
from annotation.services.handout import claim_task, skip_task
from tests.factories import NOW, make_campaign, make_sentences, make_tasks, make_volunteers, queue_of
from training.algorithms.examples import Examples
from training.algorithms.splits import TRAIN, record_places
from training.linear import fit_embedding
from training.models import ModelVersion, Prediction, TrainingPolicy, TrainingRun
from training.services.base_models import encoder_of
from training.services.embeddings import write_vectors
from training.services.priorities import order_queue, order_start, write_predictions

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
    assert set_priorities(campaign.pk, falling(wanted), run=1, now=NOW) == 5
    assert queue_of(campaign) == [task.pk for task in wanted]
    assert set(MicroTask.objects.values_list("priority_run", flat=True)) == {1}
    campaign.refresh_from_db()
    assert (campaign.ordered_by_run, campaign.ordered_at, campaign.queue_epoch) == (1, NOW, 1)


def test_an_older_models_priorities_never_overwrite_a_newer_ones(campaign):
    tasks = make_tasks(campaign, 4)
    set_priorities(campaign.pk, falling(tasks), run=2, now=NOW)
    later = NOW + timedelta(minutes=1)
    assert set_priorities(campaign.pk, falling(tasks[::-1]), run=1, now=later) == 0
    assert queue_of(campaign) == [task.pk for task in tasks]
    campaign.refresh_from_db()
    assert (campaign.ordered_by_run, campaign.ordered_at, campaign.queue_epoch) == (2, NOW, 1)
    assert set_priorities(campaign.pk, falling(tasks[::-1]), run=2, now=later) == 4, "a run taken up again"


def test_tasks_of_another_campaign_are_left_alone(campaign):
    make_tasks(campaign, 1)
    elsewhere = make_tasks(make_campaign(), 3)
    assert set_priorities(campaign.pk, falling(elsewhere[::-1]), run=1, now=NOW) == 0
    assert queue_of(elsewhere[0].campaign) == [task.pk for task in elsewhere]


def test_a_volunteer_in_the_middle_of_the_queue_starts_again_at_its_new_head(campaign, bob):
    make_volunteers(campaign, [bob])
    tasks = make_tasks(campaign, 4)
    for task in tasks[:2]:
        place = claim_task(campaign.pk, bob, now=NOW)
        assert place.task_id == task.pk
        skip_task(place.assignment_id, bob, "other", now=NOW)
    set_priorities(campaign.pk, falling([tasks[3], tasks[0], tasks[1], tasks[2]]), run=1, now=NOW)
    assert claim_task(campaign.pk, bob, now=NOW).task_id == tasks[3].pk


def test_an_older_models_predictions_never_overwrite_a_newer_ones(campaign):
    ids = [task.pk for task in make_tasks(campaign, 3)]
    old, new = make_version(campaign, 1), make_version(campaign, 2)
    sure, unsure = [[0.1, 0.9]] * 3, [[0.5, 0.5]] * 3
    explored = np.array([True, False, False])
    write_predictions(old, ids[:1], unsure[:1], explored[:1], number=1)
    write_predictions(new, ids, sure, explored, number=2)
    write_predictions(old, ids, unsure, ~explored, number=1)
    stored = Prediction.objects.in_bulk(ids)
    assert [stored[pk].probabilities for pk in ids] == [[0.1, 0.9]] * 3
    assert [stored[pk].explored for pk in ids] == [True, False, False]
    assert {(p.version_number, p.model_version) for p in stored.values()} == {(2, new)}


N_TASKS = 120


@pytest.fixture
def ordered(campaign, tmp_path):
    """A linear model on made-up vectors that grows surer from task to task; gives the version and the ids."""
    tasks = sorted(make_tasks(campaign, N_TASKS), key=lambda task: task.pk)
    ids = [task.pk for task in tasks]
    # Axes are how sure the model is, and eight directions that mean nothing; the encoder's width is 32.
    sureness = np.linspace(0.05, 1.0, N_TASKS)
    others = np.eye(31)[np.arange(N_TASKS) % 8] * np.sqrt(1 - sureness**2)[:, None]
    vectors = np.hstack([sureness[:, None], others]).astype(np.float16)
    _, sha256 = encoder_of(campaign)
    write_vectors(ids, vectors, sha256)
    teaching = np.tile(np.eye(32)[:1], (40, 1)) * np.where(np.arange(40) % 2, 1, -1)[:, None]
    examples = Examples(
        head="single",
        class_names=("no", "yes"),
        texts=[str(i) for i in range(40)],
        targets=np.eye(2, dtype=np.float32)[np.arange(40) % 2],
        weights=np.ones(40, dtype=np.float32),
        parts=np.full(40, TRAIN, dtype=np.int8),
    )
    fitted = fit_embedding(examples, teaching, output_dir=tmp_path / "head", seed=0, base_model_sha256=sha256)
    version = make_version(campaign, 1)
    version.family, version.path = ModelVersion.Family.EMBEDDING, str(fitted.path)
    version.lineage = {"base_model_sha256": sha256}
    version.save()
    settle(campaign, 20)
    return version, ids


def settle(campaign: Campaign, n: int) -> None:
    """Enough labels for uncertainty to mean something."""
    tasks = make_tasks(campaign, n)
    MicroTask.objects.filter(pk__in=[task.pk for task in tasks]).update(taken=campaign.needed)
    Consensus.objects.bulk_create(
        Consensus(
            task=task, campaign=campaign, method="majority", label="no", value={"label": "no"}, share=1,
            votes={"no": 2}, n_answers=2, settled_at=NOW,
        )
        for task in tasks
    )  # fmt: skip


def order(version: ModelVersion, number: int = 1) -> int:
    return order_queue(version, number=number, on_progress=lambda share: None)


def stream() -> set:
    return set(Prediction.objects.filter(explored=True).values_list("task_id", flat=True))


def test_the_least_certain_are_asked_first_and_the_stream_stands_anywhere(campaign, ordered):
    version, ids = ordered
    TrainingPolicy.objects.update(exploration_share=0.2, refit_labels=4)
    assert order(version) == N_TASKS
    of_stream = stream()
    places = record_places(
        MicroTask.objects.filter(pk__in=ids).order_by("pk").values_list("record_id", flat=True)
    )
    assert of_stream == {pk for pk, place in zip(ids, places, strict=True) if place < 0.2}
    queue = queue_of(campaign)
    chosen = [ids.index(pk) for pk in queue if pk not in of_stream]
    least_certain = [place for place, pk in enumerate(ids) if pk not in of_stream]
    assert sorted(chosen[:40]) == least_certain[:40], "these may change places among themselves"
    assert chosen[40:] == least_certain[40:]
    ranks = [rank for rank, pk in enumerate(queue) if pk in of_stream]
    assert N_TASKS * 0.25 < np.mean(ranks) < N_TASKS * 0.75, "by lot over the whole queue"


def test_the_engine_hears_a_model_on_what_is_chosen_and_not_on_what_judges(campaign, ordered, tmp_path):
    Campaign.objects.update(aggregation="engine")
    TrainingPolicy.objects.update(exploration_share=0.3)
    version, ids = ordered
    snapshot = tmp_path / "snapshot.jsonl"
    version.run.snapshot_path = str(snapshot)
    order(version)
    assert not Opinion.objects.exists(), "which tasks it learned from is not known without its snapshot"
    snapshot.write_text("{}\n" + f'{{"task": "{ids[0]}", "part": "train"}}\n')
    order(version)
    heard = set(Opinion.objects.values_list("task_id", flat=True))
    assert heard == set(ids) - stream() - {ids[0]}
    assert 20 < len(stream()) < 60


@pytest.mark.parametrize("aggregation", ["engine", "majority"])
def test_what_models_said_of_records_before_they_judged_is_taken_back(campaign, ordered, aggregation):
    version, ids = ordered
    version.run.snapshot_path = "/nowhere"
    settle(campaign, 100)
    Campaign.objects.update(aggregation=aggregation, is_to_be_judged=False)
    TrainingPolicy.objects.update(exploration_share=0.3)
    tasks = list(MicroTask.objects.filter(campaign=campaign))
    elsewhere = make_tasks(make_campaign(), 40)
    for task in [*tasks, *elsewhere]:
        Opinion.objects.create(task=task, campaign=task.campaign, version=90, probabilities={"no": 1.0})
        Suggestion.objects.create(task=task, campaign=task.campaign, version=90, spans=[])
    order(version)
    records = [task.record_id for task in tasks]
    chosen = {task.pk for task, place in zip(tasks, record_places(records), strict=True) if place >= 0.3}
    assert set(ids) - chosen and set(ids) & chosen, "tasks that are asked still, and settled ones"
    for kept in (Opinion, Suggestion):
        assert set(kept.objects.filter(campaign=campaign).values_list("pk", flat=True)) == chosen
        assert kept.objects.exclude(campaign=campaign).count() == 40
    assert Campaign.objects.get(pk=campaign.pk).is_to_be_judged
    assert not Campaign.objects.get(pk=elsewhere[0].campaign_id).is_to_be_judged


def test_where_nothing_is_asked_any_more_what_models_said_is_taken_back_all_the_same(campaign, ordered):
    version, _ = ordered
    MicroTask.objects.filter(campaign=campaign).update(taken=campaign.needed)
    TrainingPolicy.objects.update(exploration_share=1.0)
    task = MicroTask.objects.filter(campaign=campaign).first()
    Opinion.objects.create(task=task, campaign=campaign, version=90, probabilities={"no": 1.0})
    assert order(version) == 0
    assert not Opinion.objects.exists()


def test_the_stream_is_the_same_whatever_model_orders_the_queue(campaign, ordered):
    version, _ = ordered
    TrainingPolicy.objects.update(exploration_share=0.3)
    order(version)
    before = stream()
    order(version, number=2)
    assert stream() == before


def test_neighbours_in_the_head_of_the_queue_differ(campaign, ordered):
    version, ids = ordered
    TrainingPolicy.objects.update(exploration_share=0.0, refit_labels=8)
    order(version)
    head = [ids.index(pk) % 8 for pk in queue_of(campaign)[:8]]
    assert len(set(head)) == 8, "one of each direction"


def test_texts_that_take_longer_wait_where_they_tell_as_much(campaign, ordered):
    version, ids = ordered
    TrainingPolicy.objects.update(exploration_share=0.0, refit_labels=1)
    long = MicroTask.objects.get(pk=ids[0])
    MicroTask.objects.filter(pk=long.pk).update(end=long.end * 400)
    order(version)
    assert queue_of(campaign).index(long.pk) > N_TASKS / 4


def test_a_task_on_which_crowd_and_model_disagree_is_asked_again_first(campaign, ordered):
    version, ids = ordered
    TrainingPolicy.objects.update(exploration_share=0.0, refit_labels=1)
    contradicted = ids[-1]  # of which the model is surest: yes
    Consensus.objects.create(
        task_id=contradicted, campaign=campaign, method="majority", label="no", value={"label": "no"},
        share=1, votes={"no": 1}, n_answers=1,
    )  # fmt: skip
    order(version)
    assert contradicted in queue_of(campaign)[:5]


def test_the_queue_does_not_jump_from_model_to_model(campaign, ordered):
    version, ids = ordered
    TrainingPolicy.objects.update(exploration_share=0.0, refit_labels=1)
    set_priorities(campaign.pk, [(pk, (i + 1) / N_TASKS) for i, pk in enumerate(ids)], run=1, now=NOW)
    order(version, number=2)
    once = np.corrcoef([ids.index(pk) for pk in queue_of(campaign)], np.arange(N_TASKS))[0, 1]
    for number in range(3, 8):
        order(version, number=number)
    often = np.corrcoef([ids.index(pk) for pk in queue_of(campaign)], np.arange(N_TASKS))[0, 1]
    assert once < 0.5 < 0.9 < often, "the former order held the opposite, and fades"


@pytest.mark.parametrize("acquisition", TrainingPolicy.Acquisition.values)
def test_every_acquisition_orders_all_open_tasks(campaign, ordered, acquisition):
    version, ids = ordered
    TrainingPolicy.objects.update(acquisition=acquisition, exploration_share=0.1)
    assert order(version) == N_TASKS
    assert sorted(queue_of(campaign)) == ids
    assert MicroTask.objects.filter(is_open=True).values("priority").distinct().count() == N_TASKS


def test_once_choosing_brought_nothing_the_order_is_by_lot(campaign, ordered):
    version, ids = ordered
    TrainingPolicy.objects.update(at_random_since=NOW, exploration_share=0.0)
    order(version)
    places = [ids.index(pk) for pk in queue_of(campaign)]
    assert abs(np.corrcoef(places, np.arange(N_TASKS))[0, 1]) < 0.4  # four standard deviations


def test_while_labels_are_few_typical_texts_come_first(campaign, ordered):
    version, ids = ordered
    Consensus.objects.all().delete()
    TrainingPolicy.objects.update(exploration_share=0.0, refit_labels=8)
    order(version)
    head = {ids.index(pk) % 8 for pk in queue_of(campaign)[:8]}
    assert len(head) >= 6, "from nearly all directions"


def test_before_there_is_a_model_the_queue_starts_with_typical_texts(campaign, ordered):
    _, ids = ordered
    TrainingPolicy.objects.update(exploration_share=0.0)
    assert order_start(campaign, seed=0) == N_TASKS
    assert set(MicroTask.objects.values_list("priority_run", flat=True)) == {0}
    assert sorted(queue_of(campaign)) == ids
    order_of_model = [(pk, 1 - i / N_TASKS) for i, pk in enumerate(ids)]
    assert set_priorities(campaign.pk, order_of_model, run=1, now=NOW) == N_TASKS


def test_a_campaign_without_open_tasks_keeps_its_order(campaign, ordered):
    version, _ = ordered
    MicroTask.objects.update(taken=campaign.needed)
    assert order(version) == 0
    campaign.refresh_from_db()
    assert (campaign.queue_epoch, campaign.ordered_by_run) == (0, 0)


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
        writing = InThread(lambda: set_priorities(campaign.pk, falling(tasks), run=1, now=NOW))
        until(waiting_for_a_lock)
        written = MicroTask.objects.filter(priority_run=1)
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
        writing = InThread(lambda: set_priorities(campaign.pk, falling(tasks[::-1]), run=1, now=NOW))
        until(waiting_for_a_lock)
        for task in tasks[1:]:
            MicroTask.objects.select_for_update(no_key=True).get(pk=task.pk)
    writing.join()
    assert writing.result == 6
