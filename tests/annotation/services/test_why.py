"""Why a consensus is what it is."""

from datetime import timedelta
from uuid import uuid4

import pytest

from annotation.errors import NotFound
from annotation.kinds import kind_named
from annotation.models import Answer, Campaign, Consensus, Record, TrailEntry
from annotation.services.answers import submit_answer
from annotation.services.doubts import doubt_guideline
from annotation.services.handout import take_place
from annotation.services.review import decide_task
from annotation.services.standing import set_standing, weigh_answers_again
from annotation.services.why import doubt_words, explain_task, find_task
from tests.factories import NOW, make_campaign, make_sentences, make_tasks, make_users, make_volunteers

pytestmark = pytest.mark.django_db


@pytest.fixture
def campaign():
    return make_campaign(needed=3)


@pytest.fixture
def volunteers(campaign):
    return make_volunteers(campaign, make_users(3))


@pytest.fixture
def task(campaign, volunteers):
    [task] = make_tasks(campaign, 1)
    for minute, (volunteer, label) in enumerate(zip(volunteers, ("yes", "no", "yes"), strict=True)):
        place = take_place(task.pk, volunteer.pk, now=NOW)
        now = NOW + timedelta(seconds=minute + 1)
        submit_answer(place, volunteer.user, {"label": label}, key=uuid4(), now=now)
    return task


def test_an_admin_reads_the_text_each_answer_by_pseudonym_and_how_sure_that_makes(
    campaign, volunteers, task, alice
):
    why = explain_task(campaign, task.pk, by=alice, with_names=True)
    assert (why.text, why.name) == (task.record.text, task.record.external_id)
    assert [(a.who, a.words, a.seconds, a.counts) for a in why.answers] == [
        (volunteer.pseudonym, [label], seconds, True)
        for volunteer, label, seconds in zip(volunteers, ("Yes", "No", "Yes"), (1, 2, 3), strict=True)
    ]
    verdict = why.verdict
    assert (verdict.words, verdict.method, verdict.version) == (["Yes"], "majority", 0)
    assert verdict.doubt == "much doubt"
    assert [(c.words, round(c.probability, 3)) for c in verdict.candidates] == [("Yes", 0.667), ("No", 0.333)]
    assert why.known is None
    noted = TrailEntry.objects.get(verb="read_task")
    assert (noted.user, noted.campaign, noted.detail) == (alice, campaign, {"task": str(task.pk)})


def test_a_reviewer_reads_the_same_without_names(campaign, volunteers, task, alice):
    decide_task(campaign, task.pk, {"label": "no"}, by=alice, now=NOW)
    why = explain_task(campaign, task.pk, by=alice, with_names=False)
    assert [answer.who for answer in why.answers] == ["Answer 1", "Answer 2", "Answer 3"]
    assert not any(volunteer.pseudonym in repr(why) for volunteer in volunteers)
    assert (why.known.words, why.known.origin, why.known.decided_by) == (["No"], "reviewer", "")
    assert explain_task(campaign, task.pk, by=alice, with_names=True).known.decided_by == "alice"


def test_weights_and_probabilities_of_a_fit_stand_beside_the_answers(campaign, task, alice):
    places = list(Answer.objects.order_by("answered_at").values_list("pk", flat=True))
    Consensus.objects.update(
        method="engine", version=4, certainty=0.93, entropy=0.37, posterior={"no": 0.07, "yes": 0.93},
        weights={str(place): weight for place, weight in zip(places, (1.5, 0.2, 2.25), strict=True)},
    )  # fmt: skip
    why = explain_task(campaign, task.pk, by=alice, with_names=True)
    assert [answer.weight for answer in why.answers] == [1.5, 0.2, 2.25]
    assert [(c.key, c.probability) for c in why.verdict.candidates] == [("yes", 0.93), ("no", 0.07)]
    assert (why.verdict.version, why.verdict.doubt) == (4, "some doubt")


def test_answers_that_do_not_count_say_why(campaign, volunteers, task, alice):
    set_standing(volunteers[0], "flagged", "x", by=None, now=NOW)
    weigh_answers_again(volunteers[0], now=NOW)
    campaign.labels = [label for label in campaign.labels if label["key"] != "no"]
    campaign.save()
    why = explain_task(campaign, task.pk, by=alice, with_names=True)
    assert [answer.why_not for answer in why.answers] == [
        "its volunteer was flagged, and nobody has decided yet",
        "one of its labels was taken out of the campaign since",
        "",
    ]
    assert why.answers[1].words == ["no"]


def test_a_task_without_answers_says_so_and_notes_of_reviewers_are_shown(campaign, alice):
    [task] = make_tasks(campaign, 1)
    doubt_guideline(campaign, task.pk, "Whose rash?", by=alice, now=NOW)
    why = explain_task(campaign, task.pk, by=alice, with_names=True)
    assert (why.verdict, why.answers, why.notes) == (None, [], ["Whose rash?"])


def test_a_sentence_comes_with_its_context(campaign, alice):
    text = "HPI: Took the drug. A rash came. It went again."
    [task] = make_sentences(campaign, text, [(20, 32)])
    why = explain_task(campaign, task.pk, by=alice, with_names=True)
    assert (why.before, why.text, why.after) == ("HPI: Took the drug. ", "A rash came.", " It went again.")


def test_held_and_foreign_tasks_are_not_found_and_leave_no_trace(campaign, task, alice):
    with pytest.raises(NotFound):
        explain_task(make_campaign(), task.pk, by=alice, with_names=True)
    Record.objects.update(held=True)
    with pytest.raises(NotFound):
        explain_task(campaign, task.pk, by=alice, with_names=True)
    assert not TrailEntry.objects.exists()


