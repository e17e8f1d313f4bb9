"""What an answer to a task is worth, by what the campaign has so far."""

import numpy as np
import pytest
from django.utils import timezone

from annotation import exchange
from annotation.models import Consensus
from tests.factories import NOW, make_campaign, make_tasks
from training.algorithms.examples import Span
from training.algorithms.relation_pairs import Reading
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


HERE, THERE = ({"start": start, "end": start + 4, "label": "drug"} for start in (0, 5))
RELATED = {"spans": [HERE, THERE], "relations": [{"from": 0, "to": 1, "label": "causes"}]}


def marks(*starts: int, related: float = 0.9) -> Reading:
    spans = [(Span(start, start + 4, "drug"), 0.9) for start in starts]
    pairs = [(0, 1)] if len(spans) == 2 else []
    return Reading(spans, pairs, np.array([[1 - related, related]] * len(pairs), dtype=np.float32))


@pytest.mark.parametrize(
    ("kind", "head", "value", "votes", "agrees", "disagrees"),
    [
        ("multiple", "multiple", {"labels": ["yes"]}, {"yes": 1}, [0.99, 0.01], [0.99, 0.99]),
        ("multiple", "multiple", {"labels": []}, {}, [0.01, 0.01], [0.99, 0.01]),
        ("spans", "spans", {"spans": [HERE]}, {"drug": 1}, marks(0), marks(5)),
        ("spans", "spans", {"spans": []}, {}, marks(), marks(5)),
        ("relations", "relations", RELATED, {"drug": 1}, marks(0, 5), marks(0, 5, related=0.1)),
    ],
)
def test_what_crowd_and_model_see_otherwise_is_asked_once_more_whatever_the_kind(
    kind, head, value, votes, agrees, disagrees
):
    campaign = make_campaign(kind=kind)
    alike, torn = make_tasks(campaign, 2)
    Consensus.objects.bulk_create(
        Consensus(
            task=task, campaign=campaign, method="majority", label="", value=value, share=1, votes=votes,
            n_answers=1,
        )
        for task in (alike, torn)
    )  # fmt: skip
    tasks = exchange.open_tasks(campaign.pk)
    rows, _ = tasks.rows_of(exchange.packed_ids([alike.pk, torn.pk]))
    thought = [agrees if row == rows[0] else disagrees for row in range(2)]
    if head == "multiple":
        opinion = Opinion(head, ["yes", "no"], np.array(thought))
    else:
        opinion = Opinion(head, ["drug" if head == "spans" else "causes"], None, thought)
    policy = TrainingPolicy.objects.create(campaign=campaign, acquisition="margin")
    values = task_values(campaign, policy, tasks, opinion, now=timezone.now())
    assert values[rows[1]] > 3 * values[rows[0]]
