"""The ground of all tests: settings, servers, and the one cast of people."""

import os
import secrets
import shutil
import tempfile
from pathlib import Path

import pytest

# training.encoder says so too, but tests may load torch before they load it. Networks as small as theirs keep
# threads waiting for each other: if these spin meanwhile, a training takes six times the processor time.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# Settings read the environment once, so this comes before anything that loads them.
os.environ.setdefault("SECRET_KEY", secrets.token_urlsafe(60))
OWN_DATA_DIR = None if os.environ.get("DATA_DIR") else Path(tempfile.mkdtemp(prefix="hc-tests-"))
if OWN_DATA_DIR:
    os.environ["DATA_DIR"] = str(OWN_DATA_DIR)
os.environ["DJANGO_SETTINGS_MODULE"] = "hc_platform.settings"

from django.conf import settings  # noqa: E402

settings.STATIC_ROOT.mkdir(parents=True, exist_ok=True)  # loads the settings; pytest-django goes on
# Tests take static files where they lie; packing them is a step of `up`.
settings.STORAGES["staticfiles"]["BACKEND"] = "django.contrib.staticfiles.storage.StaticFilesStorage"
# The platform's own hasher checks these too, also in programs that tests start with the real settings.
settings.PASSWORD_HASHERS = ["tests.quick_hasher.QuickArgon2PasswordHasher", *settings.PASSWORD_HASHERS]

from hc_platform import embedded  # noqa: E402


@pytest.fixture(scope="session")
def servers():
    """PostgreSQL and Redis: those of the environment, or else from wheels for as long as the tests run."""
    postgres, redis = not settings.DATABASE_URL, not os.environ.get("REDIS_URL")
    embedded.start(settings.DATA_DIR, postgres=postgres, redis=redis, scratch=True)
    yield
    embedded.release(settings.DATA_DIR)
    if OWN_DATA_DIR:
        shutil.rmtree((OWN_DATA_DIR / "postgres").resolve(), ignore_errors=True)
        shutil.rmtree(OWN_DATA_DIR, ignore_errors=True)


@pytest.fixture(scope="session")
def django_db_modify_db_settings(servers):
    """pytest-django asks for this before it makes the test database."""


@pytest.fixture(autouse=True)
def _record_numbers():
    from tests.factories import number_records_anew

    number_records_anew()


@pytest.fixture
def alice(db):
    """Runs campaigns: may create them."""
    from annotation.models import Membership, Role
    from tests.factories import make_user

    user = make_user("alice")
    Membership.objects.create(user=user, role=Role.CAMPAIGN_ADMIN)
    return user


@pytest.fixture
def bob(db):
    """An account with no role yet; most often a volunteer."""
    from tests.factories import make_user

    return make_user("bob")


@pytest.fixture
def charlie(db):
    """Another account with no role: the other volunteer, or the stranger."""
    from tests.factories import make_user

    return make_user("charlie")
