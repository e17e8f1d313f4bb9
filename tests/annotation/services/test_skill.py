"""What is known of a volunteer, to admins and to themselves."""

from datetime import timedelta
from uuid import uuid4

import pytest

from annotation.errors import AnswerStands, NotFound
from annotation.models import Answer, Gold, Skill, Volunteer
from annotation.services import skill
from annotation.services.answers import revise_answer, submit_answer
from annotation.services.campaigns import update_campaign
from annotation.services.crowd import judge_again, refit
from annotation.services.handout import take_place
from annotation.services.refresher import ask_to_train, finish_training, solved_examples
from annotation.services.skill import own_report, skill_lines, skill_report, volunteer_of
from tests.factories import NOW, make_campaign, make_gold, make_tasks, make_text, make_users, make_volunteers

pytestmark = pytest.mark.django_db


@pytest.fixture
def campaign():
    return make_campaign(needed=3)


@pytest.fixture
def volunteers(campaign):
    return make_volunteers(campaign, make_users(3))


def answer(task, volunteer, label, minute=0):
    place = take_place(task.pk, volunteer.pk, now=NOW + timedelta(minutes=minute))
    now = NOW + timedelta(minutes=minute, seconds=6)
    submit_answer(place, volunteer.user, {"label": label}, key=uuid4(), now=now)
    return place


def test_the_gold_record_is_of_the_answers_first_given(campaign, volunteers):
    right, wrong, mended = make_tasks(campaign, 3)
    for task in (right, wrong, mended):
        make_gold(task, "yes")
    answer(right, volunteers[0], "yes")
    answer(wrong, volunteers[0], "no")
    place = answer(mended, volunteers[0], "no")
    revise_answer(place, volunteers[0].user, {"label": "yes"}, key=uuid4(), now=NOW + timedelta(hours=1))
    report = skill_report(campaign, volunteers[0])
    assert (report.gold.n, report.gold.n_right, report.n_answers) == (3, 1, 3)


def test_agreement_with_peers_leaves_out_the_volunteers_own_answer(campaign, volunteers):
    alone, together = make_tasks(campaign, 2)
    answer(alone, volunteers[0], "yes")
    for volunteer, label in zip(volunteers, ("yes", "yes", "no"), strict=True):
        answer(together, volunteer, label, minute=1)
    reports = [skill_report(campaign, volunteer) for volunteer in volunteers]
    assert [(report.peers, report.n_with_peers) for report in reports] == [(0.5, 1), (0.5, 1), (0.0, 1)]
    assert (reports[0].seconds, reports[0].typical_seconds) == (6.0, 6.0)


def test_a_fits_accuracy_and_confusion_are_shown_by_label(campaign, volunteers):
    counts = [[8.0, 2.0, 0.0], [0.0, 5.0, 0.0], [0.0, 0.0, 0.0]]
    Skill.objects.create(
        volunteer=volunteers[0], version=3, parameters={}, accuracy=0.87, low=0.7, high=0.95, n_answers=15,
        confusion=counts, evidence={"speed": {"sentence": "As fast as others.", "striking": False}},
    )  # fmt: skip
    report = skill_report(campaign, volunteers[0])
    assert (report.accuracy, report.low, report.high, report.fit_number) == (0.87, 0.7, 0.95, 3)
    assert report.confusion[0].cells == [("Yes", 8.0, 0.8, 4), ("No", 2.0, 0.2, 1), ("Unclear", 0.0, 0.0, 0)]
    assert [row.n for row in report.confusion] == [10.0, 5.0, 0.0]
    campaign.labels = campaign.labels[:2]
    assert skill_report(campaign, volunteers[0]).confusion == []


def test_before_the_first_fit_and_the_first_answer_nothing_is_claimed(campaign, volunteers):
    report = skill_report(campaign, volunteers[0])
    assert (report.accuracy, report.drift, report.seconds, report.peers, report.confusion) == (
        None, None, None, None, [],
    )  # fmt: skip
    assert report.gold.n == 0


