"""Which model is in charge, and what it takes to change that. Training is real, the encoder tiny."""

import html
import json
import shutil
import threading
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connection, transaction
from django.urls import reverse
from django.utils import timezone

from annotation.errors import Conflict
from annotation.models import Consensus, Membership, MicroTask, Role, TrailEntry
from tests.factories import make_gold, queue_of
from tests.labelled import WORDS, add_labelled, add_open, sentences
from tests.locks import wait_until_somebody_waits_for_a_lock
from tests.tiny_bert import save_tiny_bert
from training.algorithms.splits import record_places
from training.models import Embedding, ModelVersion, Prediction, Promotion, TrainingPolicy, TrainingRun
from training.services import gate, promotions, runs
from training.services.agreement_guard import return_where_agreement_fell
from training.services.execution import execute_run
from training.services.policies import change_policy
from training.services.promotions import in_charge, put_in_charge
from training.services.snapshot import learned_rows, learned_tasks, read_snapshot, share_that_judges
from training.services.tidying import tidy
from training.services.unread import campaigns_to_read
from training.tasks import tick

pytestmark = pytest.mark.django_db(transaction=True)  # a run's heartbeat has a connection of its own
Kind = TrainingRun.Kind


@pytest.fixture
def labelled(campaign):
    """300 labels and 60 open tasks."""
    now = timezone.now()
    made = sentences(360)
    add_labelled(campaign, made[:300], settled_at=now)
    add_open(campaign, [text for text, _ in made[300:]])
    return campaign


def run_of(campaign, kind=Kind.REFIT) -> TrainingRun:
    run = runs.open_run(campaign, kind=kind, now=timezone.now())
    assert execute_run(run.pk), TrainingRun.objects.get(pk=run.pk).failure
    run.refresh_from_db()
    return run


def poison(campaign) -> None:
    """Whoever answered these took yes for no; the texts that judge are as they were."""
    judging = {row.pk for row in MicroTask.objects.filter(gold__isnull=False)}
    for task in Consensus.objects.exclude(task__in=judging).select_related("task"):
        label = {"yes": "no", "no": "yes"}[task.label]
        Consensus.objects.filter(pk=task.pk).update(label=label, value={"label": label}, votes={label: 2})


def test_a_model_made_of_poisoned_labels_is_refused_in_words_and_the_queue_is_read_by_the_old_one(labelled):
    for task in MicroTask.objects.filter(campaign=labelled, is_open=False)[:120]:
        make_gold(task, task.consensus.label)
    first = run_of(labelled)
    assert first.verdict["promoted"]
    standing = in_charge(labelled.pk)
    poison(labelled)
    second = run_of(labelled)
    assert not second.verdict["promoted"]
    failed = [check["sentence"] for check in second.verdict["checks"] if not check["passed"]]
    assert any("The chance that it is worse by more than" in sentence for sentence in failed)
    assert second.verdict["n_gold"] == 120
    assert in_charge(labelled.pk) == standing
    labelled.refresh_from_db()
    assert labelled.ordered_by_run == second.number
    assert set(Prediction.objects.values_list("model_version", flat=True)) == {standing.pk}
    assert Promotion.objects.count() == 1


def test_gold_judges_and_never_teaches_and_the_same_gold_judges_every_model(labelled):
    golden = list(MicroTask.objects.filter(campaign=labelled)[:40])
    for task in golden:
        make_gold(task, "yes")
    parts = []
    for _ in range(2):
        snapshot = gate_snapshot(run_of(labelled))
        parts.append({row["task"]: row["part"] for row in snapshot.rows})
        add_labelled(labelled, [(text[::-1], label) for text, label in sentences(60)])
    ids = {str(task.pk) for task in golden}
    assert {parts[0][pk] for pk in ids} == {"test"}
    before, after = ({pk for pk, part in one.items() if part == "test"} for one in parts)
    assert before <= after


def test_a_model_is_not_compared_on_gold_that_came_after_it_had_learned_from_it(labelled):
    run_of(labelled)
    standing = in_charge(labelled.pk)
    learned = learned_tasks(standing.run)
    for task in MicroTask.objects.filter(pk__in=learned)[:100]:
        make_gold(task, task.consensus.label)
    run = run_of(labelled)
    judging = {row["task"] for row in gate_snapshot(run).rows if row["part"] == "test"}
    assert len(judging & learned) >= 100
    assert run.verdict["n_judged"] == len(judging - learned) > 0
    assert run.verdict["n_gold"] == 0


