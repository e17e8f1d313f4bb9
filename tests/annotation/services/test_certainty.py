"""Certainty of answers of several parts, calibrated on gold by a refit and followed by all that reads it."""

import json
from uuid import uuid4

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from annotation.models import Answer, Consensus, MicroTask
from annotation.services.answers import revise_answer, submit_answer
from annotation.services.consensus import recompute_consensus
from annotation.services.crowd import refit
from annotation.services.engine import engine_of
from annotation.services.handout import take_place
from annotation.services.scoring import score_consensus
from annotation.services.why import explain_task
from tests.crowds import SEVERAL_PARTS, TEXT, answered_by_crowd, know
from tests.factories import NOW
from tests.invariants import assert_everything_adds_up
from tests.labelled import add_open

pytestmark = pytest.mark.django_db(transaction=True)  # hundreds of savepoints in one are slow
ACCURACIES = [0.95, 0.9, 0.9]
N_TASKS, N_GOLD = 70, 45


def certainties(campaign) -> dict:
    return dict(Consensus.objects.filter(campaign=campaign).values_list("task", "certainty"))


@pytest.fixture
def misled():
    """misled(kind): three good volunteers, all misled by each third task; of some the truth is known."""

    def make(kind: str, *, n_tasks: int = 30, n_gold: int = 30, origin: str = "file"):
        campaign, tasks, truths = answered_by_crowd(kind, ACCURACIES, n_tasks, misled_each=3)
        know(tasks[:n_gold], truths, origin=origin)
        refit(campaign, now=NOW)
        campaign.refresh_from_db()
        return campaign, tasks, truths

    return make


def gold_file(path, kind: str, tasks, truths):
    """The rest of the truth, in the form in which the kind's gold comes."""
    rows = []
    for task, true in zip(tasks, truths, strict=True):
        name = task.record.external_id
        if "spans" in true:
            spans = [[span["start"], span["end"], span["label"]] for span in true["spans"]]
            relations = [[one["from"], one["to"], one["label"]] for one in true.get("relations", [])]
            rows.append(
                {"id": name, "spans": spans} | ({"relations": relations} if kind == "relations" else {})
            )
        else:
            rows.append((name, "|".join(true["labels"]) if "labels" in true else true["text"]))
    if isinstance(rows[0], dict):
        path = path / "gold.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        path = path / "gold.csv"
        path.write_text("\n".join(["task,label", *(f"{name},{cell}" for name, cell in rows)]))
    return path


@pytest.mark.parametrize("kind", SEVERAL_PARTS)
def test_a_refit_calibrates_certainty_on_gold_and_everything_follows(misled, kind, tmp_path):
    campaign, tasks, truths = misled(kind, n_tasks=N_TASKS, n_gold=0)
    rest = gold_file(tmp_path, kind, tasks[N_GOLD:], truths[N_GOLD:])
    assert "calibration" not in campaign.crowd_fits.first().parameters
    unaware, before = certainties(campaign), score_consensus(campaign, rest)[0]
    know(tasks[:N_GOLD], truths)
    parameters = refit(campaign, now=NOW).parameters
    campaign.refresh_from_db()
    figures = parameters["calibration"]
    assert figures["n_gold"] == N_GOLD
    assert figures["error"] < figures["error_before"]
    assert figures["certainty"] == pytest.approx(figures["share_right"], abs=0.1)
    assert engine_of(campaign).calibration.error == figures["error"]
    aware, after = certainties(campaign), score_consensus(campaign, rest)[0]
    assert after["calibration_error"] < before["calibration_error"] - 0.05
    last = [task.pk for task in tasks[N_GOLD:]]
    assert sum(aware[pk] for pk in last) < sum(unaware[pk] for pk in last)
    assert_everything_adds_up(campaign)


def test_what_reviewers_decided_calibrates_nothing(misled):
    campaign, _, _ = misled("multiple", origin="reviewer")
    assert "calibration" not in campaign.crowd_fits.first().parameters


def test_a_rule_that_wants_more_than_gold_allows_asks_on(misled):
    """Two who agree would be sure enough, were not one of three tasks misleading."""
    campaign, _, _ = misled("spans")
    type(campaign).objects.update(stopping="adaptive", needed=2, most_answers=4, stop_certainty=0.97)
    campaign.refresh_from_db()
    volunteers = list(campaign.volunteers.order_by("pk"))
    [task] = add_open(campaign, [TEXT])
    for volunteer in volunteers[:2]:
        place = take_place(task.pk, volunteer.pk, now=NOW)
        submit_answer(place, volunteer.user, {"spans": []}, key=uuid4(), now=NOW)
    row = Consensus.objects.get(pk=task.pk)
    assert row.settled_at is None and row.certainty < 0.97
    assert MicroTask.objects.get(pk=task.pk).needed == 3


def test_how_alike_texts_are_is_called_sure_only_once_gold_has_made_it_so(misled, alice):
    campaign, tasks, truths = misled("text", n_gold=0)
    assert not explain_task(campaign, tasks[0].pk, by=alice, with_names=True).verdict.is_probability
    know(tasks, truths)
    refit(campaign, now=NOW)
    assert explain_task(campaign, tasks[0].pk, by=alice, with_names=True).verdict.is_probability


@pytest.mark.parametrize("kind", SEVERAL_PARTS)
def test_whatever_is_answered_and_revised_the_rows_are_what_a_computation_of_them_all_finds(misled, kind):
    campaign, _, _ = misled(kind)
    volunteers, possible = list(campaign.volunteers.order_by("pk")), SEVERAL_PARTS[kind][1]
    tasks = add_open(campaign, [TEXT] * 2)
    steps = st.tuples(st.sampled_from(tasks), st.sampled_from(volunteers), st.sampled_from(possible))

    @settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(steps, min_size=1, max_size=8))
    def add_up(taken):
        with transaction.atomic():
            for task, volunteer, value in taken:
                own = Answer.objects.filter(assignment__task=task, assignment__volunteer=volunteer).first()
                if own is None:
                    place = take_place(task.pk, volunteer.pk, now=NOW)
                    submit_answer(place, volunteer.user, value, key=uuid4(), now=NOW)
                else:
                    revise_answer(own.pk, volunteer.user, value, key=uuid4(), now=NOW)
            row = Consensus.objects.get(pk=taken[-1][0].pk)
            assert row.method == "engine" and 0 < row.certainty < 1
            assert sum(n for _, n in recompute_consensus(campaign, now=NOW, check=True)) == 0
            transaction.set_rollback(True)

    add_up()