def test_a_volunteers_own_figures_move_by_whole_tens_so_that_no_single_task_shows(campaign, volunteers):
    tasks = make_tasks(campaign, 12)
    own = []
    for minute, task in enumerate(tasks):
        make_gold(task, "yes")
        answer(task, volunteers[0], "yes" if minute < 9 else "no", minute=minute)
        report = own_report(campaign, volunteers[0].user)
        own.append((report.n_answers, report.gold.n, report.gold.n_right))
    assert own == [(0, 0, 0)] * 9 + [(10, 10, 9)] * 3
    assert skill_report(campaign, volunteers[0]).gold.n == 12


def test_own_figures_move_by_whole_tens_also_beyond_the_latest_that_they_are_computed_from(
    campaign, volunteers, monkeypatch
):
    monkeypatch.setattr(skill, "LATEST", 20)
    own = []
    for minute, task in enumerate(make_tasks(campaign, 43)):
        make_gold(task, "yes")
        answer(task, volunteers[0], "no" if minute % 3 else "yes", minute=minute)
        report = own_report(campaign, volunteers[0].user)
        own.append((report.n_answers, report.gold.n_right))
    # Right are the 1st, 4th, 7th, …: of ten after another 4, 3 or 3.
    assert own[19:] == [(20, 7)] * 10 + [(20, 6)] * 10 + [(20, 7)] * 4


def test_a_revision_does_not_tell_how_others_voted(campaign, volunteers):
    tasks = make_tasks(campaign, 10)
    places = [answer(task, volunteers[0], "yes", minute=minute) for minute, task in enumerate(tasks)]
    for task in tasks:
        answer(task, volunteers[1], "no", minute=20)
    before = own_report(campaign, volunteers[0].user)
    assert (before.peers, before.n_with_peers) == (0.0, 10)
    revise_answer(places[0], volunteers[0].user, {"label": "no"}, key=uuid4(), now=NOW + timedelta(hours=1))
    assert own_report(campaign, volunteers[0].user).peers == 0.0


def test_answers_whose_label_was_taken_out_say_nothing_of_a_volunteer(campaign, volunteers, alice):
    for label in ("unclear", "yes"):
        [task] = make_tasks(campaign, 1)
        for volunteer, said in zip(volunteers, (label, "yes", "no"), strict=True):
            answer(task, volunteer, said)
    [known] = make_tasks(campaign, 1)
    make_gold(known, "unclear")
    answer(known, volunteers[0], "yes")
    kept = [label for label in campaign.labels if label["key"] != "unclear"]
    campaign = update_campaign(campaign, by=alice, labels=kept)
    judge_again(campaign, now=NOW)
    report = skill_report(campaign, volunteers[0])
    assert (report.peers, report.n_with_peers, report.gold.n) == (0.5, 1, 0)


def test_somebody_who_is_no_volunteer_of_the_campaign_has_no_report(campaign, volunteers, bob):
    with pytest.raises(NotFound):
        own_report(campaign, bob)
    [stranger] = make_volunteers(make_campaign(), make_users(1))
    with pytest.raises(NotFound):
        volunteer_of(campaign, stranger.pk)


def test_in_the_admins_list_those_in_doubt_come_first_then_who_answered_most(campaign, volunteers):
    tasks = make_tasks(campaign, 2)
    answer(tasks[0], volunteers[1], "yes")
    answer(tasks[1], volunteers[1], "yes")
    answer(tasks[0], volunteers[2], "yes")
    Volunteer.objects.filter(pk=volunteers[0].pk).update(standing="flagged", standing_reason="Always yes.")
    ask_to_train(volunteers[2], by=None, now=NOW)
    lines = skill_lines(campaign)
    assert [(line.volunteer_id, line.n_answers, line.is_to_train) for line in lines] == [
        (volunteers[0].pk, 0, False), (volunteers[1].pk, 2, False), (volunteers[2].pk, 1, True),
    ]  # fmt: skip
    assert (lines[0].standing, lines[0].standing_reason) == ("flagged", "Always yes.")
    assert lines[0].accuracy is None


