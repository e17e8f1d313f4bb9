"""Accounts, roles and invitations. What a person may do is a row, never `is_staff`."""

from uuid import uuid4

from django.contrib.auth.models import AbstractUser
from django.db import models
from django.db.models import Q


class User(AbstractUser):
    """An account. Roles are memberships; consent stands on the volunteer's row of each campaign."""


class Role(models.TextChoices):
    VOLUNTEER = "volunteer", "Volunteer"
    REVIEWER = "reviewer", "Reviewer"
    CAMPAIGN_ADMIN = "campaign_admin", "Campaign admin"
    PRIVACY_OFFICER = "privacy_officer", "Privacy officer"
    SYSTEM_ADMIN = "system_admin", "System admin"


class MembershipQuerySet(models.QuerySet):
    def may_create_campaigns(self, user) -> bool:
        return self.filter(user=user, campaign=None, role=Role.CAMPAIGN_ADMIN).exists()


class Membership(models.Model):
    """A role of a person, in one campaign or (campaign empty) on the site.

    A campaign admin of the site may create campaigns; it gives no sight of other people's campaigns.
    """

    user = models.ForeignKey("annotation.User", on_delete=models.CASCADE, related_name="memberships")
    campaign = models.ForeignKey(
        "annotation.Campaign", on_delete=models.CASCADE, related_name="memberships", null=True, blank=True
    )
    role = models.CharField(max_length=20, choices=Role)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = MembershipQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["user", "campaign", "role"], name="membership_once", nulls_distinct=False
            ),
            models.CheckConstraint(
                name="system_admin_is_of_the_site",
                condition=~Q(role=Role.SYSTEM_ADMIN) | Q(campaign=None),
            ),
            models.CheckConstraint(
                name="volunteer_is_of_a_campaign",
                condition=~Q(role=Role.VOLUNTEER) | Q(campaign__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_role_display()} of {self.campaign or 'the site'}"


class InvitationQuerySet(models.QuerySet):
    def usable(self, now):
        return self.filter(expires_at__gt=now, n_uses__lt=models.F("max_uses"))


class Invitation(models.Model):
    """A link that lets people make an account and join a campaign in one role. Only its hash is kept."""

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    campaign = models.ForeignKey(
        "annotation.Campaign", on_delete=models.CASCADE, related_name="invitations", null=True, blank=True
    )
    role = models.CharField(max_length=20, choices=Role, default=Role.VOLUNTEER)
    token_sha256 = models.CharField(max_length=64, unique=True)
    max_uses = models.PositiveIntegerField(default=1)
    n_uses = models.PositiveIntegerField(default=0)
    expires_at = models.DateTimeField()
    created_by = models.ForeignKey("annotation.User", on_delete=models.CASCADE, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    objects = InvitationQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="invitation_within_its_uses", condition=Q(n_uses__lte=models.F("max_uses"))
            )
        ]
