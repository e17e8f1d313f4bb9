import json
import re
from datetime import timedelta

import numpy as np
import pytest
from django.urls import reverse
from django.utils import timezone

from annotation.models import Campaign, Membership, Record, Role, TrailEntry
from tests.factories import NOW, make_campaign, make_tasks, make_text
from training.algorithms.examples import Relation, Span
from training.algorithms.metrics import evaluate
from training.algorithms.metrics_of_marks import evaluate_relations
from training.models import (
    AdaptedEncoder,
    ModelVersion,
    Prediction,
    StreamRound,
    TrainingPolicy,
    TrainingRun,
)
from training.services.run_report import best_family_words

pytestmark = pytest.mark.django_db
HISTORY = [
    {"epoch": 1, "step": 3, "train_loss": 1.0, "validation_loss": 0.9, "validation_accuracy": 0.5},
    {"epoch": 2, "step": 6, "train_loss": 0.7, "validation_loss": 0.8, "validation_accuracy": 0.6},
]


@pytest.fixture
def campaign(alice):
    campaign = make_campaign()
    Membership.objects.create(user=alice, campaign=campaign, role=Role.CAMPAIGN_ADMIN)
    return campaign


def make_run(campaign, number=1, **fields) -> TrainingRun:
    return TrainingRun.objects.create(
        campaign=campaign, number=number, opened_at=NOW + timedelta(hours=number), **fields
    )


def make_version(campaign, number: int, *, right: float, in_charge: bool = False) -> ModelVersion:
    """A model that is right on `right` of 20 test texts of two labels."""
    at = NOW + timedelta(hours=number)
    run = make_run(
        campaign,
        number,
        state="succeeded",
        n_examples=50 * number,
        snapshot_at=at,
        minutes_spent=8.5 * number,
    )
    truth = np.arange(20) % 2
    predicted = np.where(np.arange(20) < 20 * right, truth, 1 - truth)
    metrics = {"test": evaluate(truth, np.eye(2)[predicted])}
    return ModelVersion.objects.create(
        campaign=campaign, run=run, number=number, path="x", sha256="0" * 64, label_keys=["yes", "no"],
        metrics=metrics, in_charge=in_charge,
    )  # fmt: skip


def verdict(number: int, *, instead_of: int | None, gain: float, promoted: bool = True) -> dict:
    check = {"code": "f1", "passed": promoted, "sentence": "Its F1 is 90.0 on 20 texts.", "value": -gain}
    return {
        "promoted": promoted, "checks": [check], "version": number, "instead_of": instead_of, "n_judged": 20,
        "n_gold": 7,
    }  # fmt: skip


def dashboard(client, campaign) -> str:
    return client.get(reverse("campaign_dashboard", args=[campaign.pk])).content.decode()


def test_a_run_belongs_to_its_campaigns_admins(client, campaign, bob):
    run = make_run(campaign)
    client.force_login(bob)
    assert client.get(reverse("training_run", args=[run.pk])).status_code == 404


def test_a_running_run_shows_how_far_it_is_and_looks_again_by_itself(client, alice, campaign):
    run = make_run(campaign, state="running", stage="training", share_done=0.37, history=HISTORY)
    client.force_login(alice)
    html = client.get(reverse("training_run", args=[run.pk])).content.decode()
    assert 'data-live="2"' in html
    assert 'value="0.3700"' in html
    assert "Learning from it" in html
    assert '"validation_loss"' not in html
    assert '"values": [1.0, 0.7]' in html


def test_each_turn_has_lines_of_its_own_and_the_last_that_learns_from_all_says_so(client, alice, campaign):
    turns = [point | {"seed": seed} for seed in (7, 8) for point in HISTORY]
    turns += [point | {"seed": 9, "validation_loss": None} for point in HISTORY]
    run = make_run(campaign, state="succeeded", history=turns)
    client.force_login(alice)
    html = client.get(reverse("training_run", args=[run.pk])).content.decode()
    assert '"1 (turn 1)", "2 (turn 1)", "1 (turn 2)", "2 (turn 2)", "1 (all texts)", "2 (all texts)"' in html
    assert '"begins": [0, 2, 4]' in html
    assert "which learns from all of them" in html
    assert "started again" not in html

    again = [point | {"seed": 10, "train_loss": point["train_loss"] / 2} for point in turns[-2:]]
    TrainingRun.objects.update(history=[*turns, *again])
    html = client.get(reverse("training_run", args=[run.pk])).content.decode()
    assert '"2 (all texts)", "1 (all texts, start 2)", "2 (all texts, start 2)"' in html
    assert '"begins": [0, 2, 4, 6]' in html
    assert "the start that learned most is kept (“all texts, start 2”)" in html


