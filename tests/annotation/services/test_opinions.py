"""The model as one more annotator: through a seam of its own, and only as far as it proved right."""

from uuid import uuid4

import numpy as np
import pytest
from django.db import connection

from annotation.algorithms.stopping import Rule
from annotation.exchange import hears_models, records_spoken_of, set_opinions, take_back
from annotation.models import Consensus, CrowdFit, Gold, Opinion
from annotation.services.answers import submit_answer
from annotation.services.consensus import recompute_consensus
from annotation.services.crowd import campaigns_to_judge, judge_again, refit
from annotation.services.handout import take_place
from annotation.services.rule_trials import try_rule
from tests.factories import NOW, make_campaign, make_gold, make_tasks, make_users, make_volunteers
from tests.invariants import assert_everything_adds_up
from tests.simulated import skilled_crowd

pytestmark = pytest.mark.django_db
YES_NO = [{"key": "yes", "name": "Yes", "hint": ""}, {"key": "no", "name": "No", "hint": ""}]
N_TASKS, N_GOLD = 150, 100


def truth(n: int) -> str:
    return YES_NO[n % 2]["key"]


def opinion(label: str, certainty: float = 0.9) -> dict[str, float]:
    return (
        {"yes": certainty, "no": 1 - certainty} if label == "yes" else {"yes": 1 - certainty, "no": certainty}
    )


@pytest.fixture
def weighed():
    """Two volunteers who are right seven times in ten have answered every task; most tasks are gold."""
    campaign = make_campaign(aggregation="engine", labels=YES_NO, needed=2)
    volunteers, tasks = make_volunteers(campaign, make_users(2)), make_tasks(campaign, N_TASKS)
    said = skilled_crowd([0.7, 0.7], n_tasks=N_TASKS, n_classes=2, seed=8)
    for task, worker, label in zip(*said, strict=True):
        place = take_place(tasks[task].pk, volunteers[worker].pk, now=NOW)
        submit_answer(place, volunteers[worker].user, {"label": YES_NO[label]["key"]}, key=uuid4(), now=NOW)
    for n in range(N_GOLD):
        make_gold(tasks[n], truth(n))
    Gold.objects.update(created_at=NOW)  # before the fits
    return campaign, tasks


def think(campaign, tasks, accuracy: float, version: int = 1) -> None:
    rng = np.random.default_rng(11)
    right = rng.random(len(tasks)) < accuracy
    other = {"yes": "no", "no": "yes"}
    labels = [truth(n) if right[n] else other[truth(n)] for n in range(len(tasks))]
    set_opinions(
        campaign.pk,
        [(task.pk, opinion(label)) for task, label in zip(tasks, labels, strict=True)],
        version=version,
    )


def n_right(tasks) -> int:
    labels = dict(Consensus.objects.values_list("task", "label"))
    return sum(labels[task.pk] == truth(n) for n, task in enumerate(tasks) if n >= N_GOLD)


def test_a_model_that_is_right_on_gold_is_heard_and_consensus_gets_better(weighed):
    campaign, tasks = weighed
    refit(campaign, now=NOW)
    before = n_right(tasks)
    think(campaign, tasks, accuracy=0.9)
    fit = refit(campaign, now=NOW)
    assert fit.parameters["model"]["earned"] is True
    assert fit.parameters["annotator"]["cap"] > 0
    assert n_right(tasks) > before + 5
    assert_everything_adds_up(campaign)


def test_a_model_that_guesses_is_not_heard(weighed):
    campaign, tasks = weighed
    first = refit(campaign, now=NOW)
    think(campaign, tasks, accuracy=0.5)
    second = refit(campaign, now=NOW)
    assert "annotator" not in first.parameters
    assert "annotator" not in second.parameters
    assert second.n_changed == 0


def test_without_gold_no_model_is_heard_however_right_it_is(weighed):
    campaign, tasks = weighed
    Gold.objects.all().delete()
    think(campaign, tasks, accuracy=0.95)
    assert "annotator" not in refit(campaign, now=NOW).parameters


def test_no_task_is_settled_by_the_model_and_one_person(weighed):
    campaign, tasks = weighed
    type(campaign).objects.update(stopping="adaptive", needed=1, stop_certainty=0.6, audit_share=0)
    campaign.refresh_from_db()
    think(campaign, tasks, accuracy=0.95)
    refit(campaign, now=NOW)
    campaign.refresh_from_db()
    (fresh,) = make_tasks(campaign, 1)
    set_opinions(campaign.pk, [(fresh.pk, opinion("yes", 0.999))], version=1)
    for n, volunteer in enumerate(campaign.volunteers.all()[:2]):
        place = take_place(fresh.pk, volunteer.pk, now=NOW)
        submit_answer(place, volunteer.user, {"label": "yes"}, key=uuid4(), now=NOW)
        row = Consensus.objects.get(pk=fresh.pk)
        assert (row.settled_at is not None) == (n == 1)
        assert row.certainty > 0.6


