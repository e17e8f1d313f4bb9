"""How much volunteers agree, over the latest settled tasks."""

from datetime import date, timedelta

import numpy as np
import pytest

from annotation.algorithms.agreement import krippendorff_alpha_nominal
from annotation.models import AgreementReport, Answer, Assignment, Campaign, Consensus, VolunteerDay
from annotation.services.agreement import agreement_of, campaigns_to_compare, store_agreement
from annotation.services.campaigns import update_campaign
from annotation.services.standing import set_standing, weigh_answers_again
from tests.factories import NOW, make_campaign, make_tasks, make_users, make_volunteers

pytestmark = pytest.mark.django_db
KEYS = ["yes", "no", "unclear"]


def answered(campaign, values, *, weeks=1):
    """Answers [T][W] of as many volunteers, each task settled in one of the weeks."""
    volunteers = make_volunteers(campaign, make_users(len(values[0])))
    tasks = make_tasks(campaign, len(values))
    places, answers, rows = [], [], []
    for t, (task, given) in enumerate(zip(tasks, values, strict=True)):
        settled_at = NOW - timedelta(weeks=t % weeks)
        for volunteer, value in zip(volunteers, given, strict=True):
            place = Assignment(
                task=task, volunteer=volunteer, state="answered", claimed_at=NOW, expires_at=NOW,
                closed_at=NOW,
            )  # fmt: skip
            places.append(place)
            answers.append(
                Answer(assignment_id=place.pk, key=place.pk, value=value, answered_at=NOW, seconds=5)
            )
        rows.append(
            Consensus(
                task=task, campaign=campaign, method="majority", share=0.7, votes={}, n_answers=len(given),
                settled_at=settled_at,
            )
        )  # fmt: skip
    Assignment.objects.bulk_create(places)
    Answer.objects.bulk_create(answers)
    Consensus.objects.bulk_create(rows)
    return volunteers


