"""What the answers of a task add up to, and what is known to be right."""

from django.db import models
from django.db.models import Q


class Consensus(models.Model):
    """One row a task that has an answer, written with every answer in its transaction.

    `label` is empty when the vote is tied. A task is settled when it has the answers it needs.
    Recomputable from the answers at any time (`recompute_consensus --check`).
    """

    task = models.OneToOneField(
        "annotation.MicroTask", on_delete=models.CASCADE, primary_key=True, related_name="consensus"
    )
    campaign = models.ForeignKey("annotation.Campaign", on_delete=models.CASCADE, db_index=False)
    method = models.CharField(max_length=20)
    label = models.CharField(max_length=64, blank=True)
    share = models.FloatField(help_text="Of the votes, for the leading label.")
    votes = models.JSONField(help_text="{label key: number of answers}")
    n_answers = models.PositiveSmallIntegerField()
    settled_at = models.DateTimeField(null=True)

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
            )
        ]


class Gold(models.Model):
    """The right answer of a task, given by an expert or a file."""

    task = models.OneToOneField(
        "annotation.MicroTask", on_delete=models.CASCADE, primary_key=True, related_name="gold"
    )
    label = models.CharField(max_length=64)
    created_at = models.DateTimeField(auto_now_add=True)