def test_of_relations_the_loss_of_both_encoders_is_shown_by_name(client, alice, campaign):
    history = [{"encoder": name} | point for name in ("spans", "pairs") for point in HISTORY]
    run = make_run(campaign, state="succeeded", history=history)
    client.force_login(alice)
    html = client.get(reverse("training_run", args=[run.pk])).content.decode()
    assert html.index("learned to mark</h2>") < html.index("learned to relate marks</h2>")
    assert ("Loss in marking as a table" in html, "Loss in relating as a table" in html) == (True, True)
    assert html.count('"values": [1.0, 0.7]') == 2
    assert ('id="chart-loss-spans"' in html, 'id="chart-loss-pairs"' in html) == (True, True)


def test_the_settings_of_a_run_are_shown_without_a_place_on_the_server(client, alice, campaign):
    run = make_run(campaign, config={"base_model_path": "/srv/secret/bert", "seed": 17})
    client.force_login(alice)
    assert client.get(f"/api/v1/runs/{run.pk}/").json()["config"] == {"seed": 17}
    html = client.get(reverse("training_run", args=[run.pk])).content.decode()
    assert "<dt>seed</dt><dd>17</dd>" in html
    assert "/srv/secret" not in html


def test_a_failed_run_says_why_and_stands_still(client, alice, campaign):
    run = make_run(campaign, state="failed", failure="The disk is full.", failure_code="disk_full")
    client.force_login(alice)
    html = client.get(reverse("training_run", args=[run.pk])).content.decode()
    assert "The disk is full." in html
    assert "data-live" not in html
    assert "Training run 1 failed" in dashboard(client, campaign)


def test_a_finished_run_shows_its_confusion_by_label_names(client, alice, campaign):
    version = make_version(campaign, 1, right=0.9, in_charge=True)
    client.force_login(alice)
    response = client.get(reverse("training_run", args=[version.run_id]))
    assert response.context["confusion"][0]["name"] == "Yes"
    assert [cell["n"] for cell in response.context["confusion"][0]["cells"]] == [9, 1]
    assert [cell["shade"] for cell in response.context["confusion"][0]["cells"]] == [5, 1]
    assert "0.900" in response.content.decode()


def test_the_dashboard_compares_the_model_in_charge_with_the_one_before(client, alice, campaign):
    make_version(campaign, 1, right=0.8)
    make_version(campaign, 2, right=0.9, in_charge=True)
    client.force_login(alice)
    run = TrainingRun.objects.get(number=2)
    run.verdict = verdict(2, instead_of=1, gain=0.1)
    run.save()
    html = dashboard(client, campaign)
    assert '<p class="figure">v2</p>' in html
    assert re.search(r"0\.90 on 20 texts, \+0\.10 over v1", html)
    assert '"labels": ["50", "100"]' in html
    assert '"at": [50, 100]' in html


def test_the_queue_names_the_model_that_ordered_it_also_after_runs_that_made_none(client, alice, campaign):
    make_run(campaign, 1, state="failed", failure="The disk is full.", failure_code="disk_full")
    version = make_version(campaign, 2, right=0.9, in_charge=True)
    ModelVersion.objects.filter(pk=version.pk).update(number=1)
    ModelVersion.objects.filter(pk=version.pk).update(ordered_at=NOW)
    campaign.ordered_by_run = 2  # the run's number
    campaign.save(update_fields=["ordered_by_run"])
    client.force_login(alice)
    assert "ordered by v1," in dashboard(client, campaign)


def test_the_queues_head_tells_what_the_model_thinks_and_what_is_random(client, alice, campaign):
    version = make_version(campaign, 1, right=0.9, in_charge=True)
    first, second, _ = make_tasks(campaign, 3)
    for task, explored in ((first, False), (second, True)):
        Prediction.objects.create(
            task=task, model_version=version, version_number=1, probabilities=[0.4, 0.6], explored=explored
        )
    client.force_login(alice)
    html = dashboard(client, campaign)
    assert "No 0.60 / Yes 0.40" in html
    assert '<td class="num">random<' in html
    assert '<td class="num">not read yet<' in html


