from django.urls import path

from annotation.views import campaigns, dashboard, held_records, people, records, rule, volunteering

CAMPAIGN = "campaigns/<uuid:campaign_id>/"

urlpatterns = [
    path("", volunteering.campaign_list, name="campaign_list"),
    path("invitation/<str:token>/", volunteering.invitation, name="invitation"),
    path("campaigns/new/", campaigns.create, name="campaign_create"),
    path("guideline-preview/", campaigns.guideline_preview, name="guideline_preview"),
    path(CAMPAIGN, dashboard.dashboard, name="campaign_dashboard"),
    path(CAMPAIGN + "ties/", dashboard.ties, name="campaign_ties"),
    path(CAMPAIGN + "label/", volunteering.label, name="campaign_label"),
    path(CAMPAIGN + "consent/", volunteering.consent, name="campaign_consent"),
    path(CAMPAIGN + "stopping/", rule.rule, name="campaign_rule"),
    path(CAMPAIGN + "rules/", campaigns.edit, name="campaign_edit"),
    path(CAMPAIGN + "state/", campaigns.change_state, name="campaign_state"),
    path(CAMPAIGN + "people/", people.people, name="campaign_people"),
    path(CAMPAIGN + "people/<uuid:volunteer_id>/", people.change_part, name="campaign_part"),
    path(CAMPAIGN + "records/", records.upload, name="campaign_upload"),
    path(CAMPAIGN + "records/held/", held_records.held, name="campaign_held"),
    path(CAMPAIGN + "records/held/release/", held_records.release_all, name="campaign_release"),
    path(
        CAMPAIGN + "records/held/<uuid:record_id>/release/", held_records.release, name="campaign_release_one"
    ),
    path(CAMPAIGN + "consensus.<str:file_format>", records.export, name="campaign_export"),
]