def test_a_rule_that_is_tried_stops_no_task_by_the_model_and_one_person_either(weighed):
    campaign, tasks = weighed
    rule = Rule(certainty=0.6, first=1, first_while_young=1, most=2, audit_share=0.0)
    refit(campaign, now=NOW)
    campaign.refresh_from_db()
    assert try_rule(campaign, rule).answers_per_task < 2
    think(campaign, tasks, accuracy=0.9)
    refit(campaign, now=NOW)
    campaign.refresh_from_db()
    trial = try_rule(campaign, rule)
    assert trial.answers_per_task == 2
    labels = dict(Consensus.objects.values_list("task", "label"))
    assert trial.accuracy_now == np.mean([labels[tasks[n].pk] == truth(n) for n in range(N_GOLD)])


def test_an_older_models_opinion_never_overwrites_a_newer_ones(weighed):
    campaign, tasks = weighed
    set_opinions(campaign.pk, [(tasks[0].pk, opinion("yes"))], version=3)
    set_opinions(campaign.pk, [(tasks[0].pk, opinion("no"))], version=2)
    kept = Opinion.objects.get()
    assert (kept.version, kept.probabilities) == (3, opinion("yes"))


def test_opinions_of_another_campaigns_tasks_are_left_out(weighed):
    _, tasks = weighed
    assert set_opinions(make_campaign().pk, [(tasks[0].pk, opinion("yes"))], version=1) == 0


def test_a_label_key_of_any_characters_survives_the_way(weighed):
    campaign, tasks = weighed
    odd = {'tab\t"quote" \\ back': 0.5, "皮疹": 0.5}
    set_opinions(campaign.pk, [(tasks[0].pk, odd)], version=1)
    assert Opinion.objects.get().probabilities == odd


def test_new_opinions_have_the_tasks_judged_again(weighed):
    campaign, tasks = weighed
    think(campaign, tasks, accuracy=0.9)
    refit(campaign, now=NOW)
    assert campaigns_to_judge() == []
    think(campaign, tasks, accuracy=0.6, version=2)
    assert campaigns_to_judge() == [(campaign.pk, False)]
    judge_again(campaign, now=NOW)
    assert sum(n for _, n in recompute_consensus(campaign, now=NOW, check=True)) == 0
    assert CrowdFit.objects.count() == 1


def test_an_opinion_that_is_taken_back_is_not_heard_any_more(weighed):
    campaign, tasks = weighed
    think(campaign, tasks, accuracy=0.95)
    refit(campaign, now=NOW)
    judged = tasks[-1]
    heard = Consensus.objects.get(pk=judged.pk).posterior
    assert judged.record_id in records_spoken_of(campaign.pk)
    assert take_back(campaign.pk, [judged.record_id]) == 1
    assert set(records_spoken_of(campaign.pk)) == {task.record_id for task in tasks[:-1]}
    assert campaigns_to_judge() == [(campaign.pk, False)]
    judge_again(campaign, now=NOW)
    assert Consensus.objects.get(pk=judged.pk).posterior != heard
    assert_everything_adds_up(campaign)


@pytest.mark.parametrize(("kind", "hears"), [("choice", True), ("spans", True), ("text", False)])
def test_models_are_heard_where_answers_are_weighed_but_for_free_text(kind, hears):
    assert hears_models(make_campaign(kind=kind, aggregation="engine").pk) == hears
    assert not hears_models(make_campaign(kind=kind).pk)


def test_where_people_begin_with_what_a_model_marks_it_is_not_heard_beside_them():
    assert not hears_models(make_campaign(kind="spans", aggregation="engine", preannotates=True).pk)


def test_equal_answers_give_equal_fits_in_whatever_order_the_database_finds_them(weighed):
    campaign, _ = weighed
    first = refit(campaign, now=NOW)
    with connection.cursor() as cursor:
        # About every other row moves to the end of its table.
        cursor.execute("UPDATE annotation_answer SET seconds = 1 WHERE hashtext(key::text) % 2 = 0")
        cursor.execute("UPDATE annotation_microtask SET section = 'x' WHERE hashtext(id::text) % 2 = 0")
    second = refit(campaign, now=NOW)
    assert second.parameters == first.parameters
    assert second.n_changed == 0
