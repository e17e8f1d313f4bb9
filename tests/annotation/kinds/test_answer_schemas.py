"""A campaign tells programs what an answer looks like, and takes what it says."""

from uuid import uuid4

import pytest
from jsonschema import Draft202012Validator

from tests.annotation.kinds.test_kinds import ANSWERS, LABELS
from tests.factories import make_campaign, make_tasks, make_volunteers

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("kind", LABELS)
def test_an_answer_that_fits_the_campaigns_schema_is_taken(client, alice, kind):
    campaign = make_campaign(kind=kind, labels=LABELS[kind], needed=1)
    make_volunteers(campaign, [alice])
    make_tasks(campaign, 1)
    client.force_login(alice)
    schema = client.get(f"/api/v1/campaigns/{campaign.pk}/").json()["answer_schema"]
    place = client.post(f"/api/v1/campaigns/{campaign.pk}/claim/", {}, content_type="application/json").json()
    answer = ANSWERS[kind][1]
    Draft202012Validator(schema).validate(answer)
    reply = client.post(
        f"/api/v1/assignments/{place['id']}/answer/",
        {"key": str(uuid4()), "answer": answer},
        content_type="application/json",
    )
    assert (reply.status_code, reply.json()) == (200, {"accepted": True, "next": None})
