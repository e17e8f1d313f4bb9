"""Runs on the tiny encoder: real training, in a second."""

# Models can be imported once Django is set up, which is after pytest has read this file.
import pytest

from tests.tiny_bert import save_tiny_bert


@pytest.fixture(scope="session")
def tiny_bert(tmp_path_factory):
    from tests.labelled import WORDS

    return save_tiny_bert(tmp_path_factory.mktemp("tiny-bert"), WORDS)


@pytest.fixture(autouse=True)
def model_dir(settings, tmp_path):
    settings.MODEL_DIR = tmp_path / "models"
    return settings.MODEL_DIR


@pytest.fixture
def campaign(db, tiny_bert):
    from tests.factories import make_campaign
    from tests.labelled import YES_NO
    from training.models import TrainingPolicy

    campaign = make_campaign(labels=YES_NO, needed=2)
    TrainingPolicy.objects.create(
        campaign=campaign, min_new_labels=10, min_interval_seconds=60, base_model=str(tiny_bert)
    )
    return campaign
