"""Accounts made in one go for people whose consent was given on paper."""

import secrets
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import NamedTuple

from django.db import transaction
from django.utils import timezone
from knox.models import AuthToken

from annotation.models import Campaign, Membership, Role, TrailEntry, User, Volunteer
from annotation.services.joining import join_campaign

LETTERS = "abcdefghjkmnpqrstvwxyz23456789"  # without look-alikes: people type these


class Credentials(NamedTuple):
    username: str
    password: str
    token: str


def create_volunteers(
    campaign: Campaign, n: int, *, clock: Callable[[], datetime] = timezone.now
) -> Iterator[Credentials]:
    """Make n volunteers one by one. Passwords and tokens are known to whoever reads this, and never again."""
    for _ in range(n):
        yield _create_volunteer(campaign, clock())


@transaction.atomic
def _create_volunteer(campaign: Campaign, now: datetime) -> Credentials:
    username, password = f"v-{_letters(8)}", _letters(16)
    user = User.objects.create_user(username, password=password)
    Membership.objects.create(user=user, campaign=campaign, role=Role.VOLUNTEER)
    join_campaign(user, campaign, now=now, origin=Volunteer.Origin.ON_PAPER)
    TrailEntry.objects.create(campaign=campaign, verb="create_volunteer", detail={"user": user.pk})
    _, token = AuthToken.objects.create(user)
    return Credentials(username, password, token)


def _letters(n: int) -> str:
    return "".join(secrets.choice(LETTERS) for _ in range(n))
