from datetime import date, timedelta
from uuid import uuid4

import pytest

from annotation.models import Assignment, TrailEntry
from annotation.services.agreement import agreement_of, store_agreement
from annotation.services.answers import submit_answer
from annotation.services.dashboard import dashboard_of, queue_head
from annotation.services.handout import claim_task, skip_task, take_place
from tests.factories import NOW, make_campaign, make_gold, make_tasks, make_users, make_volunteers

pytestmark = pytest.mark.django_db


def answer(campaign, user, label, *, now=NOW):
    place = claim_task(campaign.pk, user, now=now)
    submit_answer(place.assignment_id, user, {"label": label}, key=uuid4(), now=now + timedelta(seconds=4))
    return place.task_id


@pytest.fixture
def campaign(db):
    return make_campaign(needed=2)


@pytest.fixture
def users(campaign):
    return [volunteer.user for volunteer in make_volunteers(campaign, make_users(2))]


def test_an_empty_campaign_has_no_figures_and_no_division_by_zero(campaign):
    figures = dashboard_of(campaign, now=NOW)
    assert figures.share_settled == 0.0
    assert (figures.gold, figures.alpha, figures.done_on, figures.answers_per_settled) == (None,) * 4
    assert figures.volunteers == []


def test_settled_tied_and_open_tasks_are_counted_apart(campaign, users):
    make_tasks(campaign, 3)
    for label in ("yes", "yes"):
        answer(campaign, users[0], label)
    for label in ("yes", "no"):
        answer(campaign, users[1], label)
    figures = dashboard_of(campaign, now=NOW)
    assert (figures.n_tasks, figures.n_settled, figures.n_tied) == (3, 2, 1)
    assert figures.share_settled == pytest.approx(2 / 3)
    assert figures.answers_per_settled == 2.0
    assert [(share.key, share.n_tasks, share.share) for share in figures.label_shares] == [
        ("yes", 1, 0.5), ("no", 0, 0.0), ("unclear", 0, 0.0)
    ]  # fmt: skip


def test_the_days_without_answers_are_there_as_zeros(campaign, users):
    make_tasks(campaign, 2)
    answer(campaign, users[0], "yes", now=NOW - timedelta(days=2))
    figures = dashboard_of(campaign, now=NOW)
    assert len(figures.answers_per_day) == 14
    assert figures.answers_per_day[-3:] == [
        (date(2026, 5, 2), 1),
        (date(2026, 5, 3), 0),
        (date(2026, 5, 4), 0),
    ]
    assert (figures.n_answers_today, figures.n_answers_week) == (0, 1)


def test_the_end_is_foretold_from_the_pace_of_the_last_week(campaign, users):
    make_tasks(campaign, 4)
    answer(campaign, users[0], "yes")
    assert dashboard_of(campaign, now=NOW).done_on == (NOW + timedelta(days=7 * 7)).date()


def test_consensus_is_compared_with_gold_and_says_how_sure_it_is(campaign, users):
    make_tasks(campaign, 2)
    first = answer(campaign, users[0], "yes")
    second = answer(campaign, users[0], "no")
    answer(campaign, users[1], "yes")
    answer(campaign, users[1], "no")
    make_gold(first, "yes")
    make_gold(second, "yes")
    gold = dashboard_of(campaign, now=NOW).gold
    assert (gold.n, gold.n_right, gold.share) == (2, 1, 0.5)
    assert 0 < gold.low < 0.5 < gold.high < 1


def test_volunteers_appear_by_pseudonym_with_their_share_with_the_majority(users):
    campaign = make_campaign(needed=3)
    volunteers = make_volunteers(campaign, [*users, *make_users(1)])
    make_tasks(campaign, 1)
    for volunteer, label in zip(volunteers, ("yes", "yes", "no"), strict=True):
        answer(campaign, volunteer.user, label)
    rows = {row.pseudonym: row for row in dashboard_of(campaign, now=NOW).volunteers}
    assert set(rows) == {volunteer.pseudonym for volunteer in volunteers}
    assert [rows[volunteer.pseudonym].majority_share for volunteer in volunteers] == [1.0, 1.0, 0.0]
    assert rows[volunteers[0].pseudonym].median_seconds == pytest.approx(4.0)


