"""Who did what, and who read record text without being handed it as a volunteer."""

from django.db import models


class TrailEntry(models.Model):
    user = models.ForeignKey("annotation.User", on_delete=models.SET_NULL, null=True, related_name="+")
    campaign = models.ForeignKey("annotation.Campaign", on_delete=models.CASCADE, null=True, related_name="+")
    verb = models.CharField(max_length=40)
    detail = models.JSONField(default=dict)
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-at"]
        verbose_name_plural = "trail entries"