@pytest.mark.parametrize(
    ("forward", "tuned", "plain", "words"),
    [
        (2, 0.9, 0.8, ""),
        (1, 0.7, 0.9, "put forward: 0.700 against 0.900 on the texts that judge."),
        (1, 0.9, 0.8, "0.900 against 0.800 on the texts that judge; these are few"),
        (None, 0.7, 0.9, ""),
    ],
)
def test_a_runs_page_says_why_a_plainer_model_was_put_forward(campaign, forward, tuned, plain, words):
    versions = [make_version(campaign, 1, right=plain), make_version(campaign, 2, right=tuned)]
    for version, family, f1 in zip(versions, ("tfidf", "encoder"), (plain, tuned), strict=True):
        version.family, version.metrics = family, {"test": {"macro_f1": f1}}
    run = TrainingRun(verdict=forward and {"version": forward})
    said = best_family_words(run, versions)
    assert bool(said) == bool(words) and words in said


def test_starting_too_early_says_what_is_missing(client, alice, campaign):
    client.force_login(alice)
    html = client.post(reverse("training_start", args=[campaign.pk]), follow=True).content.decode()
    assert "There are 0 consensus labels so far; a model needs at least 10." in html
    assert not TrainingRun.objects.exists()


def test_the_policy_is_given_in_minutes_and_per_cent(client, alice, campaign):
    client.force_login(alice)
    sent = {
        "enabled": "on",
        "min_new_labels": 50,
        "min_interval_minutes": 5,
        "acquisition": "entropy",
        "exploration_percent": 30,
        "gold_percent": 50,
        "refit_labels": 25,
    }
    client.post(reverse("training_policy", args=[campaign.pk]), sent)
    policy = TrainingPolicy.objects.get(campaign=campaign)
    assert (policy.min_interval_seconds, policy.acquisition, policy.refit_labels) == (300, "entropy", 25)
    assert (policy.exploration_share, policy.gold_share) == (0.3, 0.5)


def test_a_system_admins_change_of_a_policy_is_noted_and_followed_as_a_campaign_admins_is(
    client, alice, campaign
):
    Membership.objects.create(user=alice, role=Role.SYSTEM_ADMIN)
    TrainingPolicy.objects.create(campaign=campaign)
    make_version(campaign, 1, right=0.9, in_charge=True)
    client.force_login(alice)
    page = reverse("admin:training_trainingpolicy_change", args=[campaign.pk])
    form = client.get(page).context["adminform"].form
    shown = {name: form[name].value() for name in form.fields}
    assert client.post(page, shown | {"acquisition": "entropy"}).status_code == 302
    policy = TrainingPolicy.objects.get(campaign=campaign)
    assert policy.acquisition == "entropy"
    assert policy.order_wanted_at is not None
    entry = TrailEntry.objects.get(verb="change_policy")
    assert (entry.user, entry.detail) == (alice, {"fields": ["acquisition"]})


def test_a_campaign_asks_enough_records_at_random_to_judge_models_on(client, alice, campaign):
    client.force_login(alice)
    page, api = reverse("training_policy", args=[campaign.pk]), f"/api/v1/campaigns/{campaign.pk}/policy/"
    words = "At least 5 percent: models are judged on records that are asked at random."
    assert words in client.post(page, {"exploration_percent": 4}).content.decode()
    reply = client.patch(api, {"exploration_share": 0.04}, content_type="application/json")
    assert (reply.status_code, words in reply.content.decode()) == (400, True)
    assert client.patch(api, {"exploration_share": 0.05}, content_type="application/json").status_code == 200


def test_texts_can_be_read_first_and_fine_tuning_may_start_from_what_read_them(client, alice, campaign):
    client.force_login(alice)
    page = reverse("training_policy", args=[campaign.pk])
    assert "adapts_encoder" not in client.get(page).content.decode()
    answer = client.post(reverse("training_read_texts", args=[campaign.pk]))
    run = TrainingRun.objects.get(campaign=campaign)
    assert (answer.url, run.kind) == (reverse("training_run", args=[run.pk]), "pretrain")

    run.state, run.history, run.n_examples = "succeeded", HISTORY, 1234
    run.save()
    AdaptedEncoder.objects.create(
        campaign=campaign, run=run, path="x", sha256="0" * 64, base_sha256="1" * 64, n_texts=1234,
        created_at=NOW,
    )  # fmt: skip
    html = client.get(answer.url).content.decode()
    assert "about hidden words" in html
    assert "1,234, each once" in html
    assert "read 1,234 texts" in client.get(page).content.decode()
    sent = {
        "min_new_labels": 50, "min_interval_minutes": 5, "acquisition": "margin", "exploration_percent": 20,
        "gold_percent": 100, "refit_labels": 50, "adapts_encoder": "on",
    }  # fmt: skip
    client.post(page, sent)
    assert TrainingPolicy.objects.get(campaign=campaign).adapts_encoder