def test_the_list_and_a_report_take_fixed_numbers_of_queries(campaign, volunteers, django_assert_num_queries):
    for minute, task in enumerate(make_tasks(campaign, 5)):
        answer(task, volunteers[0], "yes", minute=minute)
    with django_assert_num_queries(1):
        skill_lines(campaign)
    volunteer = volunteer_of(campaign, volunteers[0].pk)
    with django_assert_num_queries(3):
        skill_report(campaign, volunteer)


# --- Answers that are more than one label ---

TEXT = "aspirin caused rash and later itch"
DRUG, RASH, ITCH, LATER = (
    {"start": start, "end": end, "label": label}
    for start, end, label in ((0, 7, "drug"), (15, 19, "event"), (30, 34, "event"), (24, 29, "event"))
)
RELATION_LABELS = [
    {"key": "drug", "name": "Drug", "hint": "", "role": "span"},
    {"key": "event", "name": "Event", "hint": "", "role": "span"},
    {"key": "causes", "name": "Causes", "hint": "", "role": "relation"},
]


def related(*spans: dict, to: tuple[int, ...]) -> dict:
    relations = [{"from": 0, "to": place, "label": "causes"} for place in to]
    return {"spans": list(spans), "relations": relations}


def given(campaign, volunteers, *values: dict, n_texts: int) -> list:
    """So many texts, each with these answers of the first volunteers."""
    tasks = [make_text(campaign, TEXT) for _ in range(n_texts)]
    for task in tasks:
        for volunteer, value in zip(volunteers, values, strict=False):
            place = take_place(task.pk, volunteer.pk, now=NOW)
            submit_answer(place, volunteer.user, value, key=uuid4(), now=NOW)
    return tasks


def test_who_relates_is_known_by_what_they_found_and_what_they_invented():
    campaign = make_campaign(kind="relations", labels=RELATION_LABELS, aggregation="engine", needed=4)
    volunteers = make_volunteers(campaign, make_users(4))
    right = related(DRUG, RASH, ITCH, to=(1,))
    silent, inventive = related(DRUG, RASH, ITCH, to=()), related(DRUG, RASH, LATER, ITCH, to=(1, 3))
    given(campaign, volunteers, right, right, silent, inventive, n_texts=20)
    refit(campaign, now=NOW)
    good, _, quiet, loud = (skill_report(campaign, volunteer) for volunteer in volunteers)
    assert [row.name for row in good.finds] == ["Drug", "Event", ""], "relations together, last"
    relations = [report.finds[-1] for report in (good, quiet, loud)]
    assert [round(row.found.n) for row in relations] == [20, 20, 20]
    assert relations[0].found.share > 0.9 and relations[1].found.share < 0.4
    assert relations[0].invented.share < 0.2 and relations[2].invented.share > 0.6
    for row in relations:
        assert all(rate.low < rate.share < rate.high for rate in row.rates)
    events = [report.finds[1].invented for report in (good, loud)]
    assert events[0].share < 0.3 < events[1].share, "“later” is no event"
    assert (events[1].n, good.finds[0].invented.n) == (20, 0)
    assert good.peers == pytest.approx((1 + 0 + 2 / 3) / 3), "the mean F1 with each of the others"
    assert (good.n_with_peers, good.confusion, good.lean) == (20, [], None)


def test_a_gold_record_of_marks_says_how_many_were_wholly_right_and_how_right_all_were():
    labels = RELATION_LABELS[:2]
    campaign = make_campaign(kind="spans", labels=labels, needed=3)
    [volunteer] = make_volunteers(campaign, make_users(1))
    gold = {"spans": [DRUG, RASH, ITCH]}
    for value in (gold, {"spans": [DRUG]}):
        [task] = given(campaign, [volunteer], value, n_texts=1)
        Gold.objects.create(task=task, campaign=campaign, label="", value=gold)
    report = skill_report(campaign, volunteer)
    assert (report.gold.n, report.gold.n_right, report.gold.score) == (2, 1, 0.75)
    assert (report.peers, report.finds) == (None, [])


