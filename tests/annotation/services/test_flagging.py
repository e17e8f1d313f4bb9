"""Evidence against volunteers, who is flagged by it, and who is asked back to training."""

from datetime import timedelta
from uuid import uuid4

import numpy as np
import pytest
from django.db import connection

from annotation.models import (
    Answer,
    Assignment,
    Consensus,
    MicroTask,
    Skill,
    TrailEntry,
    Volunteer,
    VolunteerDay,
)
from annotation.services.consensus import recompute_consensus
from annotation.services.crowd import refit
from annotation.services.flagging import flag_volunteers
from annotation.services.refresher import finish_training
from annotation.services.standing import set_standing, volunteers_to_weigh, weigh_answers_again
from tests.factories import NOW, make_campaign, make_tasks, make_users, make_volunteers
from tests.invariants import assert_everything_adds_up

pytestmark = pytest.mark.django_db
KEYS = np.array(["yes", "no", "unclear"])
LATER = NOW + timedelta(hours=1)
N_TASKS = 90
HONEST = 6


def store(campaign, volunteers, tasks, values, seconds) -> None:
    """Answers [W][T] with what they took [W], as if given one after the other, and their consensus."""
    places, answers = [], []
    for w, volunteer in enumerate(volunteers):
        for t, task in enumerate(tasks):
            at = NOW + timedelta(seconds=t * len(volunteers) + w)
            place = Assignment(
                task=task, volunteer=volunteer, state="answered", claimed_at=at, expires_at=at, closed_at=at
            )
            places.append(place)
            answers.append(
                Answer(
                    assignment_id=place.pk, key=uuid4(), value=values[w][t], answered_at=at,
                    seconds=seconds[w],
                )
            )  # fmt: skip
    Assignment.objects.bulk_create(places)
    Answer.objects.bulk_create(answers)
    VolunteerDay.objects.bulk_create(
        VolunteerDay(volunteer=volunteer, day=NOW.date(), n_answers=len(tasks)) for volunteer in volunteers
    )
    MicroTask.objects.update(taken=len(volunteers))
    with (
        connection.cursor() as cursor
    ):  # else the planner may take the tables for empty, by what was rolled back
        cursor.execute("ANALYZE annotation_microtask, annotation_assignment, annotation_answer")
    sum(n for _, n in recompute_consensus(campaign, now=NOW))


def crowd_with(odd_ones, odd_seconds):
    """Six honest volunteers, then odd ones: [labels of each], on ninety tasks; fitted."""
    n = HONEST + len(odd_ones)
    campaign = make_campaign(aggregation="engine", needed=n)
    volunteers, tasks = make_volunteers(campaign, make_users(n)), make_tasks(campaign, N_TASKS)
    rng = np.random.default_rng(5)
    truth = rng.integers(0, 3, N_TASKS)
    said = np.where(rng.random((HONEST, N_TASKS)) < 0.85, truth, rng.integers(0, 3, (HONEST, N_TASKS)))
    said = np.vstack([KEYS[said], *(odd(truth, rng)[None, :] for odd in odd_ones)])
    values = [[{"label": str(label)} for label in row] for row in said]
    store(campaign, volunteers, tasks, values, [*np.linspace(6, 9, HONEST), *odd_seconds])
    refit(campaign, now=NOW)
    return campaign, volunteers


def always_yes(truth, rng):
    return np.full(N_TASKS, "yes")


def honest(truth, rng):
    return KEYS[np.where(rng.random(N_TASKS) < 0.9, truth, (truth + 1) % 3)]


def flagged(campaign, now=LATER):
    return {volunteer.pk for volunteer in flag_volunteers(campaign, now=now)}


def test_who_always_gives_the_same_label_is_flagged_with_the_evidence_and_nobody_else():
    campaign, volunteers = crowd_with([always_yes], [7])
    assert flagged(campaign) == {volunteers[-1].pk}
    suspect = Volunteer.objects.get(pk=volunteers[-1].pk)
    assert (suspect.standing, suspect.standing_by, suspect.standing_at) == ("flagged", None, LATER)
    assert "do not depend on the task" in suspect.standing_reason
    habit = Skill.objects.get(pk=suspect.pk).evidence["habit"]
    assert habit["striking"] and habit["share"] == 1.0
    assert not Skill.objects.get(pk=volunteers[0].pk).evidence["habit"]["striking"]
    weigh_answers_again(suspect, now=NOW)
    assert set(Consensus.objects.values_list("n_answers", flat=True)) == {HONEST}
    assert_everything_adds_up(campaign)


