"""A run's life: opened once, taken by one worker at a time, given up by whoever lost it."""

import threading
from datetime import timedelta

import pytest
from django.db import connection

from annotation.models import Campaign
from tests.factories import NOW, make_campaign
from tests.labelled import YES_NO, add_labelled, sentences
from training.errors import ChargeChanged, RunAlreadyOpen, RunLost, TooFewLabels
from training.models import ModelVersion, Promotion, TrainingPolicy, TrainingRun
from training.services import runs
from training.services.promotions import promote
from training.services.runs import due_kind, open_due_runs, open_run, policy_of, start_run

pytestmark = pytest.mark.django_db
State, Kind = TrainingRun.State, TrainingRun.Kind
LATER = NOW + timedelta(hours=2)


def at_once(*calls):
    """Run the calls in threads that begin together; returns what each gave or raised."""
    barrier, results = threading.Barrier(len(calls)), [None] * len(calls)

    def run(place, call):
        barrier.wait()
        try:
            results[place] = call()
        except Exception as error:
            results[place] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


@pytest.fixture
def labelled(campaign):
    add_labelled(campaign, sentences(12))
    return campaign


@pytest.fixture
def run(labelled):
    return open_run(labelled, now=NOW)


def keep(run, token, family="encoder") -> ModelVersion:
    version = ModelVersion(
        campaign=run.campaign,
        run=run,
        family=family,
        path="/nowhere",
        sha256="0" * 64,
        label_keys=["no", "yes"],
    )
    return runs.keep_model(run.pk, token, version)


# --- When a run is opened ---


def test_a_run_opens_when_enough_labels_are_new_and_the_last_is_long_ago(labelled):
    policy = policy_of(labelled)
    assert due_kind(policy, now=NOW) == Kind.TRAIN
    [run_id] = open_due_runs(now=NOW)
    assert due_kind(policy, now=LATER) is None, "one is open"

    token = start_run(run_id, now=NOW)
    runs.beat_run(run_id, token, now=NOW, snapshot_at=NOW)
    runs.finish_run(run_id, token, now=NOW)
    assert due_kind(policy, now=LATER) is None, "nothing is new since its snapshot"
    add_labelled(labelled, sentences(22)[12:], settled_at=NOW + timedelta(seconds=10))
    assert due_kind(policy, now=NOW + timedelta(seconds=59)) is None
    assert due_kind(policy, now=NOW + timedelta(seconds=60)) == Kind.TRAIN


def finish(campaign, kind, *, at) -> TrainingRun:
    """A run that took its snapshot at once and made nothing."""
    run = open_run(campaign, kind=kind, now=at)
    token = start_run(run.pk, now=at)
    runs.beat_run(run.pk, token, now=at, snapshot_at=at)
    runs.finish_run(run.pk, token, now=at)
    return run


def test_between_two_full_runs_the_fast_models_are_fitted_again_after_each_few_labels(labelled):
    TrainingPolicy.objects.update(min_new_labels=12, refit_labels=5)
    policy = policy_of(labelled)
    finish(labelled, Kind.TRAIN, at=NOW)
    add_labelled(labelled, sentences(16)[12:], settled_at=NOW + timedelta(seconds=10))
    assert due_kind(policy, now=LATER) is None, "four are new"
    add_labelled(labelled, sentences(17)[16:], settled_at=NOW + timedelta(seconds=10))
    assert due_kind(policy, now=LATER) == Kind.REFIT
    finish(labelled, Kind.REFIT, at=NOW + timedelta(seconds=20))
    assert due_kind(policy, now=LATER) is None, "nothing is new since the refit"
    add_labelled(labelled, sentences(24)[17:], settled_at=NOW + timedelta(seconds=30))
    assert due_kind(policy, now=LATER) == Kind.TRAIN, "twelve are new since the last full run"


def test_before_the_first_full_run_and_after_a_failure_nothing_is_refitted(labelled):
    TrainingPolicy.objects.update(min_new_labels=100, refit_labels=5)
    assert due_kind(policy_of(labelled), now=NOW) is None
    finish(labelled, Kind.TRAIN, at=NOW)
    add_labelled(labelled, sentences(30)[12:], settled_at=NOW + timedelta(seconds=10))
    failed = open_run(labelled, kind=Kind.REFIT, now=LATER)
    runs.fail_run(failed.pk, start_run(failed.pk, now=LATER), code="c", sentence="s", now=LATER)
    assert due_kind(policy_of(labelled), now=LATER) is None


def test_labels_before_the_last_snapshot_and_ties_are_not_new(campaign):
    add_labelled(campaign, sentences(9))
    add_labelled(campaign, [("a tie", ""), ("another tie", "")])
    assert due_kind(policy_of(campaign), now=NOW) is None


@pytest.mark.parametrize("change", [{"enabled": False}, {"min_new_labels": 13}])
def test_a_policy_may_keep_a_campaign_from_being_trained(labelled, change):
    TrainingPolicy.objects.filter(campaign=labelled).update(**change)
    assert open_due_runs(now=NOW) == []


