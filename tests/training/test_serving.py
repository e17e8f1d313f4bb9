"""A prediction through the platform's own processes: web, broker, worker, and Redis going away."""

import os
import time
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np
import pytest
from django_celery_beat.models import IntervalSchedule, PeriodicTask
from knox.models import AuthToken

from annotation.models import Membership, Role
from tests.factories import make_user
from tests.served_models import campaign_of, put_in_charge
from tests.stack import Stack
from training.encoder import predict_proba
from training.models import PredictionJob

pytestmark = [pytest.mark.stack, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def stack(transactional_db):
    PeriodicTask.objects.all().delete()
    every, _ = IntervalSchedule.objects.get_or_create(every=1, period=IntervalSchedule.SECONDS)
    PeriodicTask.objects.create(name="tick", task="training.tasks.tick", interval=every, expire_seconds=5)
    platform = Stack()
    yield platform
    platform.stop()


def get_status(stack: Stack, job_id: str, token: str) -> int:
    request = urllib.request.Request(
        f"http://127.0.0.1:{stack.port}/api/v1/predictions/{job_id}/",
        headers={"Authorization": f"Token {token}"},
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as reply:
            return reply.status
    except urllib.error.HTTPError as error:
        return error.code


def libraries_of(stack: Stack, name: str) -> str:
    """What is mapped by all processes of a program."""
    leader = stack._processes[name].pid
    maps = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if os.getpgid(int(folder.name)) == leader:
                maps.append((folder / "maps").read_text())
        except (OSError, ProcessLookupError):
            continue  # it has just ended
    return "\n".join(maps)


def test_predictions_come_from_a_worker_and_survive_the_loss_of_redis(stack, served):
    alice = make_user("alice")
    campaign = campaign_of("choice")
    put_in_charge(campaign, served("choice"))
    Membership.objects.create(user=alice, campaign=campaign, role=Role.CAMPAIGN_ADMIN)
    token = AuthToken.objects.create(alice)[1]
    path, texts = f"campaigns/{campaign.pk}/predict/", ["a rash", "calm and well"]
    stack.start("web", "worker", "prediction", "beat")
    stack.wait_for(lambda: "ready" in stack.log_of("prediction"), 120)

    status, reply = stack.post(path, token, {"texts": texts})
    if status == 202:  # the worker loads torch and the model for the first one
        stack.wait_for(lambda: get_status(stack, reply["id"], token) == 200, 120)
    began = time.monotonic()
    status, reply = stack.post(path, token, {"texts": texts})
    print(f"the second one took {time.monotonic() - began:.2f} s")
    assert status == 200
    found = [[one["probabilities"][key] for key in ("no", "yes")] for one in reply["predictions"]]
    assert np.array(found) == pytest.approx(predict_proba(served("choice"), texts), abs=1e-4)
    assert "libtorch" in libraries_of(stack, "prediction")
    assert "granian" in libraries_of(stack, "web")
    assert "libtorch" not in libraries_of(stack, "web")

    stack.stop_redis()
    began = time.monotonic()
    status, reply = stack.post(path, token, {"texts": texts})
    assert status == 202
    assert time.monotonic() - began < 20
    stack.start_redis()
    stack.wait_for(lambda: get_status(stack, reply["id"], token) == 200, 120)
    assert [job.texts for job in PredictionJob.objects.all()] == [[], [], []]
    assert all(text not in stack.log_of(name) for text in texts for name in ("web", "prediction"))