def test_two_who_make_the_same_mistakes_are_flagged_each_with_the_others_pseudonym():
    same = {}

    def copied(truth, rng):
        if "said" not in same:
            wrong = (truth + rng.integers(1, 3, N_TASKS)) % 3
            same["said"] = KEYS[np.where(rng.random(N_TASKS) < 0.6, truth, wrong)]
        return same["said"]

    campaign, volunteers = crowd_with([copied, copied], [7, 8])
    assert flagged(campaign) == {volunteers[-2].pk, volunteers[-1].pk}
    reason = Volunteer.objects.get(pk=volunteers[-1].pk).standing_reason
    assert volunteers[-2].pseudonym in reason and "same wrong answer" in reason


def test_who_is_far_too_fast_is_flagged_unless_their_answers_are_surely_better_than_most():
    campaign, volunteers = crowd_with([honest], [0.2])
    assert flagged(campaign) == {volunteers[-1].pk}
    Volunteer.objects.update(standing="trusted", standing_by=None)
    Skill.objects.filter(pk=volunteers[-1].pk).update(accuracy=0.99, low=0.97, high=1)
    assert flagged(campaign) == set()
    assert Skill.objects.get(pk=volunteers[-1].pk).evidence["speed"]["striking"]


def test_whom_a_person_has_trusted_is_not_flagged_again_and_the_evidence_stays(alice):
    campaign, volunteers = crowd_with([always_yes], [7])
    flag_volunteers(campaign, now=NOW)
    set_standing(volunteers[-1], "trusted", "Their texts are all about rashes.", by=alice, now=NOW)
    assert flagged(campaign) == set()
    assert Skill.objects.get(pk=volunteers[-1].pk).evidence["habit"]["striking"]


def test_flagging_twice_is_flagging_once():
    campaign, _ = crowd_with([always_yes], [7])
    assert len(flagged(campaign)) == 1 and flagged(campaign) == set()
    assert TrailEntry.objects.filter(verb="set_standing").count() == 1
    assert len(volunteers_to_weigh()) == 1


def test_who_is_surely_well_below_the_others_is_asked_to_train_once_and_keeps_counting():
    def often_wrong(truth, rng):
        return KEYS[np.where(rng.random(N_TASKS) < 0.55, truth, (truth + rng.integers(1, 3, N_TASKS)) % 3)]

    campaign, volunteers = crowd_with([often_wrong], [7])
    flag_volunteers(campaign, now=LATER)
    asked = {v.pk for v in Volunteer.objects.all() if v.is_to_train}
    assert asked == {volunteers[-1].pk}
    learner = Volunteer.objects.get(pk=volunteers[-1].pk)
    assert (learner.standing, learner.asked_to_train_at) == ("trusted", LATER)
    finish_training(learner, now=LATER + timedelta(minutes=5))
    flag_volunteers(campaign, now=LATER + timedelta(hours=1))
    learner.refresh_from_db()
    assert not learner.is_to_train, "not before they had a chance to do better"
    Volunteer.objects.filter(pk=learner.pk).update(trained_at=NOW)
    flag_volunteers(campaign, now=LATER + timedelta(hours=2))
    learner.refresh_from_db()
    assert learner.is_to_train


def test_without_a_fit_or_settled_tasks_nobody_is_flagged():
    campaign = make_campaign(aggregation="engine")
    assert flag_volunteers(campaign, now=NOW) == []
    [volunteer] = make_volunteers(campaign, make_users(1))
    Skill.objects.create(
        volunteer=volunteer, version=1, parameters={}, accuracy=0.5, low=0, high=1, n_answers=1
    )
    assert flag_volunteers(campaign, now=NOW) == []


# --- answers that are more than one label

WORDS = ["rash", "cough", "fever", "pain", "nausea", "none"]
LABELS_OF_RELATIONS = [
    {"key": "yes", "name": "Yes", "hint": "", "role": "span"},
    {"key": "no", "name": "No", "hint": "", "role": "span"},
    {"key": "causes", "name": "causes", "hint": "", "role": "relation"},
]


def labels_of(kind: str) -> dict:
    return {"text": {"labels": []}, "relations": {"labels": LABELS_OF_RELATIONS}}.get(kind, {})


def value_of(kind: str, parts: np.ndarray) -> dict:
    """Six yes-or-no decisions as an answer of the kind."""
    first, *_, last = parts
    spans = [
        {"start": 3 * i, "end": 3 * i + 2, "label": "yes" if i < 3 else "no"}
        for i in np.flatnonzero(parts).tolist()
    ]
    match kind:
        case "multiple":
            return {"labels": [str(key) for key, holds in zip(KEYS, parts, strict=False) if holds]}
        case "spans":
            return {"spans": spans}
        case "relations":
            related = [{"from": 0, "to": len(spans) - 1, "label": "causes"}] if first and last else []
            return {"spans": spans, "relations": related}
        case "text":
            return {"text": " ".join(np.array(WORDS)[parts]) or "nothing"}


