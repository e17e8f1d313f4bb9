"""What an answer to a task is worth, by what the campaign has so far."""

import numpy as np
import pytest
from django.utils import timezone

from annotation import exchange
from annotation.models import Consensus
from tests.factories import NOW, make_campaign, make_tasks
from training.models import TrainingPolicy
from training.services.acquisition import Opinion, task_values

pytestmark = pytest.mark.django_db


def settle(campaign, tasks, values) -> None:
    Consensus.objects.bulk_create(
        Consensus(
            task=task, campaign=campaign, method="majority", label=value.get("label", ""), value=value,
            share=1, votes={}, n_answers=1, settled_at=NOW,
        )
        for task, value in zip(tasks, values, strict=True)
    )  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "head", "common", "torn"),
    [
        ("choice", "single", {"label": "yes"}, [[0.5, 0.5, 0.0], [0.0, 0.5, 0.5]]),
        ("multiple", "multiple", {"labels": ["yes"]}, [[0.5, 0.01, 0.01], [0.01, 0.01, 0.5]]),
    ],
)
def test_who_asks_for_rare_labels_is_asked_where_one_is_in_doubt_that_has_few(kind, head, common, torn):
    campaign = make_campaign(kind=kind)
    *settled, often, rare = make_tasks(campaign, 32)
    settle(campaign, settled, [common] * 30)
    tasks = exchange.open_tasks(campaign.pk)
    rows, _ = tasks.rows_of(exchange.packed_ids([often.pk, rare.pk]))
    probabilities = np.full((len(tasks), 3), 0.01)
    probabilities[rows] = torn
    policy = TrainingPolicy.objects.create(campaign=campaign, acquisition="rare")
    opinion = Opinion(head, ["yes", "no", "unclear"], probabilities)
    values = task_values(campaign, policy, tasks, opinion, now=timezone.now())
    assert values[rows[1]] > 1.2 * values[rows[0]]
