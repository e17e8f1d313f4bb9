"""A campaign: one question asked of many records."""

from uuid import uuid4

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from annotation.models.people import Role


class CampaignQuerySet(models.QuerySet):
    """Every reading of a campaign on somebody's behalf starts in one of these."""

    def for_user(self, user) -> "CampaignQuerySet":
        """Campaigns this person may know of: any role in it, or open to everyone who has an account."""
        return self.filter(
            Q(pk__in=self._with_role(user)) | self._open_to_everyone() | Q(volunteers__user=user)
        ).distinct()

    def to_label(self, user) -> "CampaignQuerySet":
        """Campaigns in which this person may answer: a volunteer of it, or invited, or open to everyone.

        Whoever was taken out of one may not, by whatever way they came.
        """
        return (
            self.filter(
                Q(pk__in=self._with_role(user, Role.VOLUNTEER))
                | self._open_to_everyone()
                | Q(volunteers__user=user)
            )
            .exclude(pk__in=user.volunteers.taken_out().values("campaign_id"))
            .distinct()
        )

    def administered_by(self, user) -> "CampaignQuerySet":
        return self.filter(pk__in=self._with_role(user, Role.CAMPAIGN_ADMIN))

    def reviewed_by(self, user) -> "CampaignQuerySet":
        """Campaigns whose held records and doubtful tasks this person judges: its reviewers and admins."""
        return self.filter(pk__in=self._with_role(user, Role.REVIEWER, Role.CAMPAIGN_ADMIN))

    @staticmethod
    def _open_to_everyone() -> Q:
        """Not while it is paused: its maker may still be at work on it."""
        return Q(joining=Campaign.Joining.ANYONE, state=Campaign.State.OPEN)

    def _with_role(self, user, *roles: str):
        memberships = user.memberships.filter(campaign__isnull=False)
        if roles:
            memberships = memberships.filter(role__in=roles)
        return memberships.values("campaign_id")


class Campaign(models.Model):
    class State(models.TextChoices):
        PAUSED = "paused", "paused"
        OPEN = "open", "open"

    class Unit(models.TextChoices):
        DOCUMENT = "document", "the whole record"
        SENTENCE = "sentence", "each sentence"

    class Joining(models.TextChoices):
        INVITED = "invited", "only people who are invited"
        ANYONE = "anyone", "anyone who has an account here"

    class Aggregation(models.TextChoices):
        MAJORITY = "majority", "majority"
        ONE_COIN = "one_coin", "one-coin"
        DAWID_SKENE = "dawid_skene", "Dawid-Skene"
        ENGINE = "engine", "the engine's own choice"

    class Stopping(models.TextChoices):
        FIXED = "fixed", "the same number of answers for every task"
        ADAPTIVE = "adaptive", "as many as each task wants"

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    name = models.CharField(max_length=200)
    question = models.CharField(max_length=500)
    rule = models.CharField(
        max_length=300, blank=True, help_text="One line under the question that decides doubtful cases."
    )
    guideline = models.TextField(blank=True, max_length=50_000, help_text="Markdown.")
    kind = models.CharField(max_length=20, default="choice")
    labels = models.JSONField(help_text="A list of {key, name, hint}; its order is the order on the page.")
    unit = models.CharField(max_length=10, choices=Unit, default=Unit.DOCUMENT)
    needed = models.PositiveSmallIntegerField(
        "answers per task", default=3, validators=[MinValueValidator(1), MaxValueValidator(100)]
    )
    aggregation = models.CharField(
        "how answers are weighed", max_length=20, choices=Aggregation, default=Aggregation.MAJORITY
    )
    asks_certainty = models.BooleanField("ask whether they are sure", default=False)
    stopping = models.CharField(
        "when a task is done", max_length=10, choices=Stopping, default=Stopping.FIXED
    )
    stop_certainty = models.FloatField(
        "sure enough at", default=0.97, validators=[MinValueValidator(0.5), MaxValueValidator(0.9999)]
    )
    most_answers = models.PositiveSmallIntegerField(
        "answers at most", default=7, validators=[MinValueValidator(1), MaxValueValidator(100)]
    )
    audit_share = models.FloatField(
        "share audited", default=0.03, validators=[MinValueValidator(0), MaxValueValidator(1)]
    )
    hides_gold = models.BooleanField("hide gold among the tasks", default=False)
    preannotates = models.BooleanField("let the model mark spans beforehand", default=False)
    lease_seconds = models.PositiveIntegerField(
        default=900, validators=[MinValueValidator(5), MaxValueValidator(7 * 86_400)]
    )
    state = models.CharField(max_length=10, choices=State, default=State.PAUSED)
    joining = models.CharField(max_length=10, choices=Joining, default=Joining.INVITED)
    n_tasks = models.PositiveIntegerField(default=0, editable=False)
    # The number of the latest fit of the volunteers' parameters; 0 while there is none.
    crowd_version = models.PositiveIntegerField(default=0, editable=False)
    # Its rules changed, so its tasks have to be judged again.
    is_to_be_judged = models.BooleanField(default=False, editable=False)
    # Raised whenever the order of the queue changes, so that volunteers' cursors start again at its head.
    queue_epoch = models.PositiveIntegerField(default=0, editable=False)
    ordered_by_run = models.PositiveIntegerField(default=0, editable=False)
    ordered_at = models.DateTimeField(null=True, editable=False)
    created_by = models.ForeignKey(
        "annotation.User", on_delete=models.SET_NULL, null=True, editable=False, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    objects = CampaignQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.CheckConstraint(name="campaign_needs_an_answer", condition=Q(needed__gte=1)),
            models.CheckConstraint(
                name="campaign_stop_is_a_probability", condition=Q(stop_certainty__gt=0, stop_certainty__lt=1)
            ),
            models.CheckConstraint(
                name="campaign_audit_is_a_share", condition=Q(audit_share__gte=0, audit_share__lte=1)
            ),
            models.CheckConstraint(name="campaign_lease_lasts", condition=Q(lease_seconds__gte=1)),
            models.CheckConstraint(
                name="campaign_preannotates_spans", condition=Q(preannotates=False) | Q(kind="spans")
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_open(self) -> bool:
        return self.state == self.State.OPEN

    @property
    def is_adaptive(self) -> bool:
        return self.stopping == self.Stopping.ADAPTIVE

    @property
    def weighs_volunteers(self) -> bool:
        """Whether consensus depends on fitted parameters, not on the answers alone."""
        return self.aggregation != self.Aggregation.MAJORITY

    @property
    def n_answers_wanted(self) -> int:
        return self.n_tasks * self.needed

    def share_answered(self, n_answers: int) -> float:
        """How far n_answers bring it: from 0 to 1, and 0 while there is nothing to answer."""
        return min(1.0, n_answers / self.n_answers_wanted) if self.n_answers_wanted else 0.0

    def task_name(self, record: str, ordinal: int) -> str:
        """What a task is called in files: its record's id, and its number where records are cut up."""
        return record if self.unit == self.Unit.DOCUMENT else f"{record}#{ordinal}"

    @property
    def label_names(self) -> dict[str, str]:
        return {label["key"]: label["name"] for label in self.labels}