def test_a_base_model_is_chosen_among_those_that_the_site_offers(client, alice, campaign, settings, tmp_path):
    (tmp_path / "bert").mkdir()
    (tmp_path / "bert" / "config.json").write_text("{}")
    settings.BASE_MODELS_DIR = tmp_path
    client.force_login(alice)
    page = reverse("training_policy", args=[campaign.pk])
    sent = {
        "min_new_labels": 50,
        "min_interval_minutes": 5,
        "acquisition": "margin",
        "exploration_percent": 20,
        "gold_percent": 100,
        "refit_labels": 50,
    }
    html = client.get(page).content.decode()
    assert '<option value="bert">bert</option>' in html
    html = client.post(page, sent | {"base_model": str(tmp_path / "bert")}).content.decode()
    assert "is not one of the available choices" in html
    assert TrainingPolicy.objects.get(campaign=campaign).base_model == ""
    client.post(page, sent | {"base_model": "bert"})
    assert TrainingPolicy.objects.get(campaign=campaign).base_model == "bert"


def test_the_api_refuses_a_base_model_that_the_site_does_not_offer(client, alice, campaign):
    client.force_login(alice)
    url = f"/api/v1/campaigns/{campaign.pk}/policy/"
    reply = client.patch(url, {"base_model": "/srv/models/bert"}, content_type="application/json")
    assert (reply.status_code, reply.json()["code"]) == (422, "base_model_not_offered")
    assert TrainingPolicy.objects.get(campaign=campaign).base_model == ""


@pytest.mark.parametrize(("minutes", "words"), [(0, "just now"), (5, "5\N{NO-BREAK SPACE}minutes ago")])
def test_the_dashboard_says_when_the_model_ordered_the_queue(client, alice, campaign, minutes, words):
    version = make_version(campaign, 1, right=0.8, in_charge=True)
    version.ordered_at = timezone.now() - timedelta(minutes=minutes)
    version.save()
    client.force_login(alice)
    assert f"ordered the queue {words}" in dashboard(client, campaign)


def test_a_refused_model_says_so_in_the_gates_words_and_can_be_put_in_charge_by_hand(
    client, alice, campaign, tmp_path
):
    first = make_version(campaign, 1, right=0.9, in_charge=True)
    refused = make_version(campaign, 2, right=0.8)
    ModelVersion.objects.filter(pk=refused.pk).update(path=str(tmp_path))
    said = verdict(2, instead_of=1, gain=-0.1, promoted=False)
    TrainingRun.objects.filter(pk=refused.run_id).update(verdict=said)
    client.force_login(alice)
    page = client.get(reverse("training_run", args=[refused.run_id])).content.decode()
    assert "v2 was not put in charge; v1 stays." in page
    assert "Its F1 is 90.0 on 20 texts." in page
    assert "20 texts that no model learns from, 7 of them gold" in page
    charge = reverse("model_charge", args=[campaign.pk, refused.pk])
    assert f'action="{charge}"' in page
    html = client.post(charge, follow=True).content.decode()
    assert "v2 is in charge. It reads the open tasks next." in html
    assert "Put in charge by hand on" in html
    assert ModelVersion.objects.get(in_charge=True).number == 2
    assert TrainingRun.objects.open().get().kind == TrainingRun.Kind.ORDER
    html = client.post(reverse("model_charge", args=[campaign.pk, first.pk]), follow=True).content.decode()
    assert "The files of this model are no longer kept." in html


