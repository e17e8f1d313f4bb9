"""Consensus out, as a file."""

from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import ValidationError

from annotation import serializers as shapes
from annotation.api.campaigns import AdminView
from annotation.services.export import FORMATS
from annotation.services.readings import export_consensus

CONTENT_TYPES = {"csv": "text/csv; charset=utf-8", "jsonl": "application/x-ndjson"}


class ExportView(AdminView):
    query_parameters = frozenset({"as"})

    def perform_content_negotiation(self, request, force=False):
        """`as` says which file is wanted, whatever the Accept header says."""
        return super().perform_content_negotiation(request, force=True)

    @extend_schema(
        summary="The consensus of every task that has answers: task, label, share, n_answers, gold",
        parameters=[OpenApiParameter("as", str, enum=FORMATS, default="csv")],
        responses={
            (200, "text/csv"): OpenApiTypes.STR,
            (200, "application/x-ndjson"): OpenApiTypes.STR,
            404: shapes.ProblemSerializer,
        },
    )
    def get(self, request, campaign_id):
        campaign = self.campaign(campaign_id)
        file_format = request.query_params.get("as", "csv")
        if file_format not in FORMATS:
            raise ValidationError({"as": [f"One of {', '.join(FORMATS)}."]})
        lines = export_consensus(campaign, file_format, by=request.user)
        return StreamingHttpResponse(lines, content_type=CONTENT_TYPES[file_format])
