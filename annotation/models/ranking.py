"""What compared items are worth, by the latest batch fit over all comparisons of a campaign of pairs."""

from django.db import models


class ItemRanking(models.Model):
    """One row a campaign, written by a worker and only read by the page."""

    campaign = models.OneToOneField(
        "annotation.Campaign", on_delete=models.CASCADE, primary_key=True, related_name="item_ranking"
    )
    items = models.JSONField(help_text="The most preferred: [[item, score, standard error, comparisons]].")
    n_items = models.PositiveIntegerField(help_text="Ranked in all.")
    lowest = models.FloatField(help_text="The score of the last of them.")
    rules = models.JSONField(
        default=dict, help_text="How the campaign decided then: by other rules it is due again."
    )
    n_given = models.PositiveIntegerField(
        help_text="Answers there were, those that don't count too; tells when the next fit is due."
    )
    computed_at = models.DateTimeField()