def test_the_api_puts_a_kept_model_in_charge_and_goes_back(client, alice, campaign, tmp_path):
    first = make_version(campaign, 1, right=0.9)
    gone = make_version(campaign, 2, right=0.7)
    second = make_version(campaign, 3, right=0.8)
    ModelVersion.objects.filter(pk__in=[first.pk, second.pk]).update(path=str(tmp_path))
    client.force_login(alice)
    url = f"/api/v1/campaigns/{campaign.pk}/models/"

    def put_in_charge(version, body=None) -> tuple[int, str]:
        reply = client.post(f"{url}{version.pk}/charge/", body or {}, content_type="application/json")
        return reply.status_code, reply.json().get("code", "")

    assert put_in_charge(first) == (200, "")
    assert put_in_charge(second) == (200, "")
    assert TrainingRun.objects.open().get().kind == TrainingRun.Kind.ORDER
    shown = client.get(url).json()
    assert [(one["number"], one["in_charge"], one["is_kept"]) for one in shown["results"]] == [
        (3, True, True), (2, False, False), (1, False, True),
    ]  # fmt: skip
    assert shown["previous"] == str(first.pk)
    assert put_in_charge(second) == (409, "in_charge_already")
    assert put_in_charge(gone) == (409, "model_gone")
    assert put_in_charge(first, {"surprise": 1}) == (400, "invalid")
    assert put_in_charge(first) == (200, "")
    assert client.get(url).json()["previous"] == str(second.pk)
    assert ModelVersion.objects.get(in_charge=True) == first
    assert TrailEntry.objects.filter(verb="put_in_charge", user=alice).count() == 3


def test_a_runs_page_draws_calibration_groups_and_the_surest_mistakes(client, alice, campaign):
    version = make_version(campaign, 1, right=0.9, in_charge=True)
    [task] = make_tasks(campaign, 1)
    [held] = make_tasks(campaign, 1)
    Record.objects.filter(tasks=held).update(held=True)
    version.metrics["test"]["reliability"] = [{"n": 20, "confidence": 0.8, "accuracy": 0.9}]
    groups = [{"name": "F", "n": 12, "score": 1.0}, {"name": "M", "n": 8, "score": 0.75}]
    version.metrics["slices"] = [{"column": "sex", "groups": groups, "smallest": "M", "largest_gap": 0.25}]
    wrong = {"right": ["yes"], "found": ["no"], "sureness": 0.97}
    version.metrics["mistakes"] = [{"task": str(one.pk)} | wrong for one in (task, held)]
    version.save()
    client.force_login(alice)
    response = client.get(reverse("training_run", args=[version.run_id]))
    html = response.content.decode()
    assert '"labels": ["80\\u202f%"]' in html
    assert "largest gap 25\N{NARROW NO-BREAK SPACE}%, smallest group M" in html
    assert [one["task_id"] for one in response.context["mistakes"]] == [str(task.pk)]
    [mistake] = response.context["mistakes"]
    assert (mistake["right"], mistake["found"]) == ("Yes", "No")
    entry = TrailEntry.objects.get(verb="read_mistakes")
    assert (entry.user, entry.campaign) == (alice, campaign)
    assert entry.detail == {"version": 1, "tasks": [str(task.pk)]}


def test_a_run_that_goes_on_shows_figures_and_no_text_and_what_shows_no_text_is_no_reading(
    client, alice, campaign
):
    version = make_version(campaign, 1, right=0.9)
    [task] = make_tasks(campaign, 1)
    version.metrics["mistakes"] = [{"task": str(task.pk), "right": ["yes"], "found": ["no"]}]
    version.save()
    client.force_login(alice)
    page = reverse("training_run", args=[version.run_id])
    TrainingRun.objects.update(state="running", stage="scoring")
    html = client.get(page).content.decode()
    assert "0.900" in html
    assert "Where it is surest and wrong" not in html
    TrainingRun.objects.update(state="succeeded")
    Record.objects.update(held=True)
    assert "Where it is surest and wrong" not in client.get(page).content.decode()
    assert not TrailEntry.objects.exists()