def test_of_each_label_it_is_known_how_often_it_is_chosen_where_it_applies_and_where_not():
    campaign = make_campaign(kind="multiple", aggregation="engine", needed=3)
    volunteers = make_volunteers(campaign, make_users(3))
    given(campaign, volunteers, {"labels": ["yes"]}, {"labels": ["yes"]}, {"labels": ["no"]}, n_texts=25)
    refit(campaign, now=NOW)
    good, poor = (skill_report(campaign, volunteers[n]).finds for n in (0, 2))
    assert [row.name for row in good] == ["Yes", "No", "Unclear"]
    assert good[0].found.share > 0.9 and poor[0].found.share < 0.4
    assert good[1].invented.share < 0.1 and poor[1].invented.share > 0.6
    kept = [label for label in campaign.labels if label["key"] != "unclear"]
    campaign.labels = kept
    assert [row.name for row in skill_report(campaign, volunteers[0]).finds] == ["Yes", "No"]


def test_on_a_scale_it_is_known_how_far_off_somebody_is_and_which_way():
    campaign = make_campaign(kind="ordinal")
    [volunteer] = make_volunteers(campaign, make_users(1))
    counts = [[6.0, 2.0, 2.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]]
    Skill.objects.create(
        volunteer=volunteer, version=1, parameters={}, accuracy=0.6, low=0.5, high=0.7, n_answers=10,
        confusion=counts,
    )  # fmt: skip
    lean = skill_report(campaign, volunteer).lean
    assert (lean.distance, lean.bias) == pytest.approx((0.6, 0.6))


# --- Training ---


def test_the_examples_are_gold_that_the_volunteer_has_answered_the_missed_ones_first(campaign, volunteers):
    right, wrong, unseen = make_tasks(campaign, 3)
    for task in (right, wrong, unseen):
        make_gold(task, "yes")
    answer(wrong, volunteers[0], "no")
    answer(right, volunteers[0], "yes", minute=1)
    answer(unseen, volunteers[1], "yes")
    examples = solved_examples(campaign, volunteers[0])
    assert [(e.task_id, e.given, e.right, e.is_right) for e in examples] == [
        (wrong.pk, ["No"], ["Yes"], False), (right.pk, ["Yes"], ["Yes"], True),
    ]  # fmt: skip


def test_a_volunteer_is_asked_once_and_goes_on_when_they_have_read(campaign, volunteers):
    assert ask_to_train(volunteers[0], by=None, now=NOW)
    assert not ask_to_train(volunteers[0], by=None, now=NOW)
    volunteers[0].refresh_from_db()
    assert volunteers[0].is_to_train
    finish_training(volunteers[0], now=NOW + timedelta(minutes=3))
    volunteers[0].refresh_from_db()
    assert not volunteers[0].is_to_train
    assert ask_to_train(volunteers[0], by=None, now=NOW + timedelta(days=1))


def test_an_answer_that_was_given_before_right_answers_were_shown_stands(campaign, volunteers):
    before, after, never = (make_tasks(campaign, 1)[0] for _ in range(3))
    user = volunteers[0].user
    places = [answer(before, volunteers[0], "no"), answer(never, volunteers[1], "no")]

    def revise(place, user):
        revise_answer(place, user, {"label": "yes"}, key=uuid4(), now=NOW + timedelta(hours=1))

    ask_to_train(volunteers[0], by=None, now=NOW + timedelta(minutes=1))
    with pytest.raises(AnswerStands):
        revise(places[0], user)
    finish_training(volunteers[0], now=NOW + timedelta(minutes=2))
    with pytest.raises(AnswerStands) as refused:
        revise(places[0], user)
    assert refused.value.code == "answer_stands"
    revise(answer(after, volunteers[0], "no", minute=3), user)
    revise(places[1], volunteers[1].user)
    assert Answer.objects.filter(value={"label": "yes"}).count() == 2
