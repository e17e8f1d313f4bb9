"""Which base models a campaign admin may choose, and how no choice leads out of the operator's folder."""

import shutil

import pytest

from annotation.errors import Invalid
from tests.factories import NOW
from training.config import FineTuneConfig
from training.models import TrainingPolicy, TrainingRun
from training.services.base_models import base_model_choices, folder_of, offered_models
from training.services.execution import config_of
from training.services.policies import change_policy

pytestmark = pytest.mark.django_db


@pytest.fixture
def shelf(settings, tmp_path):
    """The operator's folder with two models in it, and a model beside it."""
    for name in ("shelf/clinical-bert", "shelf/hospital/own-bert", "elsewhere/private-bert"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "config.json").write_text("{}")
    (tmp_path / "shelf" / "empty").mkdir()
    (tmp_path / "shelf" / "clinical-bert" / "1_Pooling").mkdir()
    (tmp_path / "shelf" / "clinical-bert" / "1_Pooling" / "config.json").write_text("{}")
    settings.BASE_MODELS_DIR = tmp_path / "shelf"
    return tmp_path / "shelf"


@pytest.fixture
def policy(campaign):
    return TrainingPolicy.objects.get(campaign=campaign)


def refusal_of(policy, base_model, *, by) -> Invalid:
    standing = policy.base_model
    with pytest.raises(Invalid) as caught:
        change_policy(policy, by=by, now=NOW, base_model=base_model)
    policy.refresh_from_db()
    assert policy.base_model == standing
    return caught.value


def test_the_models_of_the_operators_folder_are_offered_by_name(shelf):
    assert offered_models() == ["clinical-bert", "hospital/own-bert"]


def test_an_admin_chooses_an_offered_model_and_runs_train_from_its_folder(shelf, policy, alice):
    change_policy(policy, by=alice, now=NOW, base_model="hospital/own-bert")
    config = config_of(TrainingRun(campaign=policy.campaign))
    assert config == FineTuneConfig(base_model_path=str(shelf / "hospital" / "own-bert"))


@pytest.mark.parametrize(
    "typed",
    [
        "../elsewhere/private-bert",
        "clinical-bert/../../elsewhere/private-bert",
        "{root}/elsewhere/private-bert",
        "{root}/shelf/clinical-bert",
        "link",
        "empty",
        "clinical-bert/1_Pooling",
        "no-such-bert",
        "/",
        ".",
    ],
)
def test_an_admin_can_name_nothing_else_on_the_server(shelf, policy, alice, typed):
    (shelf / "link").symlink_to(shelf.parent / "elsewhere" / "private-bert")
    refused = refusal_of(policy, typed.format(root=shelf.parent), by=alice)
    assert refused.code == "base_model_not_offered"
    assert refused.sentence == (
        "This site does not offer that base model. It offers: clinical-bert, hospital/own-bert."
    )


def test_a_site_that_offers_no_model_has_its_own_alone(settings, policy, alice):
    settings.BASE_MODELS_DIR = None
    assert refusal_of(policy, "clinical-bert", by=alice).code == "base_model_not_offered"
    change_policy(policy, by=alice, now=NOW, base_model="")
    assert TrainingPolicy.objects.get(pk=policy.pk).base_model == ""


def test_the_operator_may_name_any_folder_that_holds_a_model(shelf, policy, alice):
    anywhere = str(shelf.parent / "elsewhere" / "private-bert")
    assert refusal_of(policy, str(shelf / "empty"), by=None).code == "base_model_missing"
    assert refusal_of(policy, "elsewhere/private-bert", by=None).code == "base_model_missing"
    change_policy(policy, by=None, now=NOW, base_model=anywhere)
    assert folder_of(policy.base_model) == anywhere
    # A page sends all its fields.
    change_policy(policy, by=alice, now=NOW, base_model=anywhere, min_new_labels=50)
    assert (anywhere, "set by the operator") in base_model_choices(policy.base_model)


def test_a_link_that_leads_out_later_is_refused_when_the_run_begins(shelf, policy, alice):
    change_policy(policy, by=alice, now=NOW, base_model="clinical-bert")
    shutil.rmtree(shelf / "clinical-bert")
    (shelf / "clinical-bert").symlink_to(shelf.parent / "elsewhere" / "private-bert")
    with pytest.raises(Invalid) as caught:
        folder_of(policy.base_model)
    assert caught.value.code == "base_model_not_offered"