def test_a_model_is_not_compared_on_gold_that_is_nearly_what_it_had_learned(labelled):
    run_of(labelled)
    standing = in_charge(labelled.pk)
    learned = learned_rows(standing.run)[:100]
    copies = add_labelled(labelled, [(f"{row['text']}.", row["value"]["label"]) for row in learned])
    for task in copies:
        make_gold(task, task.consensus.label)
    run = run_of(labelled)
    judging = [row for row in gate_snapshot(run).rows if row["part"] == "test"]
    assert sum(row["origin"] == "gold" for row in judging) == 100
    assert run.verdict["n_gold"] <= 5, "of texts as short as these, some likes are not found"
    assert 0 < run.verdict["n_judged"] <= len(judging) - 95


def test_where_the_model_in_charge_learned_all_that_judges_it_stays_and_the_verdict_says_so(labelled):
    run_of(labelled)
    standing = in_charge(labelled.pk)
    rewrite_parts(standing.run, "train")
    run = run_of(labelled)
    assert not run.verdict["promoted"]
    [check] = run.verdict["checks"]
    assert check["sentence"] == (
        "It could not be compared with the model in charge: it learned from all the texts that judge now, "
        "or from their like."
    )
    assert in_charge(labelled.pk) == standing


def tear(folder: str) -> None:
    [weights] = Path(folder).rglob("model.safetensors")
    weights.write_bytes(weights.read_bytes()[:-10])


@pytest.mark.parametrize(
    ("lose", "because"),
    [
        (shutil.rmtree, "its files are gone"),
        (tear, "it cannot answer (The files of the campaign's model are not as they were written"),
    ],
)
def test_a_model_that_cannot_answer_any_more_loses_charge_and_the_verdict_says_why(labelled, lose, because):
    run_of(labelled)
    standing = in_charge(labelled.pk)
    lose(standing.path)
    run = run_of(labelled)
    assert run.verdict["promoted"]
    assert f"compared with the model in charge: {because}" in run.verdict["checks"][0]["sentence"]
    assert in_charge(labelled.pk) != standing


def rewrite_parts(run, part: str) -> None:
    """Let the run's snapshot say that all of its texts were of one part."""
    path = Path(run.snapshot_path)
    header, *rows = [json.loads(line) for line in path.read_text().splitlines()]
    path.chmod(0o600)
    path.write_text("\n".join(json.dumps(line) for line in (header, *(row | {"part": part} for row in rows))))


def gate_snapshot(run):
    return read_snapshot(Path(run.snapshot_path))


def test_labels_that_people_are_hardly_sure_of_are_left_out_and_counted(labelled):
    doubtful = list(Consensus.objects.values_list("pk", flat=True)[:7])
    Consensus.objects.filter(pk__in=doubtful).update(share=0.35, votes={"no": 2, "yes": 1})
    run = run_of(labelled)
    assert (run.n_examples, run.n_left_out) == (293, 7)


def test_labels_too_near_to_what_judges_are_put_aside_and_the_runs_page_counts_them(labelled, client, alice):
    [gold, *copies] = add_labelled(labelled, [sentences(400)[-1]] * 9, settled_at=timezone.now())
    make_gold(gold, "yes")
    run = run_of(labelled)
    places = record_places([task.record_id for task in copies])
    n_of_stream = int((places < share_that_judges(TrainingPolicy.objects.get())).sum())
    assert run.n_aside == len(copies) - n_of_stream > 0
    Membership.objects.create(user=alice, campaign=labelled, role=Role.CAMPAIGN_ADMIN)
    client.force_login(alice)
    page = client.get(reverse("training_run", args=[run.pk])).content.decode()
    assert f"; {run.n_aside} put aside, because they are too near to texts that judge models" in page


def test_an_admin_puts_another_model_in_charge_and_it_orders_the_queue(labelled, alice):
    first = run_of(labelled)
    standing = in_charge(labelled.pk)
    other, *_ = first.versions.exclude(pk=standing.pk)
    put_in_charge(other, cause=Promotion.Cause.HAND, now=timezone.now(), by=alice)
    assert ModelVersion.objects.filter(in_charge=True).get() == other
    assert TrailEntry.objects.get(verb="put_in_charge").user == alice
    run = run_of(labelled, Kind.ORDER)
    assert run.versions.count() == 0
    labelled.refresh_from_db()
    assert labelled.ordered_by_run == run.number
    assert set(Prediction.objects.values_list("model_version", flat=True)) == {other.pk}
    assert promotions.returnable(labelled.pk) == standing
    with pytest.raises(Conflict, match="in charge already"):
        put_in_charge(other, cause=Promotion.Cause.HAND, now=timezone.now(), by=alice)
    ModelVersion.objects.filter(pk=standing.pk).update(path="")
    assert promotions.returnable(labelled.pk) is None
    with pytest.raises(Conflict, match="no longer kept"):
        put_in_charge(
            ModelVersion.objects.get(pk=standing.pk), cause=Promotion.Cause.HAND, now=timezone.now(), by=alice
        )


