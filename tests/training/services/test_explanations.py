"""What a model looked at: asked for once a text and model, for those who may read the text, no others."""

from datetime import timedelta
from uuid import uuid4

import pytest

from annotation.errors import AnswerStands, NotFound
from annotation.models import Answer, Consensus, Gold, Membership, MicroTask, Record, Role, TrailEntry
from annotation.services.answers import revise_answer, submit_answer
from annotation.services.handout import skip_task, take_place
from tests.factories import NOW, make_campaign, make_text, make_volunteer
from tests.labelled import YES_NO
from tests.training.explained import place_at, put_in_charge, settled
from training.models import Explanation, ModelVersion
from training.services import explaining
from training.services.explanations import (
    PATIENCE,
    ask_for_explanation,
    reader_of,
    show_explanation,
    tasks_to_explain,
)
from training.tasks import explaining_tick

pytestmark = pytest.mark.django_db
TEXT = "word1 rash word2"


@pytest.fixture
def campaign(campaign, charlie, tmp_path):
    """Reviewed by charlie; a model is in charge."""
    Membership.objects.create(user=charlie, campaign=campaign, role=Role.REVIEWER)
    put_in_charge(campaign, tmp_path)
    return campaign


def ask(user, task, now=NOW):
    ask_for_explanation(reader_of(user, task.pk), now=now)


def shown(user, task, now=NOW):
    return show_explanation(reader_of(user, task.pk), now=now)


def answer(task, volunteer, label="yes"):
    place = take_place(task.pk, volunteer.pk, now=NOW)
    submit_answer(place, volunteer.user, {"label": label}, key=uuid4(), now=NOW)
    return place


def test_who_asks_waits_for_a_worker_and_then_sees_the_words(campaign, charlie):
    task = make_text(campaign, TEXT)
    assert shown(charlie, task).state == "not_asked"
    ask(charlie, task)
    assert shown(charlie, task).state == "waiting"
    assert tasks_to_explain(now=NOW) == [task.pk]
    explaining.explain_task(task.pk)
    assert tasks_to_explain(now=NOW) == []
    found = shown(charlie, task)
    assert (found.state, found.content["label"], found.content["method"]) == ("done", "yes", "weights")
    start, end, _ = max(found.content["words"], key=lambda word: word[2])
    assert TEXT[start:end] == "rash"


def test_nothing_of_the_text_is_kept(campaign, charlie):
    task = make_text(campaign, TEXT)
    ask(charlie, task)
    explaining.explain_task(task.pk)
    [row] = Explanation.objects.values()
    assert not any(word in str(row) for word in TEXT.split())


def test_an_equal_text_is_not_worked_out_again_and_a_new_model_is_asked_anew(campaign, charlie, tmp_path):
    first, second = make_text(campaign, TEXT), make_text(campaign, TEXT)
    ask(charlie, first)
    explaining.explain_task(first.pk)
    assert shown(charlie, second).state == "done"
    put_in_charge(campaign, tmp_path, number=2)
    assert shown(charlie, first).state == "not_asked"
    ask(charlie, first)
    assert Explanation.objects.count() == 2


def test_a_second_message_changes_nothing(campaign, charlie):
    task = make_text(campaign, TEXT)
    ask(charlie, task)
    explaining.explain_task(task.pk)
    before = Explanation.objects.values().get()
    explaining.explain_task(task.pk)
    explaining.explain_task(uuid4())
    ask(charlie, task)
    assert Explanation.objects.values().get() == before


def test_a_volunteer_sees_it_only_after_answering(campaign, bob):
    volunteer = make_volunteer(campaign, bob)
    answered, skipped, untouched = (make_text(campaign, f"{TEXT} {n}") for n in range(3))
    answer(answered, volunteer)
    skip_task(take_place(skipped.pk, volunteer.pk, now=NOW), bob, "unclear", now=NOW)
    assert shown(bob, answered).state == "not_asked"
    held_open = make_text(campaign, TEXT)
    take_place(held_open.pk, volunteer.pk, now=NOW)
    for task in (skipped, untouched, held_open):
        with pytest.raises(NotFound):
            reader_of(bob, task.pk)
    volunteer.taken_out_at = NOW
    volunteer.save()
    with pytest.raises(NotFound):
        reader_of(bob, answered.pk)


def test_strangers_and_held_records_get_nothing(campaign, alice, charlie):
    task = make_text(campaign, TEXT)
    with pytest.raises(NotFound):
        reader_of(alice, task.pk)
    with pytest.raises(NotFound):
        reader_of(charlie, task.pk, campaign_id=make_campaign().pk)
    Record.objects.filter(pk=task.record_id).update(held=True)
    assert MicroTask.objects.get(pk=task.pk).held
    with pytest.raises(NotFound):
        reader_of(charlie, task.pk)


def test_a_volunteer_who_has_asked_cannot_change_the_answer_to_what_the_model_said(campaign, bob, charlie):
    task = make_text(campaign, TEXT)
    place = answer(task, make_volunteer(campaign, bob), "no")
    revise_answer(place, bob, {"label": "yes"}, key=uuid4(), now=NOW)
    ask(charlie, task)
    explaining.explain_task(task.pk)
    assert shown(bob, task).state == "not_asked", "what others have asked for is not shown by itself"
    revise_answer(place, bob, {"label": "no"}, key=uuid4(), now=NOW)
    ask(bob, task)
    assert shown(bob, task).state == "done"
    with pytest.raises(AnswerStands):
        revise_answer(place, bob, {"label": "yes"}, key=uuid4(), now=NOW)
    assert Answer.objects.get().value == {"label": "no"}


