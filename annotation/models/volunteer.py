"""A person's part in one campaign: pseudonym, consent, place in the queue, daily counts."""

import secrets

from django.db import models
from django.db.models import Q

from annotation.models.identifiers import uuid7


def new_pseudonym() -> str:
    """A name that tells nothing: 'V-' and seven letters and digits without look-alikes."""
    return "V-" + "".join(secrets.choice("23456789ABCDEFGHJKMNPQRSTVWXYZ") for _ in range(7))


class VolunteerQuerySet(models.QuerySet):
    def of(self, user, campaign) -> "VolunteerQuerySet":
        return self.filter(user=user, campaign=campaign)

    def taken_out(self) -> "VolunteerQuerySet":
        return self.filter(taken_out_at__isnull=False)


class Volunteer(models.Model):
    """Exists only with consent: no row, no record text."""

    class Origin(models.TextChoices):
        ON_PAGE = "on_page", "agreed on the page"
        ON_PAPER = "on_paper", "agreed on paper"
        REPLAYED = "replayed", "replayed from a past crowd"
        SIMULATED = "simulated", "simulated"

    class Standing(models.TextChoices):
        TRUSTED = "trusted", "counts"
        FLAGGED = "flagged", "flagged: does not count until somebody has decided"
        EXCLUDED = "excluded", "does not count"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.ForeignKey("annotation.User", on_delete=models.PROTECT, related_name="volunteers")
    campaign = models.ForeignKey("annotation.Campaign", on_delete=models.CASCADE, related_name="volunteers")
    pseudonym = models.CharField(max_length=20, default=new_pseudonym)
    origin = models.CharField(max_length=10, choices=Origin)
    consented_at = models.DateTimeField()
    taken_out_at = models.DateTimeField(null=True, help_text="Gets no more texts since; the answers stay.")
    standing = models.CharField(max_length=10, choices=Standing, db_default=Standing.TRUSTED)
    standing_reason = models.CharField(max_length=300, blank=True, db_default="")
    standing_by = models.ForeignKey(
        "annotation.User",
        on_delete=models.SET_NULL,
        null=True,
        related_name="+",
        help_text="Who decided it; the platform flags nobody whom a person has decided on.",
    )
    standing_at = models.DateTimeField(null=True)
    # The standing changed, so the answers given so far are to be counted, or not, by the new one.
    is_to_be_weighed = models.BooleanField(db_default=False, editable=False)
    asked_to_train_at = models.DateTimeField(null=True, help_text="Asked to read the guideline again.")
    trained_at = models.DateTimeField(null=True, help_text="When they had, the last time.")
    n_claims = models.PositiveIntegerField(db_default=0)
    # The last place taken in the queue's order, valid while the campaign's queue_epoch is the same:
    # the next claim starts behind it instead of passing over everything this volunteer has had.
    cursor_epoch = models.PositiveIntegerField(default=0)
    cursor_priority = models.FloatField(null=True)
    cursor_task = models.UUIDField(null=True)

    objects = VolunteerQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["campaign", "user"], name="volunteer_once_in_a_campaign"),
            models.UniqueConstraint(fields=["campaign", "pseudonym"], name="pseudonym_once_in_a_campaign"),
        ]
        indexes = [
            models.Index(
                fields=["campaign"], condition=Q(is_to_be_weighed=True), name="volunteer_to_be_weighed"
            )
        ]

    def __str__(self) -> str:
        return self.pseudonym

    @property
    def is_trusted(self) -> bool:
        return self.standing == self.Standing.TRUSTED

    @property
    def is_to_train(self) -> bool:
        """Asked to read the guideline again, and has not yet."""
        return self.asked_to_train_at is not None and (
            self.trained_at is None or self.trained_at < self.asked_to_train_at
        )


class VolunteerDay(models.Model):
    """How many answers a volunteer gave on a day (UTC). Counted here so that no page counts answers."""

    volunteer = models.ForeignKey("annotation.Volunteer", on_delete=models.CASCADE, related_name="days")
    day = models.DateField()
    n_answers = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["volunteer", "day"], name="volunteer_day_once")]
