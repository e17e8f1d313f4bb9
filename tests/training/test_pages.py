import re
from datetime import timedelta

import numpy as np
import pytest
from django.urls import reverse
from django.utils import timezone

from annotation.models import Membership, Role
from tests.factories import NOW, make_campaign, make_tasks
from training.algorithms.metrics import evaluate
from training.models import ModelVersion, Prediction, TrainingPolicy, TrainingRun

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
    run = make_run(campaign, number, state="succeeded", n_examples=50 * number)
    truth = np.arange(20) % 2
    predicted = np.where(np.arange(20) < 20 * right, truth, 1 - truth)
    metrics = {"test": evaluate(truth, np.eye(2)[predicted])}
    return ModelVersion.objects.create(
        campaign=campaign, run=run, number=number, path="x", sha256="0" * 64, label_keys=["yes", "no"],
        metrics=metrics, in_charge=in_charge,
    )  # fmt: skip


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
    html = dashboard(client, campaign)
    assert '<p class="figure">v2</p>' in html
    assert re.search(r"0\.90 on 20 texts, <span class=\"good\">\+0\.10</span>", html)
    assert "the latest on 20, the one before on 20" in html
    assert '"labels": ["50", "100"]' in html


def test_the_queue_names_the_model_that_ordered_it_also_after_runs_that_made_none(client, alice, campaign):
    make_run(campaign, 1, state="failed", failure="The disk is full.", failure_code="disk_full")
    version = make_version(campaign, 2, right=0.9, in_charge=True)
    ModelVersion.objects.filter(pk=version.pk).update(number=1)
    campaign.ordered_by_version = 2  # the run's number
    campaign.save(update_fields=["ordered_by_version"])
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
    }
    client.post(reverse("training_policy", args=[campaign.pk]), sent)
    policy = TrainingPolicy.objects.get(campaign=campaign)
    assert (policy.min_interval_seconds, policy.exploration_share, policy.acquisition) == (
        300,
        0.3,
        "entropy",
    )


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