def test_a_task_is_found_by_its_id_its_record_or_its_place_in_the_record(campaign, task):
    campaign.unit = Campaign.Unit.SENTENCE
    first, second = make_sentences(campaign, "One. Two.", [(0, 4), (5, 9)])
    record = first.record.external_id
    assert find_task(campaign, f" {task.pk} ") == task.pk
    assert find_task(campaign, task.record.external_id) == task.pk
    assert find_task(campaign, f"{record}#1") == second.pk
    with pytest.raises(NotFound, match="cut into several tasks"):
        find_task(campaign, record)
    for nothing in ("", "nowhere", "a\x00b"):
        with pytest.raises(NotFound, match="no task of this name"):
            find_task(campaign, nothing)


def test_reading_why_takes_the_same_queries_however_many_answers(
    campaign, task, alice, django_assert_num_queries
):
    with django_assert_num_queries(6):  # a savepoint and its release among them
        explain_task(campaign, task.pk, by=alice, with_names=True)


def test_of_own_words_no_doubt_is_claimed_for_likeness_is_no_probability(alice):
    campaign = make_campaign(kind="text", labels=[], needed=2)
    [task] = make_tasks(campaign, 1)
    for volunteer, words in zip(make_volunteers(campaign, make_users(2)), ("a rash", "a cough"), strict=True):
        place = take_place(task.pk, volunteer.pk, now=NOW)
        submit_answer(place, volunteer.user, {"text": words}, key=uuid4(), now=NOW)
    verdict = explain_task(campaign, task.pk, by=alice, with_names=True).verdict
    assert (verdict.certainty, verdict.doubt) == (0.75, "")


def test_doubt_about_a_set_of_labels_is_measured_label_by_label(alice):
    campaign = make_campaign(kind="multiple", needed=2)
    [task] = make_tasks(campaign, 1)
    for volunteer, labels in zip(make_volunteers(campaign, make_users(2)), (["yes"], ["no"]), strict=True):
        place = take_place(task.pk, volunteer.pk, now=NOW)
        submit_answer(place, volunteer.user, {"labels": labels}, key=uuid4(), now=NOW)
    verdict = explain_task(campaign, task.pk, by=alice, with_names=True).verdict
    assert (verdict.words, verdict.entropy, verdict.doubt) == ([], 2.0, "as open as a guess")
    assert [(c.words, c.probability) for c in verdict.candidates] == [("Yes", 0.5), ("No", 0.5)]


def test_labels_that_somebody_chose_and_the_consensus_leaves_out_are_told_apart(alice):
    campaign = make_campaign(kind="multiple", needed=3)
    [task] = make_tasks(campaign, 1)
    said = (["yes"], ["yes", "no"], ["yes"])
    for volunteer, labels in zip(make_volunteers(campaign, make_users(3)), said, strict=True):
        place = take_place(task.pk, volunteer.pk, now=NOW)
        submit_answer(place, volunteer.user, {"labels": labels}, key=uuid4(), now=NOW)
    verdict = explain_task(campaign, task.pk, by=alice, with_names=True).verdict
    assert [(c.key, c.rejected) for c in verdict.candidates] == [("yes", False), ("no", True)]
    assert ([c.key for c in verdict.standing], [c.key for c in verdict.rejected]) == (["yes"], ["no"])


NAMES = {"a": "Drug", "b": "Effect", "c": "causes"}


@pytest.mark.parametrize(
    ("kind", "value", "lines"),
    [
        ("choice", {"label": "a"}, ["Drug"]),
        ("ordinal", {"label": "gone"}, ["gone"]),
        ("multiple", {"labels": ["a", "b"]}, ["Drug", "Effect"]),
        ("multiple", {"labels": []}, ["none of the labels"]),
        ("text", {"text": "a rash"}, ["a rash"]),
        ("spans", {"spans": []}, ["nothing marked"]),
        ("spans", {"spans": [{"start": 2, "end": 4, "label": "b"}]}, ["Effect: “皮疹”"]),
        ("relations", {"spans": [], "relations": []}, ["nothing marked"]),
        (
            "relations",
            {
                "spans": [{"start": 0, "end": 1, "label": "a"}, {"start": 2, "end": 4, "label": "b"}],
                "relations": [{"from": 0, "to": 1, "label": "c"}],
            },
            ["Drug: “药”", "Effect: “皮疹”", "“药” → causes → “皮疹”"],
        ),
    ],
)
def test_an_answer_of_any_kind_is_said_in_words(kind, value, lines):
    assert kind_named(kind).lines(value, NAMES, "药致皮疹") == lines


def test_candidates_are_labels_quoted_spans_or_relations_between_two():
    relations = kind_named("relations").candidate
    assert relations("0-4 → 9-14 b", NAMES, "rash and fever") == "“rash” → Effect → “fever”"
    assert relations("0-4 b", NAMES, "rash") == "Effect: “rash”"
    assert kind_named("choice").candidate("a", NAMES, "") == "Drug"
    spans = kind_named("spans").candidate
    assert spans("0-4 b", {"0-4 b": "a label"}, "rash") == "a label"
    assert len(spans("0-90 b", NAMES, "r" * 90)) == len("Effect: “…”") + 60


@pytest.mark.parametrize(
    ("entropy", "n", "words"),
    [(0.0, 2, "hardly any doubt"), (0.4, 2, "some doubt"), (0.8, 2, "much doubt"),
     (1.0, 2, "as open as a guess"), (1.0, 8, "some doubt"), (0.0, 1, "hardly any doubt")],
)  # fmt: skip
def test_doubt_is_measured_by_the_most_that_there_can_be(entropy, n, words):
    assert doubt_words(entropy, n) == words