def test_a_paused_campaign_is_not_trained_by_itself(labelled):
    Campaign.objects.update(state=Campaign.State.PAUSED)
    assert open_due_runs(now=NOW) == []


def test_a_campaign_nobody_made_a_policy_for_is_trained_by_the_defaults():
    campaign = make_campaign(labels=YES_NO)
    add_labelled(campaign, sentences(200))
    [run_id] = open_due_runs(now=NOW)
    assert TrainingRun.objects.get(pk=run_id).campaign == campaign


def test_a_few_labels_are_refused_with_their_number(campaign):
    add_labelled(campaign, sentences(9))
    with pytest.raises(TooFewLabels) as caught:
        open_run(campaign, now=NOW)
    assert caught.value.sentence == ("There are 9 consensus labels so far; a model needs at least 10.")


def test_a_second_run_is_refused_while_one_is_open(labelled, run):
    with pytest.raises(RunAlreadyOpen):
        open_run(labelled, now=NOW)
    runs.fail_run(run.pk, start_run(run.pk, now=NOW), code="c", sentence="s", now=NOW)
    assert open_run(labelled, now=NOW).number == 2


def orders(campaign) -> list[str]:
    return list(TrainingRun.objects.filter(campaign=campaign, kind="order").values_list("state", flat=True))


def put_one_in_charge(campaign) -> None:
    earlier = TrainingRun.objects.create(campaign=campaign, number=90, state=State.SUCCEEDED, opened_at=NOW)
    ModelVersion.objects.create(
        campaign=campaign, run=earlier, number=90, path="/nowhere", sha256="", label_keys=[], in_charge=True
    )


def test_an_order_that_is_wanted_while_a_run_is_open_is_given_once_after_it(labelled, run):
    put_one_in_charge(labelled)
    runs.want_order(labelled.pk, now=NOW)
    runs.open_wanted_orders(now=NOW)
    assert orders(labelled) == []
    runs.finish_run(run.pk, start_run(run.pk, now=NOW), now=NOW)
    runs.open_wanted_orders(now=NOW)
    runs.open_wanted_orders(now=NOW)
    assert orders(labelled) == ["waiting"]
    failing = TrainingRun.objects.get(kind="order")
    runs.fail_run(failing.pk, start_run(failing.pk, now=NOW), code="c", sentence="s", now=NOW)
    runs.open_wanted_orders(now=NOW)
    assert orders(labelled) == ["failed"], "it says why, and is not tried for ever"


def test_a_queue_waits_for_no_order_where_no_model_could_give_one(labelled):
    runs.want_order(labelled.pk, now=NOW)
    runs.open_wanted_orders(now=NOW)
    assert (policy_of(labelled).order_wanted_at, orders(labelled)) == (None, [])


def test_an_order_that_the_open_run_gave_after_it_was_wanted_is_not_given_again(labelled, run):
    put_one_in_charge(labelled)
    runs.want_order(labelled.pk, now=NOW)
    runs.order_given(labelled.pk, asked=NOW - timedelta(seconds=1))
    assert policy_of(labelled).order_wanted_at == NOW, "it read the queue before it was asked to"
    runs.order_given(labelled.pk, asked=NOW)
    assert policy_of(labelled).order_wanted_at is None


def test_a_run_that_promoted_and_failed_before_its_model_ordered_the_queue_leaves_that_to_the_next(
    labelled, run
):
    token = start_run(run.pk, now=NOW)
    put_one_in_charge(labelled)
    runs.keep_verdict(run.pk, token, {"promoted": True})
    runs.fail_run(run.pk, token, code="disk_full", sentence="s", now=NOW)
    runs.open_wanted_orders(now=NOW)
    assert orders(labelled) == ["waiting"]


@pytest.mark.django_db(transaction=True)
def test_two_beats_at_once_open_one_run(labelled):
    opened = at_once(*[lambda: open_due_runs(now=NOW)] * 8)
    assert sorted(len(ids) for ids in opened) == [0] * 7 + [1]
    assert TrainingRun.objects.get().number == 1


# --- Who works on it ---


@pytest.mark.django_db(transaction=True)
def test_of_many_workers_one_takes_the_run(run):
    tokens = at_once(*[lambda: start_run(run.pk, now=NOW)] * 8)
    assert sorted(tokens, key=str) == [1] + [None] * 7
    run.refresh_from_db()
    assert (run.state, run.n_attempts, run.fencing_token) == (State.RUNNING, 1, 1)


def test_a_run_is_free_again_when_its_lease_has_run_out_and_not_before(run):
    assert start_run(run.pk, now=NOW) == 1
    in_time = NOW + runs.LEASE
    assert runs.runs_to_execute(now=in_time) == []
    assert start_run(run.pk, now=in_time) is None
    too_late = in_time + timedelta(seconds=1)
    assert runs.runs_to_execute(now=too_late) == [run.pk]
    assert start_run(run.pk, now=too_late) == 2


