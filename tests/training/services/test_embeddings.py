"""Texts are read once by the frozen encoder; what a killed worker has not read, the next one reads."""

import shutil

import numpy as np
import pytest

from annotation.models import Campaign, MicroTask
from tests.factories import NOW, make_campaign, make_pair, make_tasks
from tests.labelled import WORDS, add_open, sentences
from tests.tiny_bert import save_tiny_bert
from training import encoder
from training.models import Embedding, TrainingPolicy
from training.services import embeddings
from training.services.base_models import encoder_of
from training.services.embeddings import (
    embed_new_tasks,
    embed_tasks,
    vector_pages,
    vectors_of_tasks,
)
from training.services.policies import change_policy
from training.services.runs import policy_of
from training.services.unread import campaigns_to_read
from training.tasks import read_texts

pytestmark = pytest.mark.django_db


@pytest.fixture
def imported(campaign) -> Campaign:
    add_open(campaign, [text for text, _ in sentences(25)])
    return campaign


def test_every_text_gets_the_encoders_vector(imported, tiny_bert):
    assert campaigns_to_read() == [imported.pk]
    shares = []
    assert embed_tasks(imported, *encoder_of(imported), on_progress=shares.append) == 0
    assert campaigns_to_read() == []
    assert shares == [1.0]
    tasks = list(MicroTask.objects.order_by("pk").select_related("record"))
    expected = encoder.embed(tiny_bert, [task.record.text for task in tasks])
    _, sha256 = encoder_of(imported)
    (ids, vectors), *more = vector_pages(imported.pk, sha256)
    assert not more
    assert [one.tobytes() for one in ids] == [task.pk.bytes for task in tasks]
    assert vectors == pytest.approx(expected, abs=0.002)


def test_what_is_read_already_is_not_read_again(imported, monkeypatch):
    monkeypatch.setattr(embeddings, "BATCH", 10)
    assert embed_new_tasks(imported, max_seconds=0) == 25 - 10, "the batch that it began, and no more"
    kept = dict(Embedding.objects.values_list("pk", "vector"))
    assert len(kept) == 10
    Embedding.objects.filter(pk__in=kept).update(vector=np.zeros(32))
    assert embed_new_tasks(imported) == 0
    assert Embedding.objects.count() == 25
    assert all(
        not one.any() for one in Embedding.objects.filter(pk__in=kept).values_list("vector", flat=True)
    )


def test_pages_bring_every_vector_once(imported, monkeypatch):
    embed_new_tasks(imported)
    monkeypatch.setattr(embeddings, "PAGE", 10)
    _, sha256 = encoder_of(imported)
    sizes = [len(ids) for ids, _ in vector_pages(imported.pk, sha256)]
    assert sizes == [10, 10, 5]


def test_another_encoder_reads_all_anew(imported):
    embed_new_tasks(imported)
    Embedding.objects.update(encoder="another")
    _, sha256 = encoder_of(imported)
    assert list(vector_pages(imported.pk, sha256)) == []
    assert embed_new_tasks(imported) == 0
    assert set(Embedding.objects.values_list("encoder", flat=True)) == {sha256[:16]}


def test_texts_are_read_again_once_the_campaign_has_another_base_model(imported, tiny_bert, tmp_path):
    embed_new_tasks(imported)
    change_policy(policy_of(imported), by=None, now=NOW, min_new_labels=33)
    assert campaigns_to_read() == []
    same, other = shutil.copytree(tiny_bert, tmp_path / "same"), tmp_path / "other"
    change_policy(policy_of(imported), by=None, now=NOW, base_model=str(same))
    assert campaigns_to_read() == []
    other.mkdir()
    change_policy(
        policy_of(imported), by=None, now=NOW, base_model=str(save_tiny_bert(other, WORDS, width=48))
    )
    assert campaigns_to_read() == [imported.pk]


def test_both_texts_of_a_pair_are_read(campaign):
    task = make_pair(campaign, "word1 rash", "word2 calm")
    embed_new_tasks(campaign)
    _, sha256 = encoder_of(campaign)
    has_one, vectors = vectors_of_tasks([task.pk], sha256)
    assert has_one.tolist() == [True]
    assert vectors.shape == (1, 64)
    assert np.linalg.norm(vectors.astype(np.float32)[:, :32]) == pytest.approx(1, abs=0.01)


def test_vectors_come_in_the_order_they_are_asked_for(imported):
    embed_new_tasks(imported)
    ids = list(MicroTask.objects.order_by("-pk").values_list("pk", flat=True))
    elsewhere = make_tasks(make_campaign(), 1)[0].pk
    _, sha256 = encoder_of(imported)
    has_one, vectors = vectors_of_tasks([ids[3], elsewhere, ids[0]], sha256)
    assert has_one.tolist() == [True, False, True]
    assert (vectors[1] == Embedding.objects.get(pk=ids[0]).vector).all()


def test_texts_of_held_records_are_not_read(campaign):
    make_tasks(campaign, 3, held=True)
    assert campaigns_to_read() == []
    embed_new_tasks(campaign)
    assert not Embedding.objects.exists()


def test_a_campaign_that_does_not_train_is_not_read(imported):
    TrainingPolicy.objects.update(enabled=False)
    assert campaigns_to_read() == []


def test_once_all_is_read_the_queue_begins_with_what_is_typical(imported):
    before = imported.queue_epoch
    read_texts(str(imported.pk))
    imported.refresh_from_db()
    assert imported.queue_epoch == before + 1
    assert imported.ordered_by_run == 0


@pytest.mark.parametrize(
    ("base_model", "code"),
    [("/nowhere", "base_model_missing"), ("no-longer/offered", "base_model_not_offered")],
)
def test_an_encoder_that_is_not_there_is_left_to_the_operator(imported, caplog, base_model, code):
    TrainingPolicy.objects.update(base_model=base_model)
    read_texts(str(imported.pk))
    assert f"cannot be read: {code}" in caplog.text
