"""A campaign with everybody in it and a little work done, and another campaign with its own people.

For tests that ask what each role gets: `volunteer` holds a place, `fellow` is another volunteer of the same
campaign, `other_…` belong to the other one.
"""

from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import numpy as np
from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.test import Client
from django.utils import timezone

from annotation.models import Consensus, Import, Membership, MicroTask, Role, User
from annotation.services.answers import submit_answer
from annotation.services.handout import claim_task
from annotation.services.held_records import read_held_records
from annotation.services.joining import invite
from tests.factories import NOW, PASSWORD, make_campaign, make_tasks, make_users, make_volunteers
from training.algorithms.metrics import evaluate
from training.models import ModelVersion, PredictionJob, TrainingPolicy, TrainingRun

ROLES = [
    "anonymous", "volunteer", "fellow", "other_volunteer", "reviewer", "campaign_admin", "other_admin",
    "system_admin",
]  # fmt: skip


def people_with_passwords(n: int) -> list[User]:
    password, people = make_password(PASSWORD), make_users(n)
    for user in people:
        user.password = password
    User.objects.bulk_update(people, ["password"])
    return people


class World:
    def __init__(self):
        names = [role for role in ROLES if role != "anonymous"]
        self.users = dict(zip(names, people_with_passwords(len(names)), strict=True))
        self.campaign, other = make_campaign(needed=2), make_campaign(name="Another")
        for campaign in (self.campaign, other):
            make_tasks(campaign, 12)
        [held] = make_tasks(self.campaign, 1, held=True)
        self.held_record = held.record_id
        self._give_roles(other)
        self._work_a_little()

    def _give_roles(self, other):
        self.volunteers = make_volunteers(self.campaign, [self.users["volunteer"], self.users["fellow"]])
        make_volunteers(other, [self.users["other_volunteer"]])
        for role, campaign, name in [
            (Role.VOLUNTEER, self.campaign, "volunteer"),
            (Role.VOLUNTEER, self.campaign, "fellow"),
            (Role.VOLUNTEER, other, "other_volunteer"),
            (Role.REVIEWER, self.campaign, "reviewer"),
            (Role.CAMPAIGN_ADMIN, self.campaign, "campaign_admin"),
            (Role.CAMPAIGN_ADMIN, other, "other_admin"),
            (Role.CAMPAIGN_ADMIN, None, "campaign_admin"),
            (Role.CAMPAIGN_ADMIN, None, "other_admin"),
            (Role.SYSTEM_ADMIN, None, "system_admin"),
        ]:
            Membership.objects.create(user=self.users[name], campaign=campaign, role=role)

    def _work_a_little(self):
        volunteer, admin_user = self.users["volunteer"], self.users["campaign_admin"]
        now = timezone.now()
        answered = claim_task(self.campaign.pk, volunteer, now=now)
        submit_answer(answered.assignment_id, volunteer, {"label": "yes"}, key=uuid4(), now=now)
        held = claim_task(self.campaign.pk, volunteer, now=now)
        self.answered, self.held = answered.assignment_id, held.assignment_id
        self.answered_task = answered.task_id
        tasks = MicroTask.objects.filter(campaign=self.campaign, consensus=None)[:11]
        Consensus.objects.bulk_create(
            Consensus(task=task, campaign=self.campaign, method="majority", label="yes", share=1,
                      value={"label": "yes"}, votes={"yes": 2}, n_answers=2, settled_at=NOW)
            for task in tasks
        )  # fmt: skip
        TrainingPolicy.objects.create(campaign=self.campaign)
        self.run = TrainingRun.objects.create(
            campaign=self.campaign, number=1, opened_at=NOW, state=TrainingRun.State.FAILED
        )
        kept = Path(settings.MODEL_DIR) / "world"  # its files are there, so it can take charge
        kept.mkdir(parents=True, exist_ok=True)
        self.version = ModelVersion.objects.create(
            campaign=self.campaign, run=self.run, number=1, sha256="0" * 64, label_keys=["yes", "no"],
            path=str(kept),
            metrics={"test": evaluate(np.array([0, 1]), np.eye(2))},
        )  # fmt: skip
        self._put_a_model_in_charge(admin_user)
        self.batch = Import.objects.create(
            campaign=self.campaign, file_name="a.csv", path="nowhere", deidentified=True,
            state=Import.State.DONE,
        )  # fmt: skip
        for role in ("campaign_admin", "reviewer"):
            read_held_records(self.campaign, by=self.users[role])
        self.invitation = invite(
            self.campaign, Role.VOLUNTEER, by=admin_user, max_uses=9, valid=timedelta(days=1), now=now
        )

    def _put_a_model_in_charge(self, admin_user):
        """With somebody's question to it that no worker has answered yet."""
        run = TrainingRun.objects.create(
            campaign=self.campaign, number=2, opened_at=NOW, state=TrainingRun.State.SUCCEEDED
        )
        version = ModelVersion.objects.create(
            campaign=self.campaign, run=run, number=2, path="nowhere", in_charge=True,
            label_keys=["yes", "no", "unclear"],
            metrics={"test": evaluate(np.array([0, 1, 2, 0]), np.eye(3)[[0, 1, 2, 1]])},
        )  # fmt: skip
        self.job = PredictionJob.objects.create(
            campaign=self.campaign, asked_by=admin_user, model_version=version, texts=[["No rash."]],
            asked_at=timezone.now(),
        )  # fmt: skip

    def sessions(self) -> dict[str, str]:
        """A session cookie for each role: a request may end the session, so each gets a new client."""
        cookies = {"anonymous": ""}
        for role, user in self.users.items():
            client = Client()
            client.force_login(user, backend="hc_platform.sessions.AccountBackend")
            cookies[role] = client.cookies["sessionid"].value
        return cookies

    @property
    def ids(self) -> dict:
        """What stands in the campaign's addresses."""
        return {
            "campaign_id": self.campaign.pk, "assignment_id": self.held, "import_id": self.batch.pk,
            "volunteer_id": self.volunteers[0].pk, "record_id": self.held_record,
            "task_id": self.answered_task, "run_id": self.run.pk, "version_id": self.version.pk,
            "job_id": self.job.pk,
            "token": self.invitation, "file_format": "csv",
        }  # fmt: skip