def by_page(client, campaign, acquisition) -> None:
    page = reverse("training_policy", args=[campaign.pk])
    form = client.get(page).context["form"]
    shown = {name: form[name].value() for name in form.fields}
    client.post(page, shown | {"acquisition": acquisition})


def by_api(client, campaign, acquisition) -> None:
    api = f"/api/v1/campaigns/{campaign.pk}/policy/"
    client.patch(api, {"acquisition": acquisition}, content_type="application/json")


@pytest.mark.parametrize("change", [by_page, by_api])
def test_another_way_to_choose_orders_the_queue_anew(labelled, alice, client, change):
    run_of(labelled)
    before = queue_of(labelled)
    Membership.objects.create(user=alice, campaign=labelled, role=Role.CAMPAIGN_ADMIN)
    client.force_login(alice)
    change(client, labelled, "margin")
    assert not TrainingRun.objects.open().exists(), "it was chosen that way before"
    change(client, labelled, "random")
    run = TrainingRun.objects.open().get()
    assert run.kind == Kind.ORDER
    assert execute_run(run.pk)
    labelled.refresh_from_db()
    assert labelled.ordered_by_run == run.number
    assert sorted(queue_of(labelled)) == sorted(before)
    assert queue_of(labelled) != before
    runs.open_wanted_orders(now=timezone.now())
    assert not TrainingRun.objects.open().exists(), "once"


@pytest.fixture
def of_two_encoders(labelled, tmp_path):
    """Two models on vectors, each of an encoder of its own; the later one is in charge. And its encoder."""
    folder = tmp_path / "other"
    folder.mkdir()
    save_tiny_bert(folder, WORDS, width=48)
    first = run_of(labelled).versions.get(family="embedding")
    if in_charge(labelled.pk) != first:
        put_in_charge(first, cause=Promotion.Cause.HAND, now=timezone.now())
    change_policy(runs.policy_of(labelled), by=None, now=timezone.now(), base_model=str(folder))
    second = run_of(labelled).versions.get(family="embedding")
    for version in (first, second):  # whichever the gate had chosen
        if in_charge(labelled.pk) != version:
            put_in_charge(version, cause=Promotion.Cause.HAND, now=timezone.now())
    run_of(labelled, Kind.ORDER)
    assert vectors_are_of(second)
    return first, second, folder


def vectors_are_of(version) -> bool:
    encoders = set(Embedding.objects.values_list("encoder", flat=True))
    return encoders == {version.lineage["base_model_sha256"][:16]}


def test_a_model_of_another_encoder_reads_all_texts_with_its_own_and_orders_the_queue(
    labelled, of_two_encoders
):
    first, second, _ = of_two_encoders
    put_in_charge(first, cause=Promotion.Cause.HAND, now=timezone.now())
    assert campaigns_to_read() == [labelled.pk]
    order = run_of(labelled, Kind.ORDER)
    assert vectors_are_of(first)
    assert campaigns_to_read() == [], "what was read stays, though the next models learn from another encoder"
    labelled.refresh_from_db()
    assert labelled.ordered_by_run == order.number
    assert set(Prediction.objects.values_list("model_version", flat=True)) == {first.pk}
    again = run_of(labelled)
    learned = again.versions.get(family="embedding")
    assert learned.lineage["base_model_sha256"] == second.lineage["base_model_sha256"]
    codes = [check["code"] for check in again.verdict["checks"]]
    assert "incomparable" not in codes, "the model in charge could still answer"


def test_a_model_whose_encoder_is_gone_cannot_take_charge_again_and_it_is_said_beforehand(
    labelled, of_two_encoders, client, alice
):
    first, second, folder = of_two_encoders
    put_in_charge(first, cause=Promotion.Cause.HAND, now=timezone.now())
    assert promotions.returnable(labelled.pk) == second
    shutil.rmtree(folder)
    assert promotions.returnable(labelled.pk) is None
    Membership.objects.create(user=alice, campaign=labelled, role=Role.CAMPAIGN_ADMIN)
    client.force_login(alice)
    words = (
        f"v{second.number} can't take charge again. The encoder whose vectors this model takes is no longer"
    )
    dashboard, run = reverse("campaign_dashboard", args=[labelled.pk]), second.run_id
    page = client.get(dashboard).content.decode()
    assert words in html.unescape(page)
    assert reverse("model_charge", args=[labelled.pk, second.pk]) not in page
    assert "its encoder is gone" in client.get(reverse("training_run", args=[run])).content.decode()
    models = f"/api/v1/campaigns/{labelled.pk}/models/"
    reply = client.post(f"{models}{second.pk}/charge/", {}, content_type="application/json")
    assert (reply.status_code, reply.json()["code"]) == (409, "encoder_gone")
    shown = client.get(models).json()
    kept = {one["number"]: one["is_kept"] for one in shown["results"]}
    assert (shown["previous"], kept[second.number], kept[first.number]) == (None, False, True)
    assert in_charge(labelled.pk) == first


