"""How much the volunteers of a campaign agree, by the latest look at its settled tasks."""

from django.db import models


class AgreementReport(models.Model):
    """One row a campaign, written by a worker and only read by the page."""

    campaign = models.OneToOneField(
        "annotation.Campaign", on_delete=models.CASCADE, primary_key=True, related_name="agreement_report"
    )
    figures = models.JSONField(help_text="Measures, labels, weeks and pairs; see services.agreement.")
    rules = models.JSONField(help_text="How the campaign decided then: by other rules it is due again.")
    n_given = models.PositiveIntegerField(
        help_text="Answers there were, those that don't count too; tells when the next look is due."
    )
    computed_at = models.DateTimeField()
