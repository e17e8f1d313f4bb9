"""Choosing what to ask is measured against the random stream, and given up where it brings nothing."""

from datetime import timedelta

import numpy as np
import pytest

from annotation.models import Campaign, Consensus, MicroTask, TrailEntry
from tests.factories import NOW
from tests.labelled import add_labelled
from training.algorithms.splits import record_places
from training.models import ModelVersion, StreamRound, TrainingPolicy, TrainingRun
from training.services.base_models import encoder_of
from training.services.embeddings import write_vectors
from training.services.policies import change_policy
from training.services.runs import policy_of
from training.services.stream_guard import measure_round
from training.services.stream_rounds import choose_again, is_measured, sentence_of

pytestmark = pytest.mark.django_db
N_LABELLED = 240


def label_all(campaign: Campaign, *, chosen_teach: bool) -> None:
    """Vectors on a half circle, labelled by its halves; what was chosen is at the border, or on one side."""
    TrainingPolicy.objects.update(exploration_share=0.5)
    made = [(f"text {i}", "no") for i in range(N_LABELLED)]
    tasks = sorted(add_labelled(campaign, made), key=lambda task: task.pk)
    in_stream = record_places([task.record_id for task in tasks]) < 0.5
    rng = np.random.default_rng(0)
    anywhere = rng.random(N_LABELLED) * np.pi
    chosen = np.pi / 2 + rng.normal(scale=0.3, size=N_LABELLED)
    if not chosen_teach:
        chosen = rng.random(N_LABELLED) * 0.3
    angles = np.where(in_stream, anywhere, chosen)
    vectors = np.zeros((N_LABELLED, 32))
    vectors[:, 0], vectors[:, 1] = np.cos(angles), np.sin(angles)
    _, sha256 = encoder_of(campaign)
    write_vectors([task.pk for task in tasks], vectors.astype(np.float16), sha256)
    for task, angle in zip(tasks, angles, strict=True):
        label = "yes" if angle > np.pi / 2 else "no"
        task.consensus.label, task.consensus.value = label, {"label": label}
        if campaign.kind == "multiple":  # both hold in between
            labels = [key for key, holds in (("no", angle < 2), ("yes", angle > 1)) if holds]
            task.consensus.label, task.consensus.value = "", {"labels": labels}
        task.consensus.save()


def make_run(campaign: Campaign, number: int) -> TrainingRun:
    at = NOW + timedelta(hours=number)
    return TrainingRun.objects.create(
        campaign=campaign, number=number, opened_at=at, state="succeeded", snapshot_at=at
    )


def measure(campaign: Campaign, n_rounds: int, first: int = 1) -> list[StreamRound | None]:
    return [
        measure_round(make_run(campaign, number), now=NOW + timedelta(hours=number))
        for number in range(first, first + n_rounds)
    ]


@pytest.fixture
def of_several(campaign):
    """The same campaign, where any number of labels may hold."""
    campaign.kind = "multiple"
    campaign.save(update_fields=["kind"])
    return campaign


def test_where_any_number_of_labels_may_hold_choosing_is_measured_too(of_several):
    label_all(of_several, chosen_teach=True)
    [kept] = measure(of_several, 1)
    assert kept.acquired > 0.9
    assert kept.drawn > 0.9
    said = sentence_of(policy_of(of_several))
    assert f"% in F1 of the labels of {kept.n_judged} texts (±" in said


def test_where_any_number_of_labels_may_hold_choosing_is_given_up_where_it_brings_nothing(of_several):
    label_all(of_several, chosen_teach=False)
    rounds = measure(of_several, 4)
    assert all(one.gain < -3 * one.deviation for one in rounds)
    policy = policy_of(of_several)
    assert policy.at_random_since == NOW + timedelta(hours=4)
    assert "% in F1 of the labels of" in sentence_of(policy)


@pytest.mark.parametrize("kind", ["spans", "relations", "text"])
def test_of_marks_and_own_words_there_is_no_round(campaign, kind):
    label_all(campaign, chosen_teach=True)
    campaign.kind = kind
    assert not is_measured(campaign)
    assert measure(campaign, 1) == [None]


def test_a_round_says_what_chosen_labels_teach_beside_drawn_ones(campaign):
    label_all(campaign, chosen_teach=True)
    [kept] = measure(campaign, 1)
    assert kept.n_learned >= 20
    assert kept.n_judged == MicroTask.objects.count() - sum(
        record_places(MicroTask.objects.values_list("record_id", flat=True)) >= 0.5
    )
    assert kept.acquired > 0.9
    assert f"{kept.n_learned} chosen tasks teach" in sentence_of(policy_of(campaign))
    assert policy_of(campaign).at_random_since is None