def crowd_of_parts(kind, odd_ones, n_tasks=N_TASKS):
    """Six honest volunteers, each right on 93 % of the parts of an answer, then odd ones; fitted."""
    n = HONEST + len(odd_ones)
    campaign = make_campaign(kind=kind, aggregation="engine", needed=n, **labels_of(kind))
    volunteers, tasks = make_volunteers(campaign, make_users(n)), make_tasks(campaign, n_tasks)
    rng = np.random.default_rng(8)
    truth = rng.random((n_tasks, len(WORDS))) < 0.35
    parts = [truth ^ (rng.random(truth.shape) > 0.93) for _ in range(HONEST)]
    for odd in odd_ones:
        parts.append(odd(truth, parts, rng))
    values = [[value_of(kind, row) for row in one] for one in parts]
    store(campaign, volunteers, tasks, values, np.linspace(6, 9, n))
    refit(campaign, now=NOW)
    return campaign, volunteers


def poor_but_trying(truth, others, rng):
    return truth ^ (rng.random(truth.shape) > 0.7)


SEVERAL = ["multiple", "spans", "relations", "text"]


@pytest.mark.parametrize("kind", SEVERAL)
def test_of_every_kind_who_ignores_the_task_is_flagged_and_who_is_poor_is_not(kind):
    def ignoring(truth, others, rng):
        return np.tile([True, False, False, False, False, True], (len(truth), 1))

    campaign, volunteers = crowd_of_parts(kind, [poor_but_trying, ignoring])
    assert flagged(campaign) == {volunteers[-1].pk}
    assert "do not depend on the task" in Volunteer.objects.get(pk=volunteers[-1].pk).standing_reason
    poor = Skill.objects.get(pk=volunteers[-2].pk).evidence["habit"]
    assert not poor["striking"] and poor["beyond_chance"]


def test_who_marks_whatever_comes_to_mind_is_flagged_too():
    """As much of everything as honest ones, but on the wrong texts."""
    campaign, volunteers = crowd_of_parts(
        "spans", [lambda truth, others, rng: rng.permutation(truth)], n_tasks=200
    )
    assert flagged(campaign) == {volunteers[-1].pk}


def copied(truth, others, rng):
    """Of the one before, on four texts of five."""
    own = poor_but_trying(truth, others, rng)
    return np.where(rng.random((len(truth), 1)) < 0.8, others[-1], own)


@pytest.mark.parametrize("kind", SEVERAL)
def test_of_every_kind_who_copies_is_flagged_with_whom_they_copied(kind):
    campaign, volunteers = crowd_of_parts(kind, [poor_but_trying, copied])
    assert flagged(campaign) == {volunteers[-2].pk, volunteers[-1].pk}
    reason = Volunteer.objects.get(pk=volunteers[-1].pk).standing_reason
    assert volunteers[-2].pseudonym in reason and "same wrong answer" in reason


def test_who_began_with_the_same_marks_of_a_model_copied_nobody():
    campaign, _ = crowd_of_parts("spans", [poor_but_trying, copied])
    Assignment.objects.update(suggested=True, suggestion={"spans": []}, suggestion_version=1)
    assert flagged(campaign) == set()


def test_two_who_write_the_same_words_in_capitals_copied_nobody():
    campaign, volunteers = crowd_of_parts("text", [])
    for answer in Answer.objects.filter(assignment__volunteer__in=volunteers[-2:]):
        answer.value = {"text": answer.value["text"].upper()}
        answer.save()
    assert flagged(campaign) == set()


def test_two_who_draw_boundaries_alike_copied_nobody():
    """Both take a character more into each mark than the others do."""
    campaign, volunteers = crowd_of_parts("spans", [])
    for answer in Answer.objects.filter(assignment__volunteer__in=volunteers[-2:]):
        answer.value = {"spans": [span | {"end": span["end"] + 1} for span in answer.value["spans"]]}
        answer.save()
    assert flagged(campaign) == set()


@pytest.mark.parametrize("kind", SEVERAL)
def test_of_every_kind_getting_worse_is_told_and_flags_nobody(kind):
    def tired(truth, others, rng):
        return np.where(np.arange(len(truth))[:, None] < 45, truth, truth ^ (rng.random(truth.shape) > 0.5))

    campaign, volunteers = crowd_of_parts(kind, [tired])
    assert flagged(campaign) == set()
    assert Skill.objects.get(pk=volunteers[-1].pk).evidence["drift"]["striking"]
