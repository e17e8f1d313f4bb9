"""What compared items are worth, from all comparisons and whoever gave them."""

from datetime import timedelta
from itertools import combinations
from uuid import uuid4

import numpy as np
import pytest
from django.db.models import F

from annotation.errors import Invalid
from annotation.models import Campaign, Consensus, Record, VolunteerDay
from annotation.services.answers import submit_answer
from annotation.services.campaigns import update_campaign
from annotation.services.handout import take_place
from annotation.services.ranking import campaigns_to_rank, rank_items, read_ranking, store_ranking
from annotation.services.standing import set_standing, weigh_answers_again
from tests.factories import NOW, make_campaign, make_tasks, make_users, make_volunteers

pytestmark = pytest.mark.django_db
SIDES = [{"key": key, "name": key, "hint": ""} for key in ("first", "second", "tie")]
ITEMS = ["severe", "marked", "moderate", "mild", "none"]  # from the most to the least preferred


@pytest.fixture
def compared():
    """Every pair of five items; three volunteers compare rightly, the fourth at random."""
    campaign = make_campaign(kind="pairs", labels=SIDES, needed=4)
    volunteers = make_volunteers(campaign, make_users(4))
    rng = np.random.default_rng(7)
    pairs = [pair for pair in combinations(ITEMS, 2) for _ in range(3)]
    for task, (better, worse) in zip(make_tasks(campaign, len(pairs)), pairs, strict=True):
        swapped = bool(rng.integers(2))
        first, second = (worse, better) if swapped else (better, worse)
        Record.objects.filter(pk=task.record_id).update(metadata={"first_id": first, "second_id": second})
        right = "second" if swapped else "first"
        guess = SIDES[rng.integers(3)]["key"]
        for volunteer, label in zip(volunteers, [right, right, right, guess], strict=True):
            place = take_place(task.pk, volunteer.pk, now=NOW)
            submit_answer(place, volunteer.user, {"label": label}, key=uuid4(), now=NOW)
    return campaign


def test_items_come_in_the_order_in_which_they_are_preferred(compared):
    ranked = rank_items(compared)
    assert [row.item for row in ranked] == ITEMS
    assert [row.rank for row in ranked] == [1, 2, 3, 4, 5]
    assert all(row.n_compared == 48 and row.standard_error > 0 for row in ranked)
    assert sum(row.score for row in ranked) == pytest.approx(0, abs=1e-6)


def test_only_comparisons_are_ranked():
    with pytest.raises(Invalid) as refused:
        rank_items(make_campaign())
    assert refused.value.code == "not_pairs"


def test_before_the_first_comparison_there_is_nothing_to_rank():
    with pytest.raises(Invalid) as refused:
        rank_items(make_campaign(kind="pairs", labels=SIDES))
    assert refused.value.code == "nothing_to_rank"


def test_without_names_each_records_texts_are_items_of_their_own(compared):
    Record.objects.update(metadata={})
    assert len(rank_items(compared)) == 60


# --- kept for the page


def test_what_a_worker_computed_is_kept_with_its_time_and_is_what_the_command_prints(compared):
    assert campaigns_to_rank(now=NOW) == [compared.pk]
    store_ranking(compared, now=NOW)
    stored, ranked = read_ranking(compared), rank_items(compared)
    assert stored.items == [[r.item, r.score, r.standard_error, r.n_compared] for r in ranked]
    assert (stored.n_items, stored.lowest) == (5, ranked[-1].score)
    assert (stored.n_given, stored.computed_at) == (120, NOW)
    assert campaigns_to_rank(now=NOW) == []


def test_a_ranking_is_due_again_when_a_tenth_more_answers_have_come(compared):
    store_ranking(compared, now=NOW)
    day = VolunteerDay.objects.first()
    for n_more, due in ((11, []), (12, [compared.pk])):
        VolunteerDay.objects.filter(pk=day.pk).update(n_answers=day.n_answers + n_more)
        assert campaigns_to_rank(now=NOW) == due


@pytest.mark.parametrize("minutes, due", [(9, False), (10, True)])
def test_a_ranking_sees_fewer_than_a_tenth_more_answers_a_little_later(compared, minutes, due):
    """The last answers of a campaign: nobody brings a tenth more."""
    store_ranking(compared, now=NOW)
    later = NOW + timedelta(minutes=minutes)
    assert campaigns_to_rank(now=later) == []
    VolunteerDay.objects.filter(pk=VolunteerDay.objects.first().pk).update(n_answers=F("n_answers") + 1)
    assert campaigns_to_rank(now=later) == [compared.pk] * due
    store_ranking(compared, now=later)
    assert campaigns_to_rank(now=later + timedelta(hours=1)) == []


@pytest.mark.parametrize("minutes, due", [(9, False), (10, True)])
def test_a_ranking_sees_tasks_that_were_settled_without_more_answers_a_little_later(compared, minutes, due):
    store_ranking(compared, now=NOW)
    later = NOW + timedelta(minutes=minutes)
    last = Consensus.objects.settled().order_by("pk").last()
    Consensus.objects.filter(pk=last.pk).update(settled_at=NOW + timedelta(seconds=1))
    assert campaigns_to_rank(now=later) == [compared.pk] * due


def test_a_ranking_follows_a_rule_that_changed_as_soon_as_the_tasks_are_judged_by_it(compared, alice):
    store_ranking(compared, now=NOW)
    changed = update_campaign(compared, by=alice, labels=SIDES[:2])
    assert changed.is_to_be_judged and campaigns_to_rank(now=NOW) == []
    Campaign.objects.update(is_to_be_judged=False)
    assert campaigns_to_rank(now=NOW) == [compared.pk]
    changed.refresh_from_db()
    n_compared = [row[3] for row in read_ranking(compared).items]
    store_ranking(changed, now=NOW + timedelta(minutes=1))
    assert campaigns_to_rank(now=NOW) == []
    assert sum(row[3] for row in read_ranking(compared).items) < sum(n_compared), "ties don't count any more"


def test_the_look_at_all_campaigns_is_one_query_and_reads_no_items(compared, django_assert_num_queries):
    make_campaign(kind="pairs", labels=SIDES)
    store_ranking(compared, now=NOW)
    with django_assert_num_queries(1) as queries:
        campaigns_to_rank(now=NOW)
    assert '"items"' not in queries.captured_queries[0]["sql"]


def test_a_ranking_follows_when_somebodys_comparisons_no_longer_count(compared, alice):
    store_ranking(compared, now=NOW)
    volunteers = list(compared.volunteers.all())
    for volunteer in volunteers:
        set_standing(volunteer, "excluded", "", by=alice, now=NOW + timedelta(minutes=1))
    store_ranking(compared, now=NOW + timedelta(minutes=2))
    assert read_ranking(compared).computed_at == NOW, "not while some of them are still being taken out"
    for volunteer in volunteers:
        weigh_answers_again(volunteer, now=NOW)
    assert campaigns_to_rank(now=NOW) == [compared.pk]
    store_ranking(compared, now=NOW + timedelta(minutes=3))
    assert campaigns_to_rank(now=NOW) == []
    with pytest.raises(Invalid) as refused:
        read_ranking(compared)
    assert refused.value.code == "nothing_to_rank"