def test_a_model_whose_files_were_let_go_since_it_was_looked_at_takes_no_charge(labelled):
    first = run_of(labelled)
    other, *_ = first.versions.filter(in_charge=False)
    ModelVersion.objects.filter(pk=other.pk).update(path="")
    with pytest.raises(Conflict, match="no longer kept"):
        put_in_charge(other, cause=Promotion.Cause.HAND, now=timezone.now())
    assert in_charge(labelled.pk) != other


def test_a_model_that_is_just_put_in_charge_keeps_its_files(labelled):
    other = run_of(labelled).versions.filter(in_charge=False).first()
    now = timezone.now()
    later = TrainingRun.objects.create(campaign=labelled, number=2, opened_at=now, state="succeeded")
    ModelVersion.objects.create(
        campaign=labelled, run=later, number=9, path="/nowhere", sha256="0" * 64, label_keys=["no", "yes"]
    )
    assert other in runs.superseded_models(labelled.pk)
    ended = threading.Thread(target=lambda: (tidy(labelled.pk), connection.close()))
    with transaction.atomic():
        put_in_charge(other, cause=Promotion.Cause.HAND, now=now)
        ended.start()
        wait_until_somebody_waits_for_a_lock()
    ended.join()
    other.refresh_from_db()
    assert other.in_charge and promotions.has_files(other)


def test_a_verdict_about_a_model_that_is_not_in_charge_any_more_is_found_anew(labelled, monkeypatch):
    first = run_of(labelled)
    standing = in_charge(labelled.pk)
    other, *_ = first.versions.exclude(pk=standing.pk)
    compared, real = [], gate.verdict

    def meddle(challenger, incumbent, **options):
        compared.append(in_charge(labelled.pk).number)
        if len(compared) == 1:
            put_in_charge(other, cause=Promotion.Cause.HAND, now=timezone.now())
        found = real(challenger, incumbent, **options)
        object.__setattr__(found, "promoted", True)
        return found

    monkeypatch.setattr(gate, "verdict", meddle)
    second = run_of(labelled)
    assert compared == [standing.number, other.number]
    assert second.verdict["instead_of"] == other.number
    assert [one.previous for one in Promotion.objects.all()] == [other, standing, None]


@pytest.fixture
def fallen(labelled):
    """Of two models that had charge, the later one is contradicted by the volunteers on the random stream."""
    TrainingPolicy.objects.update(exploration_share=0.9)
    run = run_of(labelled)
    standing = in_charge(labelled.pk)
    other, *_ = run.versions.exclude(pk=standing.pk)
    put_in_charge(other, cause=Promotion.Cause.HAND, now=timezone.now())
    run_of(labelled, Kind.ORDER)
    return standing, other


def answer(campaign, *, rightly: bool) -> None:
    """Volunteers settle the stream's tasks, as the model in charge sees them or otherwise."""
    for prediction in Prediction.objects.filter(explored=True).select_related("model_version"):
        keys = prediction.model_version.label_keys
        best = keys[prediction.probabilities.index(max(prediction.probabilities))]
        label = best if rightly else {"yes": "no", "no": "yes"}[best]
        Consensus.objects.create(
            task_id=prediction.task_id, campaign=campaign, method="majority", label=label,
            value={"label": label}, share=1.0, votes={label: 2}, n_answers=2,
            settled_at=timezone.now() + timedelta(seconds=1),
        )  # fmt: skip


def test_a_model_that_volunteers_contradict_goes_back_by_itself_once(labelled, fallen):
    standing, other = fallen
    answer(labelled, rightly=False)
    tick()
    assert in_charge(labelled.pk) == standing
    promotion = Promotion.objects.first()
    assert (promotion.cause, promotion.previous, promotion.by) == (Promotion.Cause.GUARD, other, None)
    assert TrainingRun.objects.open().get().kind == Kind.ORDER
    assert return_where_agreement_fell(now=timezone.now()) == [], "two models do not take turns"


def test_a_model_that_somebody_replaces_meanwhile_is_left_to_them(labelled, fallen):
    standing, _ = fallen
    answer(labelled, rightly=False)
    looked = []
    guard = threading.Thread(
        target=lambda: (looked.append(return_where_agreement_fell(now=timezone.now())), connection.close())
    )
    with transaction.atomic():
        put_in_charge(standing, cause=Promotion.Cause.HAND, now=timezone.now())
        guard.start()
        wait_until_somebody_waits_for_a_lock()
    guard.join()
    assert looked == [[]]
    assert Promotion.objects.first().cause == Promotion.Cause.HAND


def test_a_model_that_volunteers_agree_with_stays(labelled, fallen):
    answer(labelled, rightly=True)
    tick()
    assert in_charge(labelled.pk) == fallen[1]