def labels_of_three(n_tasks=60, seed=4):
    """[T, 3]: two who mostly agree and one who often differs."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 3, n_tasks)
    noise = [0.05, 0.1, 0.5]
    return np.stack([np.where(rng.random(n_tasks) < p, rng.integers(0, 3, n_tasks), truth) for p in noise], 1)


def as_values(labels):
    return [[{"label": KEYS[k]} for k in row] for row in labels]


def test_alpha_and_its_like_come_with_intervals_from_the_answers_themselves():
    campaign, labels = make_campaign(), labels_of_three()
    answered(campaign, as_values(labels))
    found = agreement_of(campaign)
    counts = np.stack([np.bincount(row, minlength=3) for row in labels])
    assert found.measures["alpha"].value == pytest.approx(krippendorff_alpha_nominal(counts))
    assert set(found.measures) == {"agreement", "alpha", "fleiss_kappa", "gwet_ac", "cohen_kappa"}
    for measure in found.measures.values():
        assert measure.low < measure.value < measure.high
        assert (measure.n_tasks, measure.n_pairs) == (60, 180)
    assert (found.n_tasks, found.n_answers) == (60, 180)


def test_each_label_each_week_and_each_pair_is_told_apart():
    campaign, labels = make_campaign(), labels_of_three()
    volunteers = answered(campaign, as_values(labels), weeks=2)
    found = agreement_of(campaign)
    assert [row.name for row in found.labels] == ["Yes", "No", "Unclear"]
    assert [(week.week, week.n_tasks) for week in found.weeks] == [
        (date(2026, 4, 27), 30), (date(2026, 5, 4), 30),
    ]  # fmt: skip
    by_name = {row.pseudonym: row.cells for row in found.pairs}
    good, fair, poor = ([v.pseudonym for v in volunteers].index(v.pseudonym) for v in volunteers)
    order = [row.pseudonym for row in found.pairs]
    kappa = {
        (a, b): by_name[volunteers[a].pseudonym][order.index(volunteers[b].pseudonym)][0]
        for a, b in ((good, fair), (good, poor), (fair, good))
    }
    assert kappa[good, fair] > kappa[good, poor]
    assert kappa[good, fair] == kappa[fair, good]
    assert by_name[volunteers[0].pseudonym][order.index(volunteers[0].pseudonym)][:2] == (None, 0)


def test_the_same_answers_give_the_same_intervals():
    campaign = make_campaign()
    answered(campaign, as_values(labels_of_three()))
    assert agreement_of(campaign) == agreement_of(campaign)


def test_only_the_latest_tasks_are_looked_at(monkeypatch):
    campaign = make_campaign()
    answered(campaign, as_values(labels_of_three()), weeks=3)
    monkeypatch.setattr("annotation.services.agreement.TASKS", 20)
    assert {week.week for week in agreement_of(campaign).weeks} == {date(2026, 5, 4)}


def test_on_a_scale_a_near_miss_is_nearer_than_a_far_one():
    near = [
        [{"label": KEYS[k]}, {"label": KEYS[min(k + (t % 4 == 0), 2)]}] for t in range(30) for k in (0, 1, 2)
    ]
    by_kind = {}
    for kind in ("choice", "ordinal"):
        campaign = make_campaign(kind=kind)
        answered(campaign, near)
        by_kind[kind] = agreement_of(campaign).measures["alpha"].value
    assert by_kind["ordinal"] > by_kind["choice"]


def test_sets_spans_and_texts_have_measures_of_their_own():
    some = [[{"labels": ["yes"]}, {"labels": ["yes", "no"]}], [{"labels": []}, {"labels": []}]] * 5
    sets = make_campaign(kind="multiple")
    answered(sets, some)
    found = agreement_of(sets)
    assert found.measures["agreement"].value == 0.5
    by_label = {row.name: row.alpha and round(row.alpha.value, 2) for row in found.labels}
    assert by_label == {"Yes": 1.0, "No": -0.27, "Unclear": None}, "chosen by one of two, by nobody"
    spans = make_campaign(kind="spans")
    first, second = {"start": 0, "end": 6, "label": "yes"}, {"start": 0, "end": 3, "label": "no"}
    answered(spans, [[{"spans": [first]}, {"spans": [first]}], [{"spans": [second]}, {"spans": []}]] * 5)
    found = agreement_of(spans)
    assert (found.labels[0].name, round(found.labels[0].alpha.value, 1)) == ("Yes", 1.0)
    assert found.measures["alpha"].value < 1
    assert found.measures["span_f1"].value == pytest.approx(2 * 5 / (2 * 5 + 5))
    assert {row.name: row.f1 and row.f1.value for row in found.labels} == {"Yes": 1, "No": 0, "Unclear": None}
    texts = make_campaign(kind="text", labels=[])
    answered(texts, [[{"text": "a rash"}, {"text": "a rash"}], [{"text": "a cough"}, {"text": "x"}]])
    assert agreement_of(texts).measures["similarity"].value == pytest.approx(0.5)


RASH, COUGH = {"start": 0, "end": 6, "label": "yes"}, {"start": 7, "end": 9, "label": "no"}
ALIKE_AND_APART = {
    "choice": ("kappa", {"label": "yes"}, {"label": "no"}),
    "ordinal": ("kappa", {"label": "yes"}, {"label": "no"}),
    "multiple": ("label_f1", {"labels": ["yes", "no"]}, {"labels": ["unclear"]}),
    "spans": ("span_f1", {"spans": [RASH, COUGH]}, {"spans": [RASH | {"label": "unclear"}]}),
    "text": ("word_f1", {"text": "a rash"}, {"text": "no cough"}),
}


@pytest.mark.parametrize("kind", ALIKE_AND_APART)
def test_each_kind_has_a_figure_by_week_and_one_for_each_two_volunteers(kind):
    """In one week all say the same; in the other the third one disagrees on half of the tasks."""
    paired, one, other = ALIKE_AND_APART[kind]
    campaign = make_campaign(kind=kind, **({"labels": []} if kind == "text" else {}))
    same = [[one] * 3, [other] * 3, [one] * 3, [other] * 3] * 2
    differing = [[one, one, other], [other] * 3, [one] * 3, [other, other, one]] * 2
    mixed = [values for pair in zip(same, differing, strict=True) for values in pair]
    volunteers = answered(campaign, mixed, weeks=2)
    found = agreement_of(campaign)
    apart, alike = found.weeks
    assert (apart.n_tasks, alike.n_tasks) == (8, 8)
    assert alike.value == pytest.approx(1.0) and apart.value < 0.8
    assert apart.low < apart.value < apart.high
    total = found.measures[found.weekly].value
    assert apart.value < total < alike.value
    order = [row.pseudonym for row in found.pairs]
    cells = {row.pseudonym: row.cells for row in found.pairs}
    first, second, third = (volunteer.pseudonym for volunteer in volunteers)
    assert found.paired == paired
    assert cells[first][order.index(second)][:2] == (pytest.approx(1.0), 16)
    figure, n_shared, low, high = cells[first][order.index(third)]
    assert figure < 0.8 and n_shared == 16
    assert low < figure < high


def test_relations_agree_where_label_and_both_ends_are_the_same():
    labels = [
        {"key": "drug", "name": "Drug", "hint": "", "role": "span"},
        {"key": "causes", "name": "causes", "hint": "", "role": "relation"},
    ]
    campaign = make_campaign(kind="relations", labels=labels)
    spans = [{"start": start, "end": start + 2, "label": "drug"} for start in (0, 3, 6)]
    one = {"from": 0, "to": 1, "label": "causes"}
    both = {"spans": spans, "relations": [one, {"from": 0, "to": 2, "label": "causes"}]}
    first = {"spans": spans, "relations": [one]}
    turned = {"spans": spans, "relations": [{"from": 1, "to": 0, "label": "causes"}]}
    answered(campaign, [[both, first], [first, turned]] * 5)
    found = agreement_of(campaign)
    assert found.measures["alpha"].value == 1.0, "of the marks"
    assert found.measures["relation_f1"].value == pytest.approx(2 * 5 / (3 * 5 + 2 * 5))
    assert [row.name for row in found.labels] == ["Drug", "causes"]
    marks, relations = found.labels
    assert (marks.alpha.value, marks.f1.value, relations.alpha) == (1.0, 1.0, None)
    assert relations.f1.value == pytest.approx(0.4)
    assert [week.value for week in found.weeks] == [pytest.approx(0.4)]
    assert found.pairs[0].cells[1][:2] == (pytest.approx(0.4), 10)


@pytest.mark.parametrize("kind", ["choice", "multiple", "spans", "text"])
def test_without_answers_nothing_is_claimed(kind):
    found = agreement_of(make_campaign(kind=kind))
    assert (found.n_tasks, found.n_answers, found.labels, found.weeks, found.pairs) == (0, 0, [], [], [])
    assert not any(found.measures.values())


def test_answers_that_do_not_count_and_labels_that_are_gone_are_left_out():
    campaign = make_campaign()
    volunteers = answered(campaign, as_values(labels_of_three()))
    Answer.objects.filter(assignment__volunteer=volunteers[2]).update(weighs=False)
    campaign.labels = campaign.labels[:2]
    found = agreement_of(campaign)
    assert found.n_answers == Answer.objects.filter(weighs=True).exclude(value={"label": "unclear"}).count()


def test_agreement_takes_two_queries_however_many_answers(django_assert_num_queries):
    campaign = make_campaign()
    answered(campaign, as_values(labels_of_three()))
    with django_assert_num_queries(2):
        agreement_of(campaign)


# --- kept for the page


def kept(campaign):
    return AgreementReport.objects.get(campaign=campaign)


@pytest.fixture
def compared():
    campaign = make_campaign()
    volunteers = answered(campaign, as_values(labels_of_three()), weeks=2)
    VolunteerDay.objects.create(volunteer=volunteers[0], day=NOW.date(), n_answers=180)
    return campaign


def test_what_a_worker_computed_is_kept_as_it_was_with_its_time(compared):
    assert campaigns_to_compare(now=NOW) == [compared.pk]
    store_agreement(compared, now=NOW)
    stored, found = kept(compared), agreement_of(compared)
    assert (stored.n_given, stored.computed_at) == (180, NOW)
    assert stored.figures["measures"]["alpha"] == found.measures["alpha"]._asdict()
    assert [row["name"] for row in stored.figures["labels"]] == ["Yes", "No", "Unclear"]
    assert stored.figures["weeks"][0] == {
        "week": "2026-04-27", "n_tasks": 30, "value": found.weeks[0].value, "low": found.weeks[0].low,
        "high": found.weeks[0].high,
    }  # fmt: skip
    assert [row["cells"] for row in stored.figures["pairs"]] == [
        [cell._asdict() for cell in row.cells] for row in found.pairs
    ]
    assert campaigns_to_compare(now=NOW) == []


def test_it_is_due_again_when_a_tenth_more_answers_have_come(compared):
    store_agreement(compared, now=NOW)
    for n_given, due in ((197, []), (198, [compared.pk])):
        VolunteerDay.objects.update(n_answers=n_given)
        assert campaigns_to_compare(now=NOW) == due


@pytest.mark.parametrize("minutes, due", [(9, False), (10, True)])
def test_tasks_that_are_settled_without_a_tenth_more_answers_are_seen_a_little_later(compared, minutes, due):
    """By a fit or a reviewer, or by the last answers of a campaign: nobody brings a tenth more."""
    store_agreement(compared, now=NOW)
    later = NOW + timedelta(minutes=minutes)
    assert campaigns_to_compare(now=later) == []
    last = Consensus.objects.order_by("pk").last()
    Consensus.objects.filter(pk=last.pk).update(settled_at=NOW + timedelta(seconds=1))
    assert campaigns_to_compare(now=later) == [compared.pk] * due
    store_agreement(compared, now=later)
    assert campaigns_to_compare(now=later + timedelta(hours=1)) == []


def test_it_follows_a_rule_that_changed_as_soon_as_the_tasks_are_judged_by_it(compared, alice):
    store_agreement(compared, now=NOW)
    changed = update_campaign(compared, by=alice, labels=compared.labels[:2])
    assert changed.is_to_be_judged and campaigns_to_compare(now=NOW) == []
    Campaign.objects.update(is_to_be_judged=False)
    assert campaigns_to_compare(now=NOW) == [compared.pk]
    changed.refresh_from_db()
    store_agreement(changed, now=NOW + timedelta(minutes=1))
    assert campaigns_to_compare(now=NOW) == []
    assert [row["name"] for row in kept(compared).figures["labels"]] == ["Yes", "No"]


def test_it_follows_when_somebodys_answers_no_longer_count(compared, alice):
    store_agreement(compared, now=NOW)
    outsider = compared.volunteers.order_by("pk").last()
    set_standing(outsider, "excluded", "", by=alice, now=NOW + timedelta(minutes=1))
    store_agreement(compared, now=NOW + timedelta(minutes=2))
    assert kept(compared).computed_at == NOW, "not while some of them still count"
    weigh_answers_again(outsider, now=NOW)
    assert campaigns_to_compare(now=NOW) == [compared.pk]
    store_agreement(compared, now=NOW + timedelta(minutes=3))
    assert kept(compared).computed_at == NOW + timedelta(minutes=3)
    assert campaigns_to_compare(now=NOW) == []


def test_the_look_at_all_campaigns_is_one_query_and_reads_no_figures(compared, django_assert_num_queries):
    make_campaign()
    store_agreement(compared, now=NOW)
    with django_assert_num_queries(1) as queries:
        campaigns_to_compare(now=NOW)
    assert '"figures"' not in queries.captured_queries[0]["sql"]
