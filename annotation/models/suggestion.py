"""What a model would mark in an open task: a draft that a volunteer may begin with, never an answer."""

from django.db import models


class Suggestion(models.Model):
    """The newest model's. What was on the page of whom stands on their assignment."""

    task = models.OneToOneField(
        "annotation.MicroTask", on_delete=models.CASCADE, primary_key=True, related_name="suggestion"
    )
    campaign = models.ForeignKey("annotation.Campaign", on_delete=models.CASCADE)
    version = models.PositiveIntegerField(help_text="The number of the run that made the model.")
    spans = models.JSONField(help_text="[{start, end, label, probability}], offsets in code points.")
