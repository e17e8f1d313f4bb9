from django.urls import path

from annotation.views import (
    campaigns,
    dashboard,
    held_records,
    people,
    ranking,
    records,
    review,
    rule,
    skill,
    volunteering,
)

CAMPAIGN = "campaigns/<uuid:campaign_id>/"
VOLUNTEER = CAMPAIGN + "volunteers/<uuid:volunteer_id>/"
TASK = CAMPAIGN + "tasks/<uuid:task_id>/"

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
    path(CAMPAIGN + "review/", review.desk, name="campaign_review"),
    path(CAMPAIGN + "tasks/", review.find, name="campaign_find"),
    path(TASK, review.task, name="campaign_task"),
    path(TASK + "decide/", review.decide, name="campaign_decide"),
    path(TASK + "mark/", review.mark, name="campaign_mark"),
    path(TASK + "doubt/", review.doubt, name="campaign_doubt"),
    path(TASK + "resolve/", review.resolve, name="campaign_resolve"),
    path(CAMPAIGN + "unclear/", review.unclear, name="campaign_unclear"),
    path(CAMPAIGN + "unclear.<str:file_format>", review.unclear_file, name="campaign_unclear_file"),
    path(CAMPAIGN + "volunteers/", skill.volunteers, name="campaign_volunteers"),
    path(VOLUNTEER, skill.volunteer, name="campaign_volunteer"),
    path(VOLUNTEER + "standing/", skill.change_standing, name="campaign_standing"),
    path(VOLUNTEER + "ask-back/", skill.ask_back, name="campaign_ask_back"),
    path(CAMPAIGN + "how-i-am-doing/", skill.own, name="campaign_own_skill"),
    path(CAMPAIGN + "refreshed/", skill.refreshed, name="campaign_refreshed"),
    path(CAMPAIGN + "ranking/", ranking.ranking, name="campaign_ranking"),
    path(CAMPAIGN + "agreement/", skill.agreement, name="campaign_agreement"),
    path(CAMPAIGN + "consensus.<str:file_format>", records.export, name="campaign_export"),
]
