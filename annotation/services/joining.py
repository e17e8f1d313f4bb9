"""Invitations and consent: how a person comes into a campaign."""

import hashlib
import secrets
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F

from annotation.errors import InvitationUnusable, NotFound, TakenOut
from annotation.models import Campaign, Invitation, Membership, TrailEntry, User, Volunteer


def token_sha256(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def invite(campaign: Campaign, role: str, *, by: User, max_uses: int, valid: timedelta, now: datetime) -> str:
    """Make a link's secret for people to join with; it can't be shown again."""
    token = secrets.token_urlsafe(24)
    with transaction.atomic():
        Invitation.objects.create(
            campaign=campaign,
            role=role,
            token_sha256=token_sha256(token),
            max_uses=max_uses,
            expires_at=now + valid,
            created_by=by,
        )
        TrailEntry.objects.create(
            user=by, campaign=campaign, verb="invite", detail={"role": role, "max_uses": max_uses}
        )
    return token


def usable_invitation(token: str, *, now: datetime) -> Invitation | None:
    return Invitation.objects.usable(now).filter(token_sha256=token_sha256(token)).first()


@transaction.atomic
def redeem_invitation(token: str, user: User, *, now: datetime) -> Membership:
    """Turn an invitation into a role, using it up by one. Redeeming it twice changes nothing."""
    invitation = Invitation.objects.filter(token_sha256=token_sha256(token)).first()
    if invitation is None:
        raise InvitationUnusable()
    membership, created = Membership.objects.get_or_create(
        user=user, campaign_id=invitation.campaign_id, role=invitation.role
    )
    if created:
        usable = Invitation.objects.usable(now).filter(pk=invitation.pk)
        if not usable.update(n_uses=F("n_uses") + 1):
            raise InvitationUnusable()
    return membership


def join_campaign(
    user: User, campaign: Campaign, *, now: datetime, origin: str = Volunteer.Origin.ON_PAGE
) -> Volunteer:
    """Record consent and make the person a volunteer of the campaign; once."""
    if Volunteer.objects.of(user, campaign).taken_out().exists():
        raise TakenOut()
    if origin == Volunteer.Origin.ON_PAGE and not Campaign.objects.to_label(user).filter(pk=campaign.pk):
        raise NotFound()
    volunteer, _ = Volunteer.objects.get_or_create(
        user=user, campaign=campaign, defaults={"origin": origin, "consented_at": now}
    )
    return volunteer
