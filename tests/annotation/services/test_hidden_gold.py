"""Hidden gold goes out in the stream, to everybody, and looks like any other task."""

from datetime import timedelta
from uuid import uuid4

import pytest

from annotation.api.labelling import assignment_data
from annotation.models import Consensus, Gold, MicroTask, Volunteer
from annotation.services.answers import revise_answer, submit_answer
from annotation.services.consensus import recompute_consensus
from annotation.services.handout import GOLD_PLACES, Handout, claim_task, expire_leases, skip_task
from tests.factories import NOW, make_campaign, make_gold, make_tasks, make_users, make_volunteers
from tests.invariants import assert_everything_adds_up

pytestmark = pytest.mark.django_db


def work(campaign, volunteer, n: int) -> list[dict]:
    """Claim and answer n tasks; what the volunteer's page gets of each."""
    shown = []
    for _ in range(n):
        place = claim_task(campaign.pk, volunteer.user, now=NOW)
        if place is None:
            break
        shown.append(assignment_data(place))
        submit_answer(place.assignment_id, volunteer.user, {"label": "yes"}, key=uuid4(), now=NOW)
    return shown


def share_of_gold(shown: list[dict]) -> float:
    gold = set(Gold.objects.values_list("pk", flat=True))
    return sum(each["task"]["id"] in gold for each in shown) / len(shown)


@pytest.fixture
def campaign():
    """Gold at the queue's very end, where no queue would reach it."""
    campaign = make_campaign(hides_gold=True, needed=1)
    tasks = make_tasks(campaign, 260)
    for task in tasks[-60:]:
        make_gold(task, "yes")
    return campaign


def test_at_first_about_four_in_ten_are_gold_and_fewer_later(campaign):
    volunteers = make_volunteers(campaign, make_users(5))
    firsts = [each for volunteer in volunteers for each in work(campaign, volunteer, 20)]
    assert 0.2 < share_of_gold(firsts) < 0.6, "four standard errors about .4 of a hundred lots"
    Volunteer.objects.update(n_claims=2000)
    laters = [each for volunteer in volunteers for each in work(campaign, volunteer, 25)]
    assert 0.01 < share_of_gold(laters) < 0.23, "about .1 of 125"


def test_a_campaign_that_hides_none_follows_its_queue_alone(campaign):
    type(campaign).objects.update(hides_gold=False)
    [volunteer] = make_volunteers(campaign, make_users(1))
    assert share_of_gold(work(campaign, volunteer, 30)) == 0


def test_gold_is_asked_of_everybody_although_its_need_is_met(campaign):
    volunteers = make_volunteers(campaign, make_users(8))
    for volunteer in volunteers:
        work(campaign, volunteer, 20)
    taken = MicroTask.objects.filter(gold__isnull=False).values_list("taken", flat=True)
    assert max(taken) > campaign.needed
    assert_everything_adds_up(campaign)


def test_nobody_gets_a_gold_task_twice(campaign):
    [volunteer] = make_volunteers(campaign, make_users(1))
    ids = [each["task"]["id"] for each in work(campaign, volunteer, 300)]
    assert len(ids) == len(set(ids)) == 260


def test_what_the_page_gets_of_hidden_gold_has_the_same_fields_as_any_task(campaign):
    [volunteer] = make_volunteers(campaign, make_users(1))
    shown = work(campaign, volunteer, 40)
    assert 0 < share_of_gold(shown) < 1
    assert len({(tuple(sorted(each)), tuple(sorted(each["task"]))) for each in shown}) == 1


def test_what_a_reviewer_decided_is_not_used_to_test_volunteers(campaign):
    Gold.objects.update(origin="reviewer")
    [volunteer] = make_volunteers(campaign, make_users(1))
    assert share_of_gold(work(campaign, volunteer, 30)) == 0


# --- a place in hidden gold that is full


@pytest.fixture
def settled():
    """A campaign of two answers a task: one task, gold and settled, and who answered it."""
    campaign = make_campaign(hides_gold=True, needed=2)
    [task] = make_tasks(campaign, 1)
    make_gold(task, "yes")
    volunteers = make_volunteers(campaign, make_users(2))
    for volunteer in volunteers:
        work(campaign, volunteer, 1)
    return campaign, task, volunteers


def claim_hidden(campaign) -> tuple[Volunteer, Handout]:
    """Somebody new for whom hidden gold is due."""
    while True:
        [volunteer] = make_volunteers(campaign, make_users(1))
        place = claim_task(campaign.pk, volunteer.user, now=NOW)
        if place is not None:
            return volunteer, place


def is_settled(task) -> bool:
    return Consensus.objects.get(pk=task.pk).settled_at is not None


def test_a_settled_task_stays_settled_while_somebody_is_tested_by_it(settled):
    campaign, task, volunteers = settled
    volunteer, place = claim_hidden(campaign)
    assignment = task.assignments.get(volunteer=volunteers[0])
    revise_answer(assignment.pk, volunteers[0].user, {"label": "no"}, key=uuid4(), now=NOW)
    assert is_settled(task)
    assert sum(n for _, n in recompute_consensus(campaign, now=NOW)) == 0
    submit_answer(place.assignment_id, volunteer.user, {"label": "yes"}, key=uuid4(), now=NOW)
    assert is_settled(task)
    assert_everything_adds_up(campaign)


def skip(place, user):
    skip_task(place.assignment_id, user, "unclear", now=NOW)


def let_it_end(place, user):
    assert expire_leases(now=NOW + timedelta(hours=1)) == 1


@pytest.mark.parametrize("give_back", [skip, let_it_end])
def test_a_hidden_place_that_comes_back_is_nobody_elses(settled, give_back):
    campaign, task, _ = settled
    volunteer, place = claim_hidden(campaign)
    give_back(place, volunteer.user)
    task.refresh_from_db()
    assert (task.taken, task.needed, task.is_open) == (2, 2, False)
    assert is_settled(task)
    assert_everything_adds_up(campaign)


def test_a_place_that_somebody_has_to_fill_goes_out_again_whoever_is_tested_there():
    campaign = make_campaign(hides_gold=True, needed=1)
    [task] = make_tasks(campaign, 1)
    make_gold(task, "yes")
    [first] = make_volunteers(campaign, make_users(1))
    place = claim_task(campaign.pk, first.user, now=NOW)
    tested, hidden = claim_hidden(campaign)
    skip(hidden, tested.user)
    skip(place, first.user)
    task.refresh_from_db()
    assert (task.taken, task.needed, task.is_open) == (0, 1, True)


def test_a_late_answer_to_hidden_gold_is_taken_as_to_any_task(settled):
    campaign, task, _ = settled
    volunteer, place = claim_hidden(campaign)
    later = NOW + timedelta(hours=1)
    expire_leases(now=later)
    submit_answer(place.assignment_id, volunteer.user, {"label": "yes"}, key=uuid4(), now=later)
    task.refresh_from_db()
    assert (task.taken, task.needed) == (3, 3)
    assert_everything_adds_up(campaign)


def test_a_gold_task_tests_a_few_hundred_people_at_most(settled):
    campaign, _, _ = settled
    MicroTask.objects.update(taken=GOLD_PLACES, needed=GOLD_PLACES, cap=GOLD_PLACES)
    for volunteer in make_volunteers(campaign, make_users(8)):
        assert claim_task(campaign.pk, volunteer.user, now=NOW) is None
