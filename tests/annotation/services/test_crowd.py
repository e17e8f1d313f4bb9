"""Refits: volunteers' parameters from all answers, and tasks judged again by them."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.utils import timezone

from annotation.errors import Invalid
from annotation.models import Answer, Consensus, CrowdFit, Gold, MicroTask, Skill, Volunteer
from annotation.services.answers import revise_answer, submit_answer
from annotation.services.campaigns import update_campaign
from annotation.services.consensus import recompute_consensus
from annotation.services.crowd import FIRST_FIT, campaigns_to_judge, fit_is_due, judge_again, refit
from annotation.services.engine import engine_of
from annotation.services.gold import import_gold
from annotation.services.handout import claim_task, take_place
from annotation.services.standing import set_standing, weigh_answers_again
from tests.factories import NOW, make_campaign, make_gold, make_tasks, make_users, make_volunteers
from tests.invariants import assert_everything_adds_up
from tests.simulated import skilled_crowd

pytestmark = pytest.mark.django_db
CLASSES = ["yes", "no", "unclear"]
ACCURACIES = [0.95, 0.9, 0.85, 0.4]


def differences(campaign) -> int:
    return sum(n for _, n in recompute_consensus(campaign, now=NOW, check=True))


@pytest.fixture
def answered():
    """A campaign weighed by the engine, in which four of known skill have answered forty tasks each."""
    campaign = make_campaign(aggregation="engine", needed=4)
    volunteers = make_volunteers(campaign, make_users(len(ACCURACIES)))
    tasks = make_tasks(campaign, 40)
    said = skilled_crowd(ACCURACIES, n_tasks=40, n_classes=3, seed=1)
    for task, worker, label in zip(*said, strict=True):
        place = take_place(tasks[task].pk, volunteers[worker].pk, now=NOW)
        submit_answer(place, volunteers[worker].user, {"label": CLASSES[label]}, key=uuid4(), now=NOW)
    return campaign, volunteers, tasks


def test_before_the_first_fit_the_majority_decides(answered):
    assert set(Consensus.objects.values_list("method", "version")) == {("majority", 0)}


def test_a_fit_knows_who_is_good_and_says_how_sure_it_is_of_that(answered):
    campaign, volunteers, _ = answered
    refit(campaign, now=NOW)
    skills = [Skill.objects.get(pk=volunteer.pk) for volunteer in volunteers]
    assert skills[3].high < min(skill.accuracy for skill in skills[:3])
    for skill in skills:
        assert skill.low < skill.accuracy < skill.high
        assert (skill.version, skill.n_answers) == (1, 40)
        assert sum(map(sum, skill.confusion)) == pytest.approx(40, abs=0.5)


def test_a_fit_judges_every_task_again_and_the_same_comes_out_when_it_is_computed_again(answered):
    campaign, _, tasks = answered
    fit = refit(campaign, now=NOW)
    assert set(Consensus.objects.values_list("method", "version")) == {("engine", 1)}
    assert fit.n_changed == 40
    assert differences(campaign) == 0
    row = Consensus.objects.get(pk=tasks[0].pk)
    assert sum(row.posterior.values()) == pytest.approx(1, abs=1e-4)
    assert row.certainty == pytest.approx(row.posterior[row.label], abs=1e-5)
    answers = set(map(str, Answer.objects.filter(assignment__task=tasks[0]).values_list("pk", flat=True)))
    assert row.weights.keys() == answers
    assert_everything_adds_up(campaign)


def test_a_second_fit_of_the_same_answers_moves_nothing(answered):
    campaign, _, _ = answered
    refit(campaign, now=NOW)
    assert refit(campaign, now=NOW).n_changed == 0


def test_an_answer_after_a_fit_is_judged_by_its_parameters_in_its_own_transaction(answered):
    campaign, volunteers, _ = answered
    refit(campaign, now=NOW)
    (task,) = make_tasks(campaign, 1)
    for volunteer, label in zip(volunteers, ["yes", "yes", "yes", "no"], strict=True):
        place = take_place(task.pk, volunteer.pk, now=NOW)
        submit_answer(place, volunteer.user, {"label": label}, key=uuid4(), now=NOW)
    row = Consensus.objects.get(pk=task.pk)
    assert (row.method, row.version, row.label) == ("engine", 1, "yes")
    assert row.certainty > row.share
    assert differences(campaign) == 0


def test_a_newcomer_is_weighed_as_the_crowds_typical_one(answered):
    campaign, _, _ = answered
    refit(campaign, now=NOW)
    [newcomer] = make_volunteers(campaign, make_users(1))
    (task,) = make_tasks(campaign, 1)
    place = take_place(task.pk, newcomer.pk, now=NOW)
    submit_answer(place, newcomer.user, {"label": "no"}, key=uuid4(), now=NOW)
    row = Consensus.objects.get(pk=task.pk)
    assert row.label == "no"
    assert 1 / 3 < row.certainty < 0.99


def test_gold_anchors_what_is_known_of_a_volunteer(answered):
    campaign, volunteers, tasks = answered
    refit(campaign, now=NOW)
    before = Skill.objects.get(pk=volunteers[0].pk).accuracy
    for task in tasks[:30]:  # gold says that the best was wrong each time
        own = Answer.objects.get(assignment__task=task, assignment__volunteer=volunteers[0]).value["label"]
        make_gold(task, next(key for key in CLASSES if key != own))
    refit(campaign, now=NOW)
    assert Skill.objects.get(pk=volunteers[0].pk).accuracy < before - 0.3


def test_a_revision_of_what_a_file_knows_makes_nobody_better(answered):
    campaign, volunteers, tasks = answered
    worst = Answer.objects.filter(assignment__volunteer=volunteers[3])
    labels = dict(Consensus.objects.values_list("task", "label"))
    for task in tasks[:20]:
        make_gold(task, labels[task.pk] or "yes")
    refit(campaign, now=NOW)
    before = Skill.objects.get(pk=volunteers[3].pk).accuracy
    for given in worst.filter(assignment__task__in=[task.pk for task in tasks[:20]]):
        right = {"label": labels[given.assignment.task_id] or "yes"}
        revise_answer(given.pk, volunteers[3].user, right, key=uuid4(), now=NOW)
    refit(campaign, now=NOW)
    assert Skill.objects.get(pk=volunteers[3].pk).accuracy == pytest.approx(before, abs=1e-9)


def test_a_campaign_without_answers_is_fitted_to_nothing():
    fit = refit(make_campaign(aggregation="engine"), now=NOW)
    assert (fit.n_answers, fit.n_tasks, fit.n_changed) == (0, 0, 0)


@pytest.mark.parametrize("label", ["yes", "no"])
def test_one_volunteer_alone_and_all_answers_equal_have_a_defined_result(label):
    campaign = make_campaign(aggregation="engine", needed=1)
    [volunteer] = make_volunteers(campaign, make_users(1))
    for task in make_tasks(campaign, 5):
        place = take_place(task.pk, volunteer.pk, now=NOW)
        submit_answer(place, volunteer.user, {"label": label}, key=uuid4(), now=NOW)
    refit(campaign, now=NOW)
    assert set(Consensus.objects.values_list("label", flat=True)) == {label}
    assert differences(campaign) == 0


# --- when a fit is due


def test_a_fit_is_due_with_enough_answers_and_then_with_a_tenth_more(answered):
    campaign, _, _ = answered
    assert not fit_is_due(campaign, FIRST_FIT - 1)
    assert fit_is_due(campaign, FIRST_FIT)
    refit(campaign, now=NOW)
    assert not fit_is_due(campaign, 175)
    assert fit_is_due(campaign, 176)


def test_a_fit_is_due_when_a_tenth_more_right_answers_are_known(answered):
    campaign, _, tasks = answered
    for task in tasks[:20]:
        make_gold(task, "yes")
    after = timezone.now()
    refit(campaign, now=after)
    assert not fit_is_due(campaign, 160)
    make_gold(tasks[20], "yes")
    assert not fit_is_due(campaign, 160)
    make_gold(tasks[21], "yes")
    assert fit_is_due(campaign, 160)
    refit(campaign, now=timezone.now())
    assert not fit_is_due(campaign, 160)
    Gold.objects.filter(task__in=tasks[:3]).update(decided_at=timezone.now(), origin="reviewer")
    assert fit_is_due(campaign, 160), "what a reviewer decides again teaches as well"


def test_a_fit_is_due_once_somebodys_answers_no_longer_count(answered, alice):
    campaign, volunteers, _ = answered
    refit(campaign, now=NOW)
    set_standing(volunteers[3], "excluded", "", by=alice, now=NOW + timedelta(minutes=1))
    assert not fit_is_due(campaign, 160), "not while some of them still count"
    weigh_answers_again(Volunteer.objects.get(pk=volunteers[3].pk), now=NOW)
    assert fit_is_due(campaign, 160)
    refit(campaign, now=NOW + timedelta(minutes=2))
    assert not fit_is_due(campaign, 160)


def test_a_campaign_that_counts_votes_is_never_fitted(answered, alice):
    campaign, _, _ = answered
    campaign = update_campaign(campaign, by=alice, aggregation="majority")
    assert not fit_is_due(campaign, 1_000_000)


def test_the_look_at_all_campaigns_finds_those_with_work(answered, alice):
    campaign, _, _ = answered
    make_campaign()
    assert campaigns_to_judge() == [(campaign.pk, True)]
    refit(campaign, now=NOW)
    assert campaigns_to_judge() == []
    update_campaign(campaign, by=alice, aggregation="majority")
    assert campaigns_to_judge() == [(campaign.pk, False)]


# --- when the rules change


def test_back_to_majority_every_task_is_judged_by_votes_again(answered, alice):
    campaign, _, _ = answered
    refit(campaign, now=NOW)
    campaign = update_campaign(campaign, by=alice, aggregation="majority")
    judge_again(campaign, now=NOW)
    assert set(Consensus.objects.values_list("method", "version", "posterior")) == {("majority", 0, None)}
    assert campaigns_to_judge() == []


def test_answers_with_a_label_that_is_taken_out_stay_and_no_longer_count(answered, alice):
    campaign, _, _ = answered
    campaign = update_campaign(campaign, by=alice, labels=campaign.labels[:2])
    judge_again(campaign, now=NOW)
    assert Answer.objects.filter(value={"label": "unclear"}).exists()
    assert not Consensus.objects.filter(votes__has_key="unclear").exists()
    assert MicroTask.objects.filter(is_open=True).exists(), "their places are for somebody else"
    assert_everything_adds_up(campaign)
    refit(campaign, now=NOW)
    assert differences(campaign) == 0


def test_stopping_when_sure_takes_a_method_that_knows_how_sure_it_is(alice):
    with pytest.raises(Invalid) as refused:
        update_campaign(make_campaign(), by=alice, stopping="adaptive")
    assert refused.value.code == "stopping_needs_weighing"


def test_a_kind_is_weighed_only_in_a_way_that_it_has(alice):
    with pytest.raises(Invalid) as refused:
        update_campaign(make_campaign(kind="ordinal"), by=alice, aggregation="dawid_skene")
    assert refused.value.code == "invalid_aggregation"


# --- stopping when sure


@pytest.fixture
def adaptive():
    """An adaptive campaign whose good volunteers are known already, with forty fresh tasks."""
    campaign = make_campaign(
        aggregation="engine", stopping="adaptive", needed=2, most_answers=4, audit_share=0.0
    )
    volunteers = make_volunteers(campaign, make_users(6))
    known = make_tasks(campaign, 30)
    said = skilled_crowd([0.95] * 5 + [0.5], n_tasks=30, n_classes=3, seed=2)
    MicroTask.objects.filter(campaign=campaign).update(needed=6)
    for task, worker, label in zip(*said, strict=True):
        place = take_place(known[task].pk, volunteers[worker].pk, now=NOW)
        submit_answer(place, volunteers[worker].user, {"label": CLASSES[label]}, key=uuid4(), now=NOW)
    refit(campaign, now=NOW)
    campaign.refresh_from_db()
    return campaign, volunteers


def work_to_the_end(campaign, volunteers, truth) -> None:
    """They take turns until nothing is left for anybody; truth(volunteer, task) is what each says."""
    now, at_work = NOW + timedelta(hours=1), list(volunteers)
    while at_work:
        for volunteer in list(at_work):
            place = claim_task(campaign.pk, volunteer.user, now=now)
            if place is None:
                at_work.remove(volunteer)
                continue
            answer = {"label": truth(volunteer, place.task_id)}
            submit_answer(place.assignment_id, volunteer.user, answer, key=uuid4(), now=now)


def test_where_all_agree_two_answers_are_enough(adaptive):
    campaign, volunteers = adaptive
    fresh = make_tasks(campaign, 20)
    work_to_the_end(campaign, volunteers, lambda volunteer, task: "yes")
    rows = Consensus.objects.filter(task__in=fresh)
    assert rows.filter(settled_at__isnull=False, certainty__gte=0.97).count() == 20
    assert set(rows.values_list("n_answers", flat=True)) <= {2, 3}
    assert_everything_adds_up(campaign)


def test_where_they_disagree_more_are_asked_up_to_the_most_and_then_a_reviewer(adaptive):
    campaign, volunteers = adaptive
    fresh = make_tasks(campaign, 10)
    turn = {volunteer.pk: CLASSES[n % 2] for n, volunteer in enumerate(volunteers)}
    work_to_the_end(campaign, volunteers, lambda volunteer, task: turn[volunteer.pk])
    rows = Consensus.objects.filter(task__in=fresh)
    assert set(rows.values_list("n_answers", flat=True)) <= {2, 3, 4}
    assert rows.filter(review="undecided", n_answers=4, settled_at=None).exists()
    assert not MicroTask.objects.filter(pk__in=[task.pk for task in fresh], is_open=True).exists()
    assert_everything_adds_up(campaign)


@pytest.fixture
def never_sure(adaptive, alice):
    """The same campaign where nothing is sure enough; half of its volunteers say one thing, half another."""
    campaign, volunteers = adaptive
    campaign = update_campaign(campaign, by=alice, stop_certainty=0.9999)
    turn = {volunteer.pk: CLASSES[n % 2] for n, volunteer in enumerate(volunteers)}
    return campaign, volunteers, lambda volunteer, task: turn[volunteer.pk]


def test_a_task_of_known_answer_on_which_they_disagree_is_done_at_the_most_answers(never_sure):
    campaign, volunteers, said = never_sure
    fresh = make_tasks(campaign, 10)
    for task in fresh[:5]:
        make_gold(task, "yes")
    work_to_the_end(campaign, volunteers, said)
    rows = Consensus.objects.filter(task__in=fresh)
    assert not rows.filter(task__gold__isnull=False, settled_at=None).exists()
    assert not rows.filter(task__gold__isnull=False).exclude(review="").exists()
    assert rows.filter(task__gold__isnull=True, review="undecided").count() == 5


def test_what_waits_for_a_reviewer_is_done_when_its_gold_comes_in(never_sure, tmp_path):
    campaign, volunteers, said = never_sure
    fresh = make_tasks(campaign, 10)
    work_to_the_end(campaign, volunteers, said)
    judge_again(campaign, now=NOW)
    waiting = Consensus.objects.filter(task__in=fresh, review="undecided")
    lines = "".join(f"{name},yes\n" for name in waiting.values_list("task__record__external_id", flat=True))
    (tmp_path / "gold.csv").write_text("task,label\n" + lines)
    assert import_gold(campaign, tmp_path / "gold.csv").n_taken == waiting.count() == 10
    assert type(campaign).objects.get().is_to_be_judged
    judge_again(campaign, now=NOW)
    assert waiting.count() == 0
    assert not Consensus.objects.filter(task__gold__isnull=False, settled_at=None).exists()
    assert_everything_adds_up(campaign)


def test_every_audited_task_gets_one_answer_more_than_it_stopped_at(adaptive, alice):
    campaign, volunteers = adaptive
    campaign = update_campaign(campaign, by=alice, audit_share=1.0)
    judge_again(campaign, now=NOW)
    fresh = make_tasks(campaign, 5)
    work_to_the_end(campaign, volunteers[:5], lambda volunteer, task: "yes")
    rows = Consensus.objects.filter(task__in=fresh)
    assert rows.filter(audited=True, settled_at__isnull=False).count() == 5
    assert set(rows.values_list("n_answers", flat=True)) <= {3, 4}
    assert differences(campaign) == 0


def test_an_answer_under_suspicion_is_kept_weighs_nothing_and_leaves_its_place(answered):
    campaign, _, _ = answered
    [suspect] = make_volunteers(campaign, make_users(1))
    Volunteer.objects.filter(pk=suspect.pk).update(standing="flagged")
    (task,) = make_tasks(campaign, 1, needed=1)
    place = take_place(task.pk, suspect.pk, now=NOW)
    submit_answer(place, suspect.user, {"label": "no"}, key=uuid4(), now=NOW)
    assert Answer.objects.get(pk=place).weighs is False
    assert not Consensus.objects.filter(pk=task.pk).exists()
    task.refresh_from_db()
    assert task.is_open, "somebody else is to answer"
    fit = refit(campaign, now=NOW)
    assert fit.n_answers == 160
    assert CrowdFit.objects.count() == 1


def test_a_crowd_that_is_wrong_together_is_made_less_sure_by_gold(answered):
    campaign, _, tasks = answered
    unaware = refit(campaign, now=NOW).parameters
    labels = dict(Consensus.objects.values_list("task", "label"))
    for n, task in enumerate(tasks):  # every third consensus is wrong by gold
        right = labels[task.pk]
        make_gold(task, right if n % 3 else next(key for key in CLASSES if key != right))
    aware = refit(campaign, now=NOW).parameters
    figures = aware["calibration"]
    assert unaware["temperature"] == 1.0 and "log_lead" not in unaware
    assert (figures["n_gold"], len(aware["log_lead"])) == (40, len(CLASSES))
    assert aware["temperature"] > 1.0 or min(aware["log_lead"]) < 0.0
    assert figures["error"] < figures["error_before"] + 0.05, "40 tasks do not tell much apart"
    assert figures["certainty"] == pytest.approx(figures["share_right"], abs=0.2)
    assert engine_of(campaign).calibration.error == figures["error"]
    assert differences(campaign) == 0


def test_a_table_for_each_volunteer_is_refused_for_many_labels_and_the_engine_takes_a_thousand(alice):
    labels = [{"key": f"k{n}", "name": f"K{n}", "hint": ""} for n in range(1000)]
    campaign = make_campaign(labels=labels, needed=2)
    with pytest.raises(Invalid) as refused:
        update_campaign(campaign, by=alice, aggregation="dawid_skene")
    assert refused.value.code == "too_many_labels_for_aggregation"
    campaign = update_campaign(campaign, by=alice, aggregation="engine")
    volunteers = make_volunteers(campaign, make_users(2))
    for n, task in enumerate(make_tasks(campaign, 30)):
        for volunteer in volunteers:
            place = take_place(task.pk, volunteer.pk, now=NOW)
            submit_answer(place, volunteer.user, {"label": f"k{n * 7}"}, key=uuid4(), now=NOW)
    refit(campaign, now=NOW)
    assert set(Consensus.objects.values_list("label", flat=True)) == {f"k{n * 7}" for n in range(30)}
    assert differences(campaign) == 0
    assert Skill.objects.first().confusion is None


def test_what_reviewers_decided_does_not_calibrate_because_it_was_doubtful(answered):
    campaign, _, tasks = answered
    for task in tasks[:30]:
        make_gold(task, "unclear")
    Gold.objects.update(origin="reviewer")
    parameters = refit(campaign, now=NOW).parameters
    assert parameters["temperature"] == 1.0
    assert "calibration" not in parameters


def test_answers_that_do_not_count_do_not_ask_for_a_fit_again_and_again(answered):
    campaign, volunteers, _ = answered
    Answer.objects.filter(assignment__volunteer=volunteers[3]).update(weighs=False)
    fit = refit(campaign, now=NOW)
    assert (fit.n_answers, fit.n_given) == (120, 160)
    assert campaigns_to_judge() == []


def test_who_had_no_part_in_the_fit_in_force_is_unknown_whatever_an_older_fit_said(answered):
    campaign, volunteers, tasks = answered
    refit(campaign, now=NOW)
    Skill.objects.filter(pk=volunteers[0].pk).update(version=0, parameters={"of": "another form"})
    (task,) = make_tasks(campaign, 1)
    place = take_place(task.pk, volunteers[0].pk, now=NOW)
    submit_answer(place, volunteers[0].user, {"label": "no"}, key=uuid4(), now=NOW)
    assert Consensus.objects.get(pk=task.pk).method == "engine"
    assert 0 < differences(campaign) <= len(tasks), "what they answered is judged without their skill now"
    judge_again(campaign, now=NOW)
    assert differences(campaign) == 0


def test_a_fit_by_rules_that_changed_meanwhile_is_not_stored(answered, alice):
    campaign, _, _ = answered
    stale = type(campaign).objects.get(pk=campaign.pk)
    update_campaign(campaign, by=alice, labels=[*campaign.labels, {"key": "new", "name": "New"}])
    assert refit(stale, now=NOW) is None
    assert not CrowdFit.objects.exists()
    assert campaigns_to_judge() == [(campaign.pk, True)]


def test_tasks_that_wait_for_the_first_fit_get_it_although_the_answers_are_few():
    campaign = make_campaign(aggregation="engine", stopping="adaptive", needed=1, most_answers=5)
    volunteers = make_volunteers(campaign, make_users(2))
    make_tasks(campaign, 3)
    work_to_the_end(campaign, volunteers, lambda volunteer, task: "yes")
    assert not MicroTask.objects.filter(is_open=True).exists()
    assert Consensus.objects.filter(settled_at=None).count() == 3
    assert campaigns_to_judge() == [(campaign.pk, True)]
    refit(campaign, now=NOW)
    assert MicroTask.objects.filter(is_open=True).count() == 3, "nobody is known yet, so more are asked"


def test_a_worker_that_is_killed_while_it_judges_leaves_the_rest_to_the_next(answered, monkeypatch):
    campaign, _, _ = answered

    def killed(*arguments):
        raise SystemExit

    monkeypatch.setattr("annotation.services.crowd._judge_all", killed)
    with pytest.raises(SystemExit):
        refit(campaign, now=NOW)
    monkeypatch.undo()
    assert campaigns_to_judge() == [(campaign.pk, False)]
    judge_again(campaign, now=NOW)
    assert set(Consensus.objects.values_list("method", flat=True)) == {"engine"}
    assert campaigns_to_judge() == []
