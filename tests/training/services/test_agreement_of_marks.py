"""A model of spans or relations that volunteers agree with less than at first goes back. Training is real."""

from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from annotation.models import Campaign, Consensus
from tests.labelled import add_marked, add_open
from tests.served_models import campaign_of, examples_of, put_in_charge
from tests.tiny_bert import tiny_config_of
from training.algorithms.examples import Examples, Relation, Span
from training.models import ModelVersion, Prediction, Promotion, TrainingPolicy, TrainingRun
from training.services import promotions, runs
from training.services.agreement_guard import agreement_of
from training.services.execution import execute_run
from training.services.priorities import order_queue
from training.services.promotions import in_charge, took_charge
from training.tasks import tick

pytestmark = pytest.mark.django_db(transaction=True)  # a run's heartbeat has a connection of its own
Kind = TrainingRun.Kind
N_LABELLED, N_OPEN = 240, 90


def answer_of(spans: list[Span], relations: list[Relation] | None) -> dict:
    """What is marked, in the form of an answer."""
    value = {"spans": [span._asdict() for span in spans]}
    if relations is not None:
        value["relations"] = [
            {"from": spans.index(one.head), "to": spans.index(one.tail), "label": one.label}
            for one in relations
        ]
    return value


def answers_of(examples: Examples) -> list[dict]:
    stated = examples.relations or [None] * len(examples)
    return [answer_of(spans, relations) for spans, relations in zip(examples.spans, stated, strict=True)]


@pytest.fixture(params=["spans", "relations"])
def taught(request, served_base, model_dir) -> tuple[Campaign, ModelVersion, ModelVersion]:
    """Two models that had charge, one after the other, of one training; the open texts were read."""
    campaign = campaign_of(request.param, needed=2)
    TrainingPolicy.objects.create(campaign=campaign, base_model=str(served_base), exploration_share=0.6)
    examples = examples_of(request.param, N_LABELLED + N_OPEN)
    answers = answers_of(examples)
    add_marked(campaign, zip(examples.texts[:N_LABELLED], answers[:N_LABELLED], strict=True))
    add_open(campaign, examples.texts[N_LABELLED:])
    run = runs.open_run(campaign, now=timezone.now())
    config = tiny_config_of(served_base, max_epochs=20, patience=20, max_tokens=20, window_overlap=4)
    TrainingRun.objects.filter(pk=run.pk).update(config=config.to_dict())
    assert execute_run(run.pk), TrainingRun.objects.get(pk=run.pk).failure
    second = run.versions.get()
    first = put_in_charge(campaign, Path(second.path))
    promotions.put_in_charge(second, cause=Promotion.Cause.HAND, now=timezone.now())
    order_queue(second, number=run.number + 1, on_progress=lambda share: None)
    return campaign, first, second


def settle(campaign: Campaign, *, otherwise: float = 0.0) -> int:
    """Volunteers state of the stream's texts what the model had said, and of a share of them otherwise."""
    said = list(Prediction.objects.filter(explored=True).order_by("task_id"))
    for n, prediction in enumerate(said):
        value = without_probabilities(prediction.answer)
        if n < otherwise * len(said):
            value = contradicted(value)
        Consensus.objects.create(
            task_id=prediction.task_id, campaign=campaign, method="majority", label="", value=value,
            share=1.0, votes={}, n_answers=2, settled_at=timezone.now() + timedelta(seconds=1),
        )  # fmt: skip
    return len(said)


def without_probabilities(answer: dict) -> dict:
    return {
        name: [{key: one[key] for key in one if key != "probability"} for one in marks]
        for name, marks in answer.items()
    }


def contradicted(value: dict) -> dict:
    """Each span a character shorter; what was related is not, and where nothing was, something is."""
    if "relations" not in value:
        return {"spans": [span | {"end": span["end"] - 1} for span in value["spans"]]}
    related = (
        [] if value["relations"] or len(value["spans"]) < 2 else [{"from": 0, "to": 1, "label": "causes"}]
    )
    return value | {"relations": related}


def test_a_model_that_marks_goes_back_where_volunteers_mark_otherwise(taught):
    campaign, first, second = taught
    since = took_charge(second).at
    assert agreement_of(second, since=since) is None, "nothing was settled since it took charge"
    n_read = settle(campaign, otherwise=0.6)
    agreement = agreement_of(second, since=since)
    assert agreement.n_now == n_read > 30, "each text is of a record of its own"
    assert agreement.then == second.metrics["agreement"]["mean"] > 0.8
    assert agreement.now == pytest.approx(0.4, abs=0.05)
    tick()
    assert in_charge(campaign.pk) == first
    assert Promotion.objects.first().cause == Promotion.Cause.GUARD
    assert TrainingRun.objects.open().get().kind == Kind.ORDER


def test_a_model_that_marks_as_volunteers_do_stays(taught):
    campaign, _, second = taught
    settle(campaign, otherwise=0.05)
    tick()
    assert in_charge(campaign.pk) == second