def test_a_record_with_a_name_in_it_is_counted_as_reported_and_held(campaign, users):
    make_tasks(campaign, 2)
    place = claim_task(campaign.pk, users[0], now=NOW)
    skip_task(place.assignment_id, users[0], Assignment.SkipReason.NAMES_A_PERSON, now=NOW)
    figures = dashboard_of(campaign, now=NOW)
    assert (figures.n_reported, figures.n_held_records) == (1, 1)


def test_another_campaigns_answers_do_not_count(campaign, users):
    other = make_campaign(name="Another", needed=1)
    make_volunteers(other, users)
    make_tasks(other, 1)
    answer(other, users[0], "yes")
    figures = dashboard_of(campaign, now=NOW)
    assert (figures.n_answers, figures.n_settled, figures.volunteers) == (0, 0, [])


def test_reading_the_queues_head_shows_its_order_and_leaves_a_line_in_the_trail(campaign, alice):
    tasks = make_tasks(campaign, 8)
    head = queue_head(campaign, by=alice)
    assert [task.task_id for task in head] == [task.pk for task in tasks[:6]]
    entry = TrailEntry.objects.get(verb="read_queue_head")
    assert (entry.user, entry.campaign) == (alice, campaign)
    assert entry.detail == {"tasks": [str(task.pk) for task in tasks[:6]]}


def test_the_dashboards_reads_do_not_grow_with_the_volunteers(campaign, users, django_assert_num_queries):
    make_volunteers(campaign, make_users(5))
    make_tasks(campaign, 3)
    for user in users:
        answer(campaign, user, "yes")
    with django_assert_num_queries(16):
        dashboard_of(campaign, now=NOW)


def test_where_an_answer_holds_several_labels_each_has_its_share_of_the_tasks():
    labels = [{"key": key, "name": key, "hint": ""} for key in "abc"]
    campaign = make_campaign(kind="multiple", labels=labels, needed=1)
    [volunteer] = make_volunteers(campaign, make_users(1))
    for task, chosen in zip(make_tasks(campaign, 4), (["a"], ["a", "b"], ["a"], []), strict=True):
        place = take_place(task.pk, volunteer.pk, now=NOW)
        submit_answer(place, volunteer.user, {"labels": chosen}, key=uuid4(), now=NOW)
    figures = dashboard_of(campaign, now=NOW)
    assert [(row.key, row.n_tasks, row.share) for row in figures.label_shares] == [
        ("a", 3, 0.75),
        ("b", 1, 0.25),
        ("c", 0, 0.0),
    ]
    assert figures.n_tied == 0


SCALE = [{"label": "yes"}, {"label": "no"}, {"label": "unclear"}]


@pytest.mark.parametrize(
    "kind, values",
    [("ordinal", SCALE), ("multiple", [{"labels": ["yes"]}, {"labels": ["yes", "no"]}, {"labels": ["no"]}])],
)
def test_agreement_of_scales_and_sets_is_what_a_worker_last_computed_by_their_own_measure(kind, values):
    campaign = make_campaign(kind=kind, needed=2)
    volunteers = make_volunteers(campaign, make_users(2))
    for n, task in enumerate(make_tasks(campaign, 9)):
        for value, volunteer in zip((values[n % 3], values[n // 3]), volunteers, strict=True):
            place = take_place(task.pk, volunteer.pk, now=NOW)
            submit_answer(place, volunteer.user, value, key=uuid4(), now=NOW)
    assert dashboard_of(campaign, now=NOW).alpha is None
    store_agreement(campaign, now=NOW)
    expected = agreement_of(campaign).measures["alpha"].value
    assert dashboard_of(campaign, now=NOW).alpha == pytest.approx(expected)
