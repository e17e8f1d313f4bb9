"""The API against its own schema: whatever is sent, the reply is one that the schema promises, and no 500."""

from collections import Counter

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.db import close_old_connections, transaction
from drf_spectacular.generators import SchemaGenerator
from hypothesis import HealthCheck, Phase, given, settings
from knox.models import AuthToken
from schemathesis import GenerationMode
from schemathesis.specs.openapi import checks

from hc_platform.wsgi import application
from tests.world import World

N_EXAMPLES = 20  # for each operation, role and mode
CHECKS = [
    schemathesis.checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
]
# Every run sends the same requests, so that a failure is the change's and not the day's.
bounded = settings(
    max_examples=N_EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def load_schema():
    schema = schemathesis.openapi.from_dict(SchemaGenerator().get_schema(public=True))
    schema.app = application
    schema.config.generation.update(with_security_parameters=False)
    return schema


@pytest.fixture
def world(db, settings, tmp_path):
    settings.UPLOAD_DIR = tmp_path
    # Requests run inside the test's transaction, as with Django's own test client.
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield World()
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@pytest.mark.parametrize("mode", GenerationMode)
@pytest.mark.parametrize(("role", "n_able"), [("volunteer", 7), ("campaign_admin", 15)])
def test_every_reply_is_one_that_the_schema_promises(world, role, n_able, mode):
    """`n_able`: operations that the role has a right to, at least; these must have been reached."""
    _, token = AuthToken.objects.create(world.users[role])
    statuses = {}
    for operation in load_schema().get_all_operations():
        operation = operation.ok()
        mends = operation.path.endswith("/revise/")
        ids = world.ids | ({"assignment_id": world.answered} if mends else {})
        statuses[operation.label] = fuzz(operation, mode, ids, token)
    if mode is GenerationMode.POSITIVE:
        assert sum(any(status < 300 for status in seen) for seen in statuses.values()) >= n_able, statuses
    else:
        assert any(400 in seen for seen in statuses.values()), statuses


def fuzz(operation, mode: GenerationMode, ids: dict, token: str) -> Counter:
    """Send the operation requests of this mode; how often it replied with which status."""
    statuses = Counter()
    if mode is GenerationMode.NEGATIVE and not (operation.body or operation.query):
        return statuses
    known = {parameter.name: str(ids[parameter.name]) for parameter in operation.path_parameters}

    @bounded
    @given(case=operation.as_strategy(mode, path_parameters=known))
    def send(case):
        with transaction.atomic():
            reply = case.call_and_validate(headers={"Authorization": f"Token {token}"}, checks=CHECKS)
            transaction.set_rollback(True)
        statuses[reply.status_code] += 1

    send()
    return statuses