def test_after_four_rounds_that_brought_nothing_it_asks_at_random_and_says_so(campaign):
    label_all(campaign, chosen_teach=False)
    measure(campaign, 3)
    assert policy_of(campaign).at_random_since is None
    measure(campaign, 1, first=4)
    policy = policy_of(campaign)
    assert policy.at_random_since == NOW + timedelta(hours=4)
    assert StreamRound.objects.count() == 4
    said = sentence_of(policy)
    assert "taught no more than tasks drawn at random over four rounds" in said
    assert "so tasks are asked at random since 4 May 2026." in said
    assert measure(campaign, 1, first=5) == [None], "nothing is chosen any more: nothing to compare"


def test_where_choosing_is_taken_up_again_it_is_measured_anew(campaign):
    label_all(campaign, chosen_teach=False)
    measure(campaign, 4)
    choose_again(policy_of(campaign), by=None, now=NOW)
    assert policy_of(campaign).at_random_since is None
    measure(campaign, 3, first=5)
    assert policy_of(campaign).at_random_since is None


def test_another_way_to_choose_is_not_judged_by_the_rounds_of_the_one_before(campaign, alice):
    label_all(campaign, chosen_teach=False)
    measure(campaign, 4)
    same = {"acquisition": policy_of(campaign).acquisition, "refit_labels": 20}
    assert change_policy(policy_of(campaign), by=alice, now=NOW, **same).at_random_since is not None
    changed = change_policy(policy_of(campaign), by=alice, now=NOW, acquisition="entropy")
    assert changed.at_random_since is None
    assert policy_of(campaign).at_random_since is None
    assert not StreamRound.objects.exists()
    assert TrailEntry.objects.get(verb="choose_again").user == alice


@pytest.mark.parametrize("fields", [{"acquisition": "entropy"}, {"exploration_share": 0.4}])
def test_a_change_of_what_is_chosen_has_the_queue_ordered_anew(campaign, alice, fields):
    run = make_run(campaign, 1)
    ModelVersion.objects.create(
        campaign=campaign, run=run, number=1, path="/nowhere", sha256="", label_keys=[], in_charge=True
    )
    change_policy(policy_of(campaign), by=alice, now=NOW, refit_labels=20)
    assert policy_of(campaign).order_wanted_at is None
    change_policy(policy_of(campaign), by=alice, now=NOW, **fields)
    assert policy_of(campaign).order_wanted_at == NOW


def explore(campaign: Campaign, user, share: float, *, hours: int = 0) -> float:
    """Change the share, so many hours after all that is settled; what judges from then on."""
    at = NOW + timedelta(hours=hours)
    return change_policy(policy_of(campaign), by=user, now=at, exploration_share=share).judging_share


def test_records_that_join_the_stream_late_do_not_judge_since_some_of_them_were_chosen(campaign, alice):
    assert explore(campaign, alice, 0.4) == 0.4, "nothing was answered yet"
    label_all(campaign, chosen_teach=True)
    TrainingPolicy.objects.update(exploration_share=0.4)
    assert explore(campaign, alice, 0.8, hours=1) == 0.4
    [round_] = measure(campaign, 1)
    places = record_places(campaign.records.values_list("pk", flat=True))
    assert round_.n_judged == (places < 0.4).sum()
    assert round_.n_learned <= (places >= 0.8).sum(), "what joined late was not chosen either"
    assert explore(campaign, alice, 0.3, hours=2) == 0.3


def test_a_share_under_which_nothing_was_settled_leaves_no_trace(campaign, alice):
    label_all(campaign, chosen_teach=True)
    assert explore(campaign, alice, 0.05, hours=1) == 0.05, "a slip of the hand"
    assert explore(campaign, alice, 0.5, hours=2) == 0.5
    assert explore(campaign, alice, 0.1, hours=3) == 0.1
    Consensus.objects.update(settled_at=NOW + timedelta(hours=4))
    assert explore(campaign, alice, 0.5, hours=5) == 0.1


@pytest.mark.parametrize("fields", [{"acquisition": "random"}, {"at_random_since": NOW}])
def test_where_nothing_is_chosen_more_may_judge(campaign, alice, fields):
    label_all(campaign, chosen_teach=True)
    TrainingPolicy.objects.update(**fields)
    assert explore(campaign, alice, 0.8, hours=1) == 0.8


def test_a_change_of_nothing_leaves_what_was_found_meanwhile(campaign, alice):
    seen = policy_of(campaign)
    TrainingPolicy.objects.update(at_random_since=NOW)
    change_policy(seen, by=alice, now=NOW)
    assert policy_of(campaign).at_random_since == NOW


def test_a_round_measured_twice_is_kept_once(campaign):
    label_all(campaign, chosen_teach=True)
    run = make_run(campaign, 1)
    for _ in range(2):
        measure_round(run, now=NOW)
    assert StreamRound.objects.count() == 1


@pytest.mark.parametrize("fields", [{"acquisition": "random"}, {"exploration_share": 0.0}])
def test_without_choosing_or_without_a_stream_there_is_nothing_to_compare(campaign, fields):
    label_all(campaign, chosen_teach=True)
    TrainingPolicy.objects.update(**fields)
    assert measure(campaign, 1) == [None]
    assert sentence_of(policy_of(campaign)) == ""