def test_the_mistakes_of_a_model_of_relations_are_told_in_the_words_of_the_text(client, alice):
    labels = [{"key": key, "name": name, "hint": "", "role": role} for key, name, role in (
        ("drug", "Drug", "span"), ("sign", "Sign", "span"), ("adr", "causes", "relation"))]  # fmt: skip
    campaign = make_campaign(kind="relations", labels=labels)
    Membership.objects.create(user=alice, campaign=campaign, role=Role.CAMPAIGN_ADMIN)
    task = make_text(campaign, "Aspirin, then a rash.")
    version = make_version(campaign, 1, right=0.9, in_charge=True)
    drug, sign = Span(0, 7, "drug"), Span(16, 20, "sign")
    right, found = [[Relation(drug, sign, "adr")]], [[(Relation(sign, drug, "adr"), 0.7)]]
    figures = evaluate_relations(found, right, ["adr"]) | {"given_spans_f1": 0.625}
    said = {"right": [[[0, 7, "drug"], [16, 20, "sign"], "adr"]], "found": []}
    version.metrics = {"test": figures, "mistakes": [{"task": str(task.pk)} | said]}
    version.label_keys = ["adr"]
    version.save()
    client.force_login(alice)
    response = client.get(reverse("training_run", args=[version.run_id]))
    [mistake] = response.context["mistakes"]
    assert (mistake["right"], mistake["found"]) == ("“Aspirin” causes “rash”", "nothing")
    html = response.content.decode()
    for words in ("relation F1, marks given", "0.625", "relaxed relation F1", "“Aspirin” causes “rash”"):
        assert words in html


def test_for_which_kinds_choosing_is_measured_stands_where_it_is_set_and_on_the_dashboard(
    client, alice, campaign
):
    client.force_login(alice)
    pages = [reverse(name, args=[campaign.pk]) for name in ("training_policy", "campaign_dashboard")]
    for kind, n_measured, n_unmeasured in (
        ("multiple", [1, 0], [0, 0]),
        ("spans", [0, 0], [1, 1]),
        ("text", [0, 0], [0, 0]),
    ):
        Campaign.objects.filter(pk=campaign.pk).update(kind=kind)
        html = [client.get(path).content.decode() for path in pages]
        assert [one.count("it is measured what chosen tasks teach") for one in html] == n_measured
        assert [one.count("is not measured where answers are marks") for one in html] == n_unmeasured


def test_what_chosen_and_drawn_tasks_teach_is_drawn_by_labels_from_the_second_round_on(
    client, alice, campaign
):
    client.force_login(alice)
    for number, n_learned, acquired, drawn in ((1, 1200, 0.8125, 0.75), (2, 600, 0.7, 0.71)):
        assert "chart-gain-lot" not in dashboard(client, campaign), "fewer than two rounds are no curve"
        StreamRound.objects.create(
            run=make_run(campaign, number, state="succeeded"), campaign=campaign, at=NOW, n_learned=n_learned,
            n_judged=400, acquired=acquired, drawn=drawn, deviation=0.01,
        )  # fmt: skip
    html = dashboard(client, campaign)
    drawn = curve_by_lot(html)
    assert drawn["at"] == [600, 1200]
    assert [(one["name"], one["values"]) for one in drawn["series"]] == [
        ("chosen", [0.7, 0.812]), ("drawn at random", [0.71, 0.75]),
    ]  # fmt: skip
    cell = r'<td class="num">([\d.]+)</td>'
    rows = re.findall(rf'<th scope="row">([\d,]+)</th>{cell}{cell}', html)
    assert rows == [("600", "0.7", "0.71"), ("1,200", "0.812", "0.75")]
    assert drawn["y"] == "labels found"
    Campaign.objects.filter(pk=campaign.pk).update(kind="multiple")
    assert curve_by_lot(dashboard(client, campaign))["y"] == "F1 of labels"


def curve_by_lot(html: str) -> dict:
    return json.loads(re.search(r'<script id="chart-gain-lot"[^>]*>(.*?)</script>', html)[1])


def test_where_choosing_was_given_up_the_policy_says_so_and_takes_it_up_again(client, alice, campaign):
    TrainingPolicy.objects.create(campaign=campaign, at_random_since=NOW)
    make_version(campaign, 1, right=0.9, in_charge=True)
    client.force_login(alice)
    page = reverse("training_policy", args=[campaign.pk])
    assert "choosing them taught the model no more over four rounds" in client.get(page).content.decode()
    api = f"/api/v1/campaigns/{campaign.pk}/policy/"
    assert client.get(api).json()["at_random_since"] == "2026-05-04T12:00:00Z"
    client.post(reverse("training_choose_again", args=[campaign.pk]))
    assert TrailEntry.objects.get(verb="choose_again").user == alice
    assert TrainingPolicy.objects.get(campaign=campaign).at_random_since is None
    assert TrainingRun.objects.open().get().kind == "order"