def test_without_a_model_in_charge_nothing_is_asked_and_no_answer_is_bound(campaign, bob):
    task = make_text(campaign, TEXT)
    place = answer(task, make_volunteer(campaign, bob), "no")
    ModelVersion.objects.update(path="")
    ask(bob, task)
    assert shown(bob, task).state == "no_model"
    assert not Explanation.objects.exists()
    revise_answer(place, bob, {"label": "yes"}, key=uuid4(), now=NOW)


def test_a_model_whose_files_are_gone_says_so_and_can_be_asked_again(campaign, charlie):
    task = make_text(campaign, TEXT)
    ModelVersion.objects.update(path="/nowhere", family="encoder")
    ask(charlie, task)
    explaining.explain_task(task.pk)
    found = shown(charlie, task)
    assert (found.state, "not on the worker's disk" in found.failure) == ("failed", True)
    ask(charlie, task)
    assert shown(charlie, task).state == "waiting"


def test_what_breaks_unforeseen_leaves_no_text_in_the_log(campaign, charlie, monkeypatch, caplog):
    def broken(version, text):
        raise ValueError(text.text)

    monkeypatch.setattr(explaining, "explain_text", broken)
    task = make_text(campaign, TEXT)
    ask(charlie, task)
    explaining.explain_task(task.pk)
    assert shown(charlie, task).state == "failed"
    assert "ValueError" in caplog.text
    assert TEXT not in caplog.text


def test_nobody_waits_for_ever(campaign, charlie):
    task, late = make_text(campaign, TEXT), NOW + PATIENCE + timedelta(seconds=1)
    ask(charlie, task)
    assert shown(charlie, task, late).state == "late"
    assert tasks_to_explain(now=late) == []
    ask(charlie, task, late)
    assert tasks_to_explain(now=late) == [task.pk]


def test_what_a_model_looked_at_goes_with_its_weights(campaign, charlie, tmp_path):
    task = make_text(campaign, TEXT)
    ask(charlie, task)
    old = ModelVersion.objects.get()
    put_in_charge(campaign, tmp_path, number=2)
    ask(charlie, task)
    explaining_tick()
    assert Explanation.objects.count() == 2
    ModelVersion.objects.filter(pk=old.pk).update(path="")
    explaining_tick()
    assert Explanation.objects.get().model_version.number == 2


# --- Looks like these three ---


def test_the_nearest_settled_texts_of_the_campaign_are_shown_with_their_consensus(campaign, charlie):
    task = make_text(campaign, TEXT)
    near, held, far, farther, farthest = settled(campaign, ["a", "b", "c", "d", "e"])
    unsettled = make_text(campaign, "f")
    [tie] = settled(campaign, ["g"], label="")
    [elsewhere] = settled(make_campaign(labels=YES_NO), ["h"])
    place_at(
        [task, held, unsettled, tie, elsewhere, near, far, farther, farthest], [0, 1, 2, 3, 4, 5, 20, 40, 60]
    )
    Record.objects.filter(pk=held.record_id).update(held=True)
    Gold.objects.create(
        task=far, campaign=campaign, label="no", value={"label": "no"}, origin="reviewer", decided_at=NOW
    )
    ask(charlie, task)
    explaining.explain_task(task.pk)
    found = shown(charlie, task).neighbours
    assert [(one.task_id, one.text, one.words) for one in found] == [
        (near.pk, "a", "Yes"),
        (far.pk, "c", "No"),
        (farther.pk, "d", "Yes"),
    ]
    assert found[0].similarity == pytest.approx(0.996, abs=0.001)
    seen = [str(one) for one in (task.pk, near.pk, far.pk, farther.pk)]
    assert TrailEntry.objects.get(verb="read_explanation").detail == {"tasks": seen}


def test_a_volunteer_gets_texts_that_they_have_answered_with_their_own_words(campaign, bob):
    volunteer = make_volunteer(campaign, bob)
    campaign.needed = 1
    campaign.save()
    task, own, open_one = make_text(campaign, TEXT), make_text(campaign, "a"), make_text(campaign, "b")
    for one, label in ((task, "yes"), (own, "no"), (open_one, "no")):
        answer(one, volunteer, label)
    Consensus.objects.filter(pk=open_one.pk).update(settled_at=None)
    Consensus.objects.filter(pk=own.pk).update(value={"label": "yes"})
    [foreign] = settled(campaign, ["c"])
    place_at([task, own, open_one, foreign], [0, 30, 10, 5])
    ask(bob, task)
    explaining.explain_task(task.pk)
    [found] = shown(bob, task).neighbours
    assert (found.task_id, found.words) == (own.pk, "No")
    assert not TrailEntry.objects.filter(user=bob).exists()


def test_a_text_without_a_vector_has_no_neighbours(campaign, charlie):
    task = make_text(campaign, TEXT)
    place_at(settled(campaign, ["a"]), [0])
    ask(charlie, task)
    explaining.explain_task(task.pk)
    assert shown(charlie, task).neighbours == []