def test_each_beat_extends_the_lease_and_carries_how_far_the_run_is(run):
    token = start_run(run.pk, now=NOW)
    later = NOW + timedelta(seconds=20)
    runs.beat_run(run.pk, token, now=later, stage="training", share_done=0.5)
    assert start_run(run.pk, now=later + timedelta(seconds=20)) is None
    run.refresh_from_db()
    assert (run.heartbeat_at, run.stage, run.share_done) == (later, "training", 0.5)


def test_a_worker_that_was_thought_dead_can_write_nothing_any_more(run):
    late = NOW + runs.LEASE + timedelta(seconds=1)
    zombie, heir = start_run(run.pk, now=NOW), start_run(run.pk, now=late)
    with pytest.raises(RunLost):
        runs.beat_run(run.pk, zombie, now=late)
    with pytest.raises(RunLost):
        keep(run, zombie)
    with pytest.raises(RunLost):
        runs.finish_run(run.pk, zombie, now=late)
    runs.fail_run(run.pk, zombie, code="late", sentence="Too late.", now=late)
    run.refresh_from_db()
    assert (run.state, run.failure_code) == (State.RUNNING, "")
    assert not ModelVersion.objects.exists()
    assert keep(run, heir).number == 1
    runs.finish_run(run.pk, heir, now=late)
    with pytest.raises(RunLost):
        runs.beat_run(run.pk, heir, now=late)


def test_a_run_that_loses_its_worker_again_and_again_is_given_up_with_the_reason(run):
    now = NOW
    for attempt in range(1, runs.MAX_ATTEMPTS + 1):
        assert start_run(run.pk, now=now) == attempt
        now += runs.LEASE + timedelta(seconds=1)
    assert start_run(run.pk, now=now) is None
    run.refresh_from_db()
    assert (run.state, run.failure_code, run.finished_at) == (State.FAILED, "worker_lost", now)
    assert run.failure == "The worker was lost 5 times during this run; is there enough memory?"
    assert open_run(run.campaign, now=now).number == 2


# --- What comes of it ---


def test_the_models_of_a_campaign_are_numbered_and_none_is_in_charge_for_having_been_made(labelled):
    numbers = []
    for _ in range(2):
        run = open_run(labelled, now=NOW)
        token = start_run(run.pk, now=NOW)
        numbers += [keep(run, token, family).number for family in ("encoder", "tfidf")]
        runs.finish_run(run.pk, token, now=LATER)
    assert numbers == [1, 2, 3, 4]
    assert not ModelVersion.objects.filter(in_charge=True).exists()
    run.refresh_from_db()
    assert (run.state, run.stage, run.share_done, run.finished_at) == (State.SUCCEEDED, "done", 1.0, LATER)


def test_a_verdict_stands_only_with_the_promotion_that_it_speaks_of(run):
    token = start_run(run.pk, now=NOW)

    def another_took_charge():
        raise ChargeChanged()

    with pytest.raises(ChargeChanged):
        runs.keep_verdict(run.pk, token, {"promoted": True}, another_took_charge)
    run.refresh_from_db()
    assert run.verdict is None


def test_a_failed_run_says_why_and_leaves_the_model_in_charge_alone(labelled):
    first = open_run(labelled, now=NOW)
    token = start_run(first.pk, now=NOW)
    promote(keep(first, token), instead_of=None, cause=Promotion.Cause.GATE, now=NOW)
    runs.finish_run(first.pk, token, now=NOW)
    second = open_run(labelled, now=NOW)
    sentence = "x" * 600
    runs.fail_run(second.pk, start_run(second.pk, now=NOW), code="why", sentence=sentence, now=LATER)
    second.refresh_from_db()
    assert (second.state, second.failure_code, second.finished_at) == (State.FAILED, "why", LATER)
    assert second.failure == "x" * 500
    assert ModelVersion.objects.get(in_charge=True).run == first


def test_weights_of_all_models_may_go_but_those_in_charge_before_it_and_the_newest(labelled):
    made = []
    for number in range(5):
        run = open_run(labelled, now=NOW)
        token = start_run(run.pk, now=NOW)
        made.append(keep(run, token))
        runs.finish_run(run.pk, token, now=NOW)
        if number in (0, 1, 3):
            current = ModelVersion.objects.filter(in_charge=True).first()
            at = NOW + timedelta(minutes=number)
            promote(made[-1], instead_of=current, cause=Promotion.Cause.GATE, now=at)
    # v4 is in charge and took over from v2; v5 was refused, and is the newest.
    assert {version.number for version in runs.superseded_models(labelled.pk)} == {1, 3}
    ModelVersion.objects.filter(number=1).update(path="")
    assert {version.number for version in runs.superseded_models(labelled.pk)} == {3}
