"""What the answers of a task add up to, and what is known to be right."""

from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Random


class ConsensusQuerySet(models.QuerySet):
    def settled(self) -> "ConsensusQuerySet":
        return self.filter(settled_at__isnull=False)

    def undecided(self) -> "ConsensusQuerySet":
        """Nobody knows the right answer yet, and the text may be shown."""
        return self.filter(task__gold__isnull=True, task__held=False)

    def awaiting_review(self) -> "ConsensusQuerySet":
        """A reviewer is asked to decide them."""
        return self.undecided().exclude(review=Consensus.Review.NONE)

    def tied(self) -> "ConsensusQuerySet":
        """Settled without a consensus answer, and no reviewer has decided."""
        decided = Gold.objects.filter(task=OuterRef("pk"), decided_at__isnull=False)
        return self.settled().filter(~Exists(decided), value__isnull=True)


class Consensus(models.Model):
    """One row a task that has an answer, written with every answer in its transaction.

    `value` is the consensus answer in the kind's form and empty when the vote is tied; `label` is its label
    where the kind's answer is one label. A task is settled when it has the answers it needs. All but
    when that was is recomputable from the answers and the fit of number `version` at any time
    (`recompute_consensus --check`).
    """

    class Review(models.TextChoices):
        """Why a reviewer is asked to decide."""

        NONE = "", "no"
        UNDECIDED = "undecided", "the answers stayed undecided"
        UNCLEAR = "unclear", "skilled volunteers disagree: the guideline may be unclear"

    task = models.OneToOneField(
        "annotation.MicroTask", on_delete=models.CASCADE, primary_key=True, related_name="consensus"
    )
    campaign = models.ForeignKey("annotation.Campaign", on_delete=models.CASCADE, db_index=False)
    method = models.CharField(max_length=20)
    version = models.PositiveIntegerField(
        db_default=0, help_text="The fit whose parameters were used; 0 for none."
    )
    label = models.CharField(max_length=64, blank=True)
    value = models.JSONField(null=True)
    share = models.FloatField(help_text="Of the votes, for the leading label.")
    votes = models.JSONField(help_text="{label key: number of answers}")
    posterior = models.JSONField(null=True, help_text="{label key: probability}")
    certainty = models.FloatField(null=True, help_text="How probably `value` is right, by the method.")
    entropy = models.FloatField(null=True, help_text="Of the posterior, in bits.")
    weights = models.JSONField(null=True, help_text="{assignment, or model: what its answer weighed}")
    n_answers = models.PositiveSmallIntegerField()
    settled_at = models.DateTimeField(null=True)  # when it became so, by whatever: an answer, a fit, a rule
    audited = models.BooleanField(
        db_default=False, help_text="Asked once more after it stopped, to see whether it was rightly sure."
    )
    review = models.CharField(max_length=10, choices=Review, blank=True, db_default="")

    objects = ConsensusQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(name="share_of_votes", condition=Q(share__gt=0, share__lte=1)),
            models.CheckConstraint(name="consensus_has_answers", condition=Q(n_answers__gte=1)),
        ]
        indexes = [
            models.Index(
                fields=["campaign", "settled_at"],
                name="consensus_settled",
                condition=Q(settled_at__isnull=False),
            ),
            models.Index(
                fields=["campaign", "-entropy"], name="consensus_to_review", condition=~Q(review="")
            ),
            models.Index(
                fields=["campaign", "-settled_at"],
                name="consensus_tied",
                condition=Q(settled_at__isnull=False, value__isnull=True),
            ),
            models.Index(fields=["campaign"], name="consensus_audited", condition=Q(audited=True)),
            models.Index(
                fields=["campaign", "certainty"],
                name="consensus_least_certain",
                condition=Q(settled_at__isnull=False, certainty__lt=1),
            ),
        ]


class Gold(models.Model):
    """The right answer of a task, given by a file or decided by a reviewer."""

    class Origin(models.TextChoices):
        FILE = "file", "from a file"
        REVIEWER = "reviewer", "decided by a reviewer"

    task = models.OneToOneField(
        "annotation.MicroTask", on_delete=models.CASCADE, primary_key=True, related_name="gold"
    )
    campaign = models.ForeignKey("annotation.Campaign", on_delete=models.CASCADE, db_index=False)
    label = models.CharField(max_length=64, blank=True, help_text="Empty where the answer is not one label.")
    value = models.JSONField(help_text="In the kind's form of an answer.")
    origin = models.CharField(max_length=10, choices=Origin, db_default=Origin.FILE)
    decided_by = models.ForeignKey("annotation.User", on_delete=models.SET_NULL, null=True, related_name="+")
    decided_at = models.DateTimeField(null=True, help_text="When a reviewer did; empty for a file's.")
    # A random place among the campaign's gold: hidden gold is handed out from another one each time.
    draw = models.FloatField(db_default=Random())
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes = [models.Index(fields=["campaign", "draw"], name="gold_of_campaign")]


class GuidelineDoubtQuerySet(models.QuerySet):
    def unresolved(self) -> "GuidelineDoubtQuerySet":
        return self.filter(resolved_at__isnull=True)


class GuidelineDoubt(models.Model):
    """A case that the guideline does not decide, found by a reviewer or (`by` empty) by the platform."""

    campaign = models.ForeignKey("annotation.Campaign", on_delete=models.CASCADE, related_name="doubts")
    task = models.ForeignKey("annotation.MicroTask", on_delete=models.CASCADE, related_name="doubts")
    by = models.ForeignKey("annotation.User", on_delete=models.CASCADE, null=True, related_name="+")
    note = models.CharField(max_length=500, blank=True)
    at = models.DateTimeField()
    resolved_at = models.DateTimeField(null=True, help_text="When an admin said that it is decided now.")

    objects = GuidelineDoubtQuerySet.as_manager()

    class Meta:
        ordering = ["-at", "-pk"]
        constraints = [
            models.UniqueConstraint(fields=["task", "by"], name="guideline_doubt_once", nulls_distinct=False)
        ]
