"""Vectors in half precision go into PostgreSQL in bulk and come back as they were."""

import io

import numpy as np
import pytest
from django.db import connection

from tests.factories import make_campaign, make_tasks
from training.half_vectors import HEADER, TRAILER, packed, unpacked
from training.models import Embedding


@pytest.mark.django_db
def test_vectors_come_back_as_they_went_in():
    campaign = make_campaign()
    tasks = sorted(make_tasks(campaign, 5), key=lambda task: task.pk)
    vectors = np.random.default_rng(0).normal(size=(5, 7)).astype(np.float16)
    ids = np.array([task.pk.bytes for task in tasks], dtype="V16")
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE staged (task_id uuid, vector halfvec)")
        cursor.copy_expert("COPY staged FROM STDIN (FORMAT binary)", packed(ids, vectors))
        cursor.execute(
            "INSERT INTO training_embedding (task_id, campaign_id, encoder, vector) "
            "SELECT task_id, %s, 'ab', vector FROM staged",
            [campaign.pk],
        )
        content = io.BytesIO()
        cursor.copy_expert("COPY (TABLE staged ORDER BY task_id) TO STDOUT (FORMAT binary)", content)
    back_ids, back = unpacked(content.getvalue())
    assert (back_ids == ids).all()
    assert back.dtype == np.float16
    assert (back == vectors).all()
    assert (Embedding.objects.get(pk=tasks[3].pk).vector == vectors[3]).all()


@pytest.mark.django_db
def test_one_vector_can_be_kept_by_itself():
    campaign = make_campaign()
    task = make_tasks(campaign, 1)[0]
    Embedding.objects.create(task=task, campaign=campaign, encoder="ab", vector=np.array([0.5, -0.25]))
    assert Embedding.objects.get().vector.tolist() == [0.5, -0.25]


def test_no_rows_are_no_vectors():
    ids, vectors = unpacked(HEADER + TRAILER)
    assert len(ids) == len(vectors) == 0
