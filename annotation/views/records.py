"""Records in, consensus out."""

from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.utils.text import slugify
from django.views.decorators.http import require_GET, require_http_methods

from annotation.errors import PlatformError
from annotation.forms import UploadForm
from annotation.kinds import kind_named
from annotation.models import Campaign, Import, Record
from annotation.services.export import FORMATS
from annotation.services.intake import store_upload
from annotation.services.readings import export_consensus
from annotation.views.access import administered_campaign

IMPORTS_SHOWN = 20
REFUSED_ROWS_SHOWN = 100


@login_required
@require_http_methods(["GET", "POST"])
def upload(request: HttpRequest, campaign_id: UUID) -> HttpResponse:
    campaign = administered_campaign(request, campaign_id)
    form = UploadForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        file = form.cleaned_data["file"]
        try:
            store_upload(
                campaign,
                file.name,
                file.chunks(),
                deidentified=form.cleaned_data["deidentified"],
                by=request.user,
            )
            return redirect("campaign_upload", campaign.pk)
        except PlatformError as error:
            form.add_error("file", error.sentence)
    return render(request, "annotation/campaign_upload.html", _upload_context(campaign, form))


def _upload_context(campaign: Campaign, form: UploadForm) -> dict:
    batches = list(campaign.imports.all()[:IMPORTS_SHOWN])
    reports = [
        {"batch": batch, "refused": batch.refused_rows.all()[:REFUSED_ROWS_SHOWN] if batch.n_refused else []}
        for batch in batches
    ]
    return {
        "campaign": campaign,
        "kind": kind_named(campaign.kind),
        "form": form,
        "reports": reports,
        "is_running": any(batch.state in {Import.State.WAITING, Import.State.RUNNING} for batch in batches),
        "n_held": Record.objects.held_of(campaign).count(),
    }


@login_required
@require_GET
def export(request: HttpRequest, campaign_id: UUID, file_format: str) -> StreamingHttpResponse:
    campaign = administered_campaign(request, campaign_id)
    if file_format not in FORMATS:
        raise Http404
    lines = export_consensus(campaign, file_format, by=request.user)
    response = StreamingHttpResponse(lines, content_type="application/octet-stream")
    file_name = f"{slugify(campaign.name) or 'consensus'}.{file_format}"
    response["Content-Disposition"] = f'attachment; filename="{file_name}"'
    return response
